"""The two runners: plain scripts and pytest suites, the files that both may read, and what counts."""

from __future__ import annotations

import pytest

from cetd.data.app import Suite
from cetd.sandbox.outcome import Crashed, Scored, TimedOut, Unscored
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import Bench, limits

pytestmark = pytest.mark.sandbox

DOUBLE = {"app.py": "def double(x):\n    return 2 * x\n"}


def _ends(bench: Bench, suite: Suite, program: dict[str, str] = DOUBLE) -> dict[str, str]:
    outcome = bench.sandbox.run(program, suite)
    assert isinstance(outcome, Scored), outcome
    assert outcome.passed == sum(test.outcome == "passed" for test in outcome.tests)
    return {test.test_id: test.outcome for test in outcome.tests}


# --------------------------------------------------------------------------------------------------- scripts


def test_each_assertion_of_a_script_is_a_test(bench: Bench) -> None:
    script = """
from app import double
x = double(2)
assert x == 4
assert double(3) == 7
for n in range(3):
    assert double(n) == n + n
def unused():
    assert False
"""
    ends = _ends(bench, Suite({"check.py": script}))
    assert ends == {"check.py::line_4": "passed", "check.py::line_5": "failed", "check.py::line_6": "passed"}


def test_a_script_whose_set_up_fails_has_no_passes_after_it(bench: Bench) -> None:
    script = "from app import double\nassert double(1) == 2\ny = double()\nassert double(2) == 4\n"
    assert _ends(bench, Suite({"check.py": script})) == {"check.py::line_2": "passed", "check.py::line_4": "error"}


def test_a_script_that_is_named_is_one_test_where_it_has_no_assertion_of_its_own(bench: Bench) -> None:
    tests = {
        "run.py": "import lib\nlib.check()\n",
        "lib.py": "import app\ndef check():\n    assert app.double(1) == 2\n",
    }
    assert _ends(bench, Suite(tests, arguments=("run.py",))) == {"run.py": "passed"}
    missing = bench.sandbox.run(DOUBLE, Suite(tests, arguments=("gone.py",)))
    assert missing == Unscored("tests: no test file gone.py")


# ---------------------------------------------------------------------------------------------------- pytest


PYTEST_SUITE = {
    "tests/conftest.py": "import pytest\n@pytest.fixture\ndef two():\n    return 2\n",
    "tests/test_all.py": """
import pytest, unittest
import app
from known import FOUR

@pytest.mark.parametrize("n", [1, 2])
def test_numbers(n):
    assert app.double(n) == n + n

def test_fixture(two):
    assert app.double(two) == FOUR

def test_wrong():
    assert app.double(2) == 5

def test_raises():
    with pytest.raises(TypeError):
        app.double(None)

class TestMore:
    def test_print(self, capsys):
        print(app.double(1))
        assert capsys.readouterr().out == "2\\n"

    def test_replaced(self, monkeypatch):
        monkeypatch.setattr(app, "double", lambda x: 0)
        assert app.double(2) == 0

class Old(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(app.double(4), 8)

@pytest.mark.skip
def test_skipped():
    pass

@pytest.mark.xfail
def test_expected_to_fail():
    assert False
""",
    "tests/known.py": "FOUR = 4\n",
}
PASSED = ("test_numbers[1]", "test_numbers[2]", "test_fixture", "test_raises")
PASSED += ("TestMore::test_print", "TestMore::test_replaced", "Old::test_equal")


def test_a_pytest_suite_has_a_result_for_each_test(bench: Bench) -> None:
    suite = Suite(PYTEST_SUITE, "pytest")
    ends = dict.fromkeys((f"tests/test_all.py::{name}" for name in PASSED), "passed")
    ends["tests/test_all.py::test_wrong"] = "failed"
    for _ in range(2):
        assert _ends(bench, suite) == ends
    outcome = bench.sandbox.run(DOUBLE, suite)
    assert isinstance(outcome, Scored)
    messages = {test.test_id: test.message for test in outcome.tests}
    assert "assert 4 == 5" in messages["tests/test_all.py::test_wrong"]


def test_pytest_is_given_its_arguments(bench: Bench) -> None:
    chosen = Suite(PYTEST_SUITE, "pytest", ("-k", "numbers", "tests/test_all.py"))
    assert set(_ends(bench, chosen)) == {"tests/test_all.py::test_numbers[1]", "tests/test_all.py::test_numbers[2]"}


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("import os\nos._exit(0)\n", Crashed),
        ("def double(x):\n    import os\n    os._exit(0)\n", Crashed),
        ("def double(x):\n    while True: pass\n", TimedOut),
    ],
)
def test_pytest_cannot_hide_the_end_of_a_program(bench: Bench, program: str, kind: type) -> None:
    outcome = bench.sandbox.run({"app.py": program}, Suite(PYTEST_SUITE, "pytest"), timeout_s=2.0)
    assert isinstance(outcome, kind), outcome


def test_runs_of_a_pytest_suite_share_nothing(bench: Bench) -> None:
    tests = {
        "test_it.py": "import app, builtins\ndef test_x():\n    seen = app.seen()\n    builtins.mark = 1\n"
        "    assert seen == 0\ndef test_y():\n    assert builtins.mark == 1\n"
    }
    tests["test_first.py"] = "import builtins\ndef test_clean():\n    assert not hasattr(builtins, 'mark')\n"
    suite = Suite(tests, "pytest", ("test_first.py", "test_it.py"))
    for _ in range(2):
        assert set(_ends(bench, suite, {"app.py": "def seen():\n    return 0\n"}).values()) == {"passed"}


# ----------------------------------------------------------------------------------------- files, expectations


@pytest.mark.parametrize("runner", ["script", "pytest"])
def test_files_are_there_for_both_and_cannot_be_changed_by_the_program(bench: Bench, runner: str) -> None:
    program = """
import os
def read():
    return open("data/words.bin", "rb").read()
def spoil():
    said = []
    for attempt in (lambda: open("data/words.bin", "wb"), lambda: os.remove(os.path.realpath("data/words.bin")),
                    lambda: os.chmod("data/words.bin", 0o777), lambda: open("/files/new", "w")):
        try: attempt(); said.append("done")
        except OSError as error: said.append(error.errno)
    return said
"""
    tests = "import app\ndef test_read():\n    assert app.read() == b'\\x00one'\n"
    tests += "def test_spoil():\n    assert app.spoil() == [30] * 4\n    assert app.read() == b'\\x00one'\n"
    suite = Suite({"test_app.py": tests}, runner, files={"data/words.bin": b"\x00one"})  # pyright: ignore[reportArgumentType]
    assert set(_ends(bench, suite, {"app.py": program}).values()) == {"passed"}


@pytest.mark.parametrize("runner", ["script", "pytest"])
def test_a_program_cannot_lessen_the_tests_that_count(bench: Bench, runner: str) -> None:
    tests = {
        "test_hard.py": "from app import hard\ndef test_a():\n    assert hard() == 1\ndef test_b():\n    pass\n",
        "test_easy.py": "import app\ndef test_c():\n    pass\n",
    }
    expected = ("test_hard.py::test_a", "test_hard.py::test_b", "test_easy.py::test_c")
    suite = Suite(tests, runner, expected=expected)  # pyright: ignore[reportArgumentType]
    outcome = bench.sandbox.run({"app.py": "x = 1\n"}, suite)
    assert isinstance(outcome, Scored), outcome
    assert (outcome.passed, outcome.total) == (1, 3)
    assert [test.test_id for test in outcome.tests] == list(expected)
    assert "cannot import name 'hard'" in outcome.tests[0].message


def test_a_suite_that_a_program_keeps_from_running_scores_zero_of_what_is_expected(bench: Bench) -> None:
    tests = {"conftest.py": "from app import absent\n", "test_a.py": "def test_a():\n    pass\n"}
    assert isinstance(bench.sandbox.run({"app.py": ""}, Suite(tests, "pytest")), Unscored)
    outcome = bench.sandbox.run({"app.py": ""}, Suite(tests, "pytest", expected=("test_a.py::test_a",)))
    assert isinstance(outcome, Scored), outcome
    assert (outcome.passed, outcome.total) == (0, 1)


def test_a_program_cannot_stand_in_for_modules_of_the_tests_or_of_the_library(bench: Bench) -> None:
    tests = {
        "test_app.py": "import math, app\nfrom known import ONE\ndef test_():\n    assert math.isclose(app.f(), ONE)\n",
        "known.py": "ONE = 1\n",
    }
    program = {"app.py": "def f():\n    return 5\n", "known.py": "ONE = 5\n", "math.py": "isclose = lambda *_: True\n"}
    outcome = bench.sandbox.run(program, Suite(tests, modules=("app.py",)))
    assert isinstance(outcome, Scored), outcome
    assert (outcome.passed, outcome.total) == (0, 1)


def test_requirements_can_be_imported_and_nothing_else() -> None:
    program = {"app.py": "import numpy\ndef total(x):\n    return int(numpy.asarray(x).sum())\n"}
    tests = {"test_app.py": "from app import total\ndef test_it():\n    assert total([1, 2]) == 3\n"}
    with Sandbox(limits(memory_mb=512), ["numpy"]) as sandbox:
        outcome = sandbox.run(program, tests)
        assert isinstance(outcome, Scored), outcome
        assert outcome.passed == 1
        assert isinstance(sandbox.run({"app.py": "import torch\n"}, tests), Crashed)


@pytest.mark.parametrize(
    ("requirement", "said"),
    [("no-such-thing", "not installed"), ("numpy<1", "is asked for and"), ("!!", "is no requirement")],
)
def test_a_requirement_that_is_not_met_is_named(requirement: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Sandbox(limits(), [requirement])
