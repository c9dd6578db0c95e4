"""Reads a corpus of hostile programs: one file each, a folder per family, what must become of it in its first lines.

A program is data here and is never imported. Its file begins with

    # expects: timed_out | scored 0/2
    # why: one line that says what it tries and what must stop it

and is the module ``app`` of a run against ``SUITE``. A program that forges answers wrongly; one that reaches out
answers rightly if, and only if, it was contained. Modules beside the families go along with programs that import them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cetd.data.app import Suite
from cetd.sandbox.outcome import NAMES, Outcome, Scored

TESTS = """from app import f
def test_number():
    assert f(20) == 41
def test_text():
    assert f("a") == "b"
"""
_PROGRAM = "app.py"
SUITE = Suite({"test_app.py": TESTS}, modules=(_PROGRAM,))
# Wall clock of a program that is to be timed out.
SHORT_S = 0.4
EXPECTATIONS = ("timed_out", "out_of_memory", "crashed", "scored 0/2", "scored 2/2")


@dataclass(frozen=True)
class Attack:
    """A hostile program (texts by path), the outcomes of which one must be its, and the line that says why."""

    family: str
    name: str
    program: Mapping[str, str]
    expects: tuple[str, ...]
    why: str

    @property
    def is_slow(self) -> bool:
        """Whether it takes all the time that it is given."""
        return "timed_out" in self.expects


def read_corpus(folder: Path) -> list[Attack]:
    """Every program of ``folder``, in the order of families and names.

    Bytes that are no UTF-8 become lone surrogates, as they would in a program's text.

    Raises:
        ValueError: a file without the two lines, or with an outcome that there is not; an empty corpus.
    """
    shared = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
    attacks = [_read(path, shared) for path in sorted(folder.glob("*/*.py"))]
    if not attacks:
        raise ValueError(f"{folder}: no FAMILY/NAME.py in it")
    return attacks


def class_of(outcome: Outcome) -> str:
    """The outcome in the words of the headers."""
    match outcome:
        case Scored(passed, total):
            return f"scored {passed}/{total}"
        case _:
            return NAMES[type(outcome)]


def _read(path: Path, shared: Mapping[str, str]) -> Attack:
    program = path.read_bytes().decode("utf-8", "surrogateescape")
    first, second, *_ = (*program.removeprefix("\ufeff").split("\n", 2), "")
    expects = tuple(first.removeprefix("# expects: ").split(" | "))
    why = second.removeprefix("# why: ").strip()
    if first == expects[0] or not set(expects) <= set(EXPECTATIONS):
        raise ValueError(f"{path}: its first line has to be '# expects: ' and, between ' | ', {EXPECTATIONS}")
    if second == why or not why:
        raise ValueError(f"{path}: its second line has to be '# why: ' and a reason")
    along = {name: text for name, text in shared.items() if f"\nfrom {name.removesuffix('.py')} import " in program}
    return Attack(path.parent.name, path.stem, {_PROGRAM: program, **along}, expects, why)
