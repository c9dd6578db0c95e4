"""What a reconstruction came to: exactly one of five outcomes.

The first four are about the program (``Scored`` carries its pass count, the other three score 0);
``Unscored`` is about us, and never counts as zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal


@dataclass(frozen=True)
class TestResult:
    """One test: its id, how it ended, its wall-clock seconds, and a message cut to a length."""

    __test__: ClassVar[bool] = False  # the name makes pytest take it for tests

    test_id: str
    outcome: Literal["passed", "failed", "error"]
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class Scored:
    """The tests ran to their end; ``plain`` are the places where they found plain data and nothing else (see kinds)."""

    passed: int
    total: int
    seconds: float
    tests: tuple[TestResult, ...] = ()
    output: str = ""
    plain: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class TimedOut:
    """The wall clock or the CPU limit ended the run."""

    seconds: float
    output: str = ""


@dataclass(frozen=True)
class OutOfMemory:
    """The memory limit ended the run."""

    seconds: float
    output: str = ""


@dataclass(frozen=True)
class Crashed:
    """The program could not be loaded, or died before its tests were done."""

    reason: str
    seconds: float
    output: str = ""


@dataclass(frozen=True)
class Unscored:
    """Infrastructure failed: retried, and past its retries left out of mean, spread and baseline."""

    reason: str


Outcome = Scored | TimedOut | OutOfMemory | Crashed | Unscored

# Names as they stand in rollouts and reports.
NAMES: dict[type, str] = {
    Scored: "scored",
    TimedOut: "timed_out",
    OutOfMemory: "out_of_memory",
    Crashed: "crashed",
    Unscored: "unscored",
}


def pass_rate(outcome: Outcome) -> float | None:
    """Share of tests passed, 0 for a program that died, None where infrastructure failed."""
    match outcome:
        case Scored(passed, total):
            return passed / total
        case Unscored():
            return None
        case _:
            return 0.0
