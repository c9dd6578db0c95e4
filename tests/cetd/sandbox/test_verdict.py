"""Whose fault an end was: decided from the judge's verdict and the server's report alone."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from cetd.sandbox.encoding import encode
from cetd.sandbox.outcome import Crashed, OutOfMemory, Scored, TimedOut, Unscored
from cetd.sandbox.protocol import Done, Start
from cetd.sandbox.verdict import RawRun, outcome_of, read_verdict
from tests.cetd.sandbox.conftest import limits

LIMITS = limits(cpu_s=2, memory_mb=128)
DONE = Done(1, False, True, signal.SIGKILL, 0, 0.5, 0.01, 9000)
EXIT_3 = 3 << 8


def _outcome(verdict: Any, **done: Any) -> object:
    return outcome_of(RawRun(DONE._replace(**done), verdict, "out"), LIMITS)


def test_a_finished_judge_scores() -> None:
    results = [("t::a", "passed", 0.1, ""), ("t::b", "failed", 0.1, "no")]
    outcome = _outcome(("done", "", results, ["app.f()"]))
    assert isinstance(outcome, Scored)
    assert (outcome.passed, outcome.total, outcome.seconds, outcome.output) == (1, 2, 0.5, "out")
    assert outcome.tests[1].message == "no"
    assert outcome.plain == ("app.f()",)


@pytest.mark.parametrize(
    ("state", "done", "expected"),
    [
        ("load", {}, Crashed("why", 0.5, "out")),
        ("garbage", {}, Crashed("why", 0.5, "out")),
        ("memory", {}, OutOfMemory(0.5, "out")),
        ("setup", {}, Unscored("setup: why")),
        ("tests", {}, Unscored("tests: why")),
        ("died", {}, Crashed("why", 0.5, "out")),
        (
            "died",
            {"candidate_was_killed": False, "candidate_status": EXIT_3},
            Crashed("why: exit status was 3", 0.5, "out"),
        ),
        (
            "died",
            {"candidate_was_killed": False, "candidate_status": signal.SIGSEGV},
            Crashed("why: end was SIGSEGV", 0.5, "out"),
        ),
        ("died", {"candidate_was_killed": False, "cpu_s": 1.9}, TimedOut(0.5, "out")),
        ("died", {"candidate_was_killed": False, "peak_kb": 100 << 10}, OutOfMemory(0.5, "out")),
        ("died", {"candidate_was_killed": False}, Unscored("the candidate was killed from outside")),
    ],
)
def test_an_end_is_the_programs_fault_or_ours(state: str, done: dict[str, Any], expected: object) -> None:
    assert _outcome((state, "why", [], []), **done) == expected


def test_the_wall_clock_comes_before_any_verdict() -> None:
    assert _outcome(("done", "", [("t::a", "passed", 0.1, "")], []), timed_out=True) == TimedOut(0.5, "out")


def test_a_judge_without_a_verdict_leaves_the_run_unscored() -> None:
    assert _outcome(None, judge_status=signal.SIGKILL) == Unscored("no verdict: the judge's end was SIGKILL")


def test_a_verdict_that_was_cut_short_is_none() -> None:
    whole = encode(("done", "", [("t::a", "passed", 0.1, "")], []))
    for length in (0, 1, len(whole) - 1):
        fd = os.memfd_create("verdict")
        os.write(fd, whole[:length])
        assert read_verdict(fd) is None
        os.close(fd)


def test_records_survive_the_round_trip() -> None:
    assert Done.unpack(DONE.pack()) == DONE
    assert Start.unpack(Start(7, bytes(16), 1.5).pack()) == Start(7, bytes(16), 1.5)
