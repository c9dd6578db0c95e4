"""From what a run left behind to its outcome.

The judge's verdict says what the tests came to, the server's report what became of the processes. Pure functions: the
only place where it is decided whose fault an end was, the program's or ours.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cetd.config import SandboxConfig
from cetd.sandbox.encoding import EncodingError, decode
from cetd.sandbox.outcome import Crashed, Outcome, OutOfMemory, Scored, TestResult, TimedOut, Unscored
from cetd.sandbox.protocol import Done, read_all


@dataclass(frozen=True)
class RawRun:
    """What a run left behind: the server's report, the judge's verdict (None: none written) and the output."""

    done: Done
    verdict: tuple[str, str, list[Any], list[str]] | None
    output: str


def read_verdict(fd: int) -> tuple[str, str, list[Any], list[str]] | None:
    """What a judge wrote: (state, reason, results, places of plain data); None where it was ended before it had."""
    try:
        return decode(read_all(fd))
    except EncodingError:
        return None


def outcome_of(
    raw: RawRun,
    limits: SandboxConfig,
    expected: Sequence[str] = (),
    *,
    out_of_memory: bool = False,
    shielded: bool = True,
) -> Outcome:
    """The outcome of a run under ``limits``; where tests are ``expected``, of just those.

    ``out_of_memory`` says that the kernel ended a process of the run because all of it together took too much;
    ``shielded`` that a program cannot end itself by SIGKILL.
    """
    done, output = raw.done, raw.output
    if out_of_memory:
        return OutOfMemory(done.wall_s, output)
    if done.timed_out or _ran_out_of_cpu(done, limits):
        return TimedOut(done.wall_s, output)
    state, reason, results, plain = raw.verdict or ("no verdict", f"the judge's {_ending(done.judge_status)}", [], [])
    match state:
        case "done":
            tests = _counted([TestResult(*result) for result in results], expected)
            passed = sum(test.outcome == "passed" for test in tests)
            return Scored(passed, len(tests), done.wall_s, tests, output, tuple(plain))
        case "tests" if expected:  # they ran for the reference: it is the program that keeps them from running
            tests = _counted([], expected, reason)
            return Scored(0, len(tests), done.wall_s, tests, output)
        case "memory":
            return OutOfMemory(done.wall_s, output)
        case "died":
            return _after_death(reason, raw, limits, shielded)
        case "load" | "garbage":
            return Crashed(reason, done.wall_s, output)
        case _:
            return Unscored(f"{state}: {reason}")


def _counted(results: list[TestResult], expected: Sequence[str], reason: str = "") -> tuple[TestResult, ...]:
    """All results, or those of the expected tests: a program cannot lessen what it is measured by."""
    if not expected:
        return tuple(results)
    by_id = {result.test_id: result for result in results}
    others = [result.message for result in results if result.test_id not in expected and result.message]
    missing = reason or next(iter(others), "") or "did not run"
    return tuple(by_id.get(test_id) or TestResult(test_id, "error", 0.0, missing) for test_id in expected)


def _after_death(reason: str, raw: RawRun, limits: SandboxConfig, shielded: bool) -> Outcome:
    done = raw.done
    if done.candidate_was_killed:  # by us, because it had closed its channel and gone on
        return Crashed(reason, done.wall_s, raw.output)
    if os.waitstatus_to_exitcode(done.candidate_status) != -signal.SIGKILL or not shielded:
        return Crashed(f"{reason}: {_ending(done.candidate_status)}", done.wall_s, raw.output)
    # Nothing inside can send SIGKILL (a program's own namespace is deaf to it, and the filter leaves no way where there
    # is none): the machine ran out of memory, over this program or over something else.
    if done.peak_kb >= limits.memory_mb << 9:
        return OutOfMemory(done.wall_s, raw.output)
    return Unscored("the candidate was killed from outside")


def _ran_out_of_cpu(done: Done, limits: SandboxConfig) -> bool:
    # The first process of a PID namespace is deaf to SIGXCPU; the hard limit's SIGKILL is what ends it. The kernel
    # counts ticks against the limit, which on a busy machine are up to twice the time that it reports afterwards.
    killed = os.waitstatus_to_exitcode(done.candidate_status) in (-signal.SIGXCPU, -signal.SIGKILL)
    return killed and not done.candidate_was_killed and done.cpu_s >= limits.cpu_s * 0.5


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit status was {code}" if code >= 0 else f"end was {signal.Signals(-code).name}"
