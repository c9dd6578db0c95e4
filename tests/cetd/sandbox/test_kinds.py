"""Where an app's reference has plain data, an object of a program's own cannot answer for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cetd.data.app import App, Interface
from cetd.feedback.cache import outcome_key
from cetd.sandbox.admission import Admission, admit, measured
from cetd.sandbox.kinds import Kinds, NotPlainError
from cetd.sandbox.outcome import Outcome, Scored
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import limits

REFERENCE = """
LIMITS = {"most": 3}
class Stack:
    def __init__(self): self.items = []
    def push(self, item): self.items.append(item); return self
    def pop(self): return self.items.pop()
    def top(self): return Stack().push(self.items[-1])
def words(text): return text.split()
def letters(text): return set(text)
def shout(text): return text.upper()
def later(text): return iter(text.split())
async def soon(text): return text.upper()
"""
TESTS = """
import asyncio
from app import *
from app import LIMITS, Stack
def test_words():
    found = words("b a b")
    assert sorted(set(found)) == ["a", "b"]
def test_letters():
    assert letters("abab").issubset({"a", "b"})
def test_shout():
    assert shout("abc").startswith("ABC")
def test_later():
    assert list(later("a b")) == ["a", "b"]
def test_soon():
    assert asyncio.run(soon("a")).isupper()
def test_stack():
    stack = Stack().push("x").push("y")
    assert stack.pop().startswith("y")
    assert stack.top().pop().startswith("x")
    assert stack.items == ["x"]
def test_limits():
    assert LIMITS.get("most") == 3
"""
APP = App(
    "app",
    {"app.py": REFERENCE},
    {"test_app.py": TESTS},
    Interface("app", ("def words(text)",)),
    timeout_s=5.0,
)
LIAR = """
class Liar:
    def __len__(self): return 1
    def __iter__(self): return iter(("a", "b"))
    def __getattr__(self, name):
        if name[:2] == "__": raise AttributeError(name)
        return lambda *_: True
"""


@pytest.fixture(scope="module")
def admitted() -> App:
    with Sandbox(limits()) as sandbox:
        admission = admit([APP], sandbox, 2)
    assert not admission.quarantined
    return admission.apps[0]


def ends(sandbox: Sandbox, app: App, program: str) -> dict[str, str]:
    outcome: Outcome = sandbox.run({"app.py": program}, app.suite)
    assert isinstance(outcome, Scored), outcome
    return {test.test_id.partition("::")[2]: f"{test.outcome} {test.message}" for test in outcome.tests}


@pytest.mark.sandbox
def test_what_the_reference_has_is_named_by_how_tests_get_there(admitted: App) -> None:
    places = set(admitted.plain)
    assert {"app.LIMITS", "app.words()", "app.letters()", "app.shout()", "app.soon()()"} <= places
    assert {"app.Stack().push().push().pop()", "app.Stack().items", "app.later().__next__()"} & places
    # what it makes objects of is none of them
    assert not {"app.Stack", "app.Stack()", "app.later()", "app.soon()"} & places
    record = Admission((admitted,)).record
    assert measured([APP], record) == [admitted]


@pytest.mark.sandbox
def test_the_reference_passes_and_what_does_the_same_otherwise_does_too(sandbox: Sandbox, admitted: App) -> None:
    assert set(ends(sandbox, admitted, REFERENCE).values()) == {"passed "}
    lazy = REFERENCE.replace("return text.split()", "return (word for word in text.split())")
    assert set(ends(sandbox, admitted, lazy).values()) == {"passed "}
    keys = REFERENCE.replace("return text.split()", "return dict.fromkeys(text.split()).keys()")
    assert set(ends(sandbox, admitted, keys).values()) == {"passed "}
    named = REFERENCE.replace(
        "def shout(text): return text.upper()", "class T(str): pass\ndef shout(text): return T(text.upper())"
    )
    assert set(ends(sandbox, admitted, named).values()) == {"passed "}


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("test", "change"),
    [
        ("test_letters", ("return set(text)", "return Liar()")),
        ("test_shout", ("return text.upper()\ndef later", "return Liar()\ndef later")),
        ("test_shout", ("def shout(text): return text.upper()", "class shout(Liar):\n    def __init__(self, _): pass")),
        ("test_soon", ("async def soon(text): return text.upper()", "async def soon(text): return Liar()")),
        ("test_stack", ("return self.items.pop()", "self.items.pop(); return Liar()")),
        ("test_limits", ('LIMITS = {"most": 3}', "class L(Liar):\n    def get(self, key): return 3\nLIMITS = L()")),
    ],
)  # fmt: skip
def test_an_object_in_place_of_plain_data_answers_nothing(
    sandbox: Sandbox, admitted: App, test: str, change: tuple[str, str]
) -> None:
    before, after = change
    assert before in REFERENCE
    program = LIAR + REFERENCE.replace(before, after)
    assert ends(sandbox, replace(admitted, plain=()), program)[test] == "passed "  # where nothing is known of it
    assert ends(sandbox, admitted, program)[test].startswith("error NotPlainError: app.")


@pytest.mark.sandbox
def test_pytest_suites_are_held_to_it_as_well(sandbox: Sandbox, admitted: App) -> None:
    app = replace(admitted, runner="pytest")
    program = LIAR + REFERENCE.replace("return set(text)", "return Liar()")
    assert ends(sandbox, app, program)["test_letters"].startswith(
        "failed cetd.sandbox.kinds.NotPlainError: app.letters()"
    )


def test_an_outcome_is_another_where_plain_data_is_asked_for(admitted: App) -> None:
    assert outcome_key("x", admitted, limits()) != outcome_key("x", replace(admitted, plain=()), limits())


def test_places_are_bounded_in_number_and_length() -> None:
    kinds = Kinds()
    kinds.note_import("app", {f"name{number}": number for number in range(5000)} | {"x" * 1000: 1})
    assert 1000 <= len(kinds.plain) <= 2000
    assert max(map(len, kinds.plain)) <= 200


def test_plain_data_is_never_asked_anything() -> None:
    kinds = Kinds(["app.f()"])
    kinds.check(("call", "app", "f", (), {}))
    kinds.note(("call", "app", "f", (), {}), [])
    assert kinds.plain == ["app.f()"]
    assert issubclass(NotPlainError, TypeError)  # which list() passes over when it asks for a length
