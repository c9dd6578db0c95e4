"""A judge that a program brings down is the program's fault; one that something outside ends is ours."""

from __future__ import annotations

import pytest

from cetd.data.app import Runner, Suite
from cetd.sandbox.outcome import Crashed, Outcome, OutOfMemory, Scored, Unscored
from tests.cetd.sandbox.conftest import Bench

pytestmark = pytest.mark.sandbox

RUNNERS: tuple[Runner, ...] = ("script", "pytest")
# Puts one frame of the program's own requests on the channel again and again, and reads what the judge says to each.
FLOOD = """
import os, struct
from cetd.sandbox.encoding import encode
def flood(item):
    call = encode(("call", 0, ("HERE",), {})).replace(encode("HERE"), b"l" + struct.pack("<I", 800000) + item * 800000)
    frame = struct.pack("<IQ", len(call) + 8, 0) + call
    while True:
        rest = frame
        while rest:
            rest = rest[os.write(3, rest):]
        os.read(3, struct.unpack("<I", os.read(3, 4))[0])
def f(function):
    flood(b"S\\0\\0\\0\\0")
"""


def _run(bench: Bench, program: str, test: str, runner: Runner) -> Outcome:
    tests = f"import os, signal\nimport app\ndef test_it():\n    {test}\n"
    return bench.sandbox.run({"app.py": program}, Suite({"test_app.py": tests}, runner))


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os._exit(0)", "exit status 0"),
        ("os._exit(1)", "exit status 1"),
        ("os.abort()", "SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("signal.alarm(1); app.f()", "SIGALRM"),
    ],
)
def test_the_end_of_a_judge_over_a_program_is_the_programs(bench: Bench, end: str, how: str, runner: Runner) -> None:
    program = "import time\ndef f():\n    time.sleep(3)\n"
    outcome = _run(bench, program, end, runner)
    assert isinstance(outcome, Crashed), outcome
    assert outcome.reason == f"what it did ended the process of its tests: {how}"


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_the_end_of_a_judge_from_outside_is_ours(bench: Bench, name: str, runner: Runner) -> None:
    outcome = _run(bench, "x = 1\n", f"os.kill(os.getpid(), signal.{name})", runner)
    assert isinstance(outcome, Unscored), outcome


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_test_that_exits_over_a_wrong_answer_is_an_error(bench: Bench, runner: Runner) -> None:
    outcome = _run(bench, "def f():\n    return 1\n", "if app.f() != 2: raise SystemExit(1)", runner)
    assert isinstance(outcome, Scored), outcome
    assert (outcome.passed, outcome.total) == (0, 1)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_judge_whose_memory_a_program_fills_is_the_programs_fault(bench: Bench, runner: Runner) -> None:
    outcome = _run(bench, FLOOD, "seen = []; app.f(seen.append)", runner)
    assert isinstance(outcome, (Crashed, OutOfMemory)), outcome


def test_prints_without_end_are_the_programs_fault(bench: Bench) -> None:
    program = "def f():\n    print('x' * 60000)\n"
    outcome = _run(bench, program, "for _ in range(3000): app.f()\n    assert False", "pytest")
    assert isinstance(outcome, (Crashed, OutOfMemory)), outcome


def test_more_messages_than_a_verdict_holds_are_cut(bench: Bench) -> None:
    tests = "from app import f\n" + "".join(f"assert f({n})\n" for n in range(2200))
    program = "def f(n):\n    raise ValueError('\\U0001f600' * 600)\n"
    outcome = bench.run(program, tests)
    assert isinstance(outcome, Scored), outcome
    assert (outcome.passed, outcome.total) == (0, 2200)


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_a_failing_test_leaves_patched_is_not_there_for_the_next_program(bench: Bench, runner: Runner) -> None:
    test = "import math; before = math.sqrt; math.sqrt = abs; app.f(); math.sqrt = before; assert math.sqrt(4) == 2"
    for answer, passed in (("1 / 0", 0), ("1", 1)):
        outcome = _run(bench, f"def f():\n    return {answer}\n", test, runner)
        assert isinstance(outcome, Scored), outcome
        assert outcome.passed == passed, outcome


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(
    "leave",
    [
        "os.makedirs('a/b'); open('a/b/c', 'wb').write(bytes(30 << 20)); os.symlink('/', 'a/link')",
        "tempfile.mkdtemp(); open(os.path.join(tempfile.mkdtemp(), 'x'), 'wb').write(bytes(30 << 20))",
        "os.mkdir('a'); open('a/b', 'w').close(); os.chmod('a', 0)",
        "open(__file__, 'a').write('#' * 4000)",
        "os.makedirs('/tmp/a/__pycache__'); open('/tmp/a/__pycache__/x', 'wb').write(bytes(30 << 20))",
    ],
)
def test_files_that_tests_leave_are_not_there_for_the_next_program(bench: Bench, leave: str, runner: Runner) -> None:
    fresh = "not os.path.exists('a') and (not os.path.exists(__file__) or os.path.getsize(__file__) < 4000)"
    for _ in range(3):
        outcome = _run(bench, "x = 1\n", f"import tempfile; assert {fresh}; {leave}", runner)
        assert isinstance(outcome, Scored), outcome
        assert outcome.passed == 1, outcome
