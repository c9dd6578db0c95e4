"""Programs that misbehave: what is said of each, and how much it may take, beside what the corpus of attacks holds.

The ``bench`` fixture sees after every test that nothing is left.
"""

from __future__ import annotations

import time

import pytest

from cetd.sandbox.outcome import Crashed, Outcome, Scored, TimedOut
from tests.cetd.sandbox.conftest import Bench

pytestmark = pytest.mark.sandbox

TESTS = "from app import f\ndef test_one():\n    assert f() == 1\ndef test_two():\n    assert f() == 1\n"
FAIR = "\ndef f():\n    return 1\n"


def _scored(outcome: Outcome) -> Scored:
    assert isinstance(outcome, Scored), outcome
    return outcome


def _crashed(outcome: Outcome, reason: str) -> None:
    assert isinstance(outcome, Crashed), outcome
    assert reason in outcome.reason


# ------------------------------------------------------------------------------------------------ exhaustion


def test_running_for_ever_is_timed_out_in_time(bench: Bench) -> None:
    outcome = bench.run("while True: pass\n", TESTS, timeout_s=0.3)
    assert isinstance(outcome, TimedOut), outcome
    assert 0.3 <= outcome.seconds < 5


def test_the_cpu_limit_ends_a_run_before_its_wall_clock(bench: Bench) -> None:
    started = time.monotonic()
    outcome = bench.run("def f():\n    while True: pass\n", TESTS, timeout_s=30)
    assert isinstance(outcome, TimedOut), outcome
    assert time.monotonic() - started < 15


def test_processes_are_limited(bench: Bench) -> None:
    program = """
import os, time
def f():
    count = 0
    while True:
        try:
            if os.fork() == 0: time.sleep(99)
        except BlockingIOError:
            return count
        count += 1
"""
    assert _scored(bench.run(program, "from app import f\ndef test_x():\n    assert f() == 15\n")).passed == 1


def test_a_fork_bomb_that_gives_up_has_crashed(bench: Bench) -> None:
    _crashed(bench.run("import os\nwhile True: os.fork()\n", TESTS), "BlockingIOError")


def test_files_are_limited_in_size_and_in_sum(bench: Bench) -> None:
    program = """
import errno
def fill(files, mb):
    try:
        for i in range(files):
            with open(f"/tmp/{i}", "wb") as file:
                for _ in range(mb): file.write(bytes(1 << 20)); file.flush()
    except OSError as error:
        return errno.errorcode[error.errno]
"""
    tests = """
from app import fill
def test_one_file():
    assert fill(1, 5) == "EFBIG" or fill(1, 5) == "ENOSPC"
def test_many_files():
    assert fill(9, 1) == "ENOSPC"
"""
    assert _scored(bench.run(program, tests)).passed == 2


@pytest.mark.parametrize("where", ["", "def f():\n    "])
def test_a_gigabyte_of_output_is_dropped(bench: Bench, where: str) -> None:
    program = f"import os\n{where}any(os.write(1, bytes(1 << 20)) == 0 for _ in range(1024))\n"
    program += "    return 1\n" if where else FAIR
    outcome = bench.run(program, TESTS.replace("test_two", "unused"), timeout_s=20)
    assert _scored(outcome).passed == 1
    assert len(_scored(outcome).output) == 64 << 10


# ------------------------------------------------------------------------------------------------ ending early


def test_closing_every_descriptor_has_crashed(bench: Bench) -> None:
    _crashed(bench.run("import os\nos.closerange(0, 10000)" + FAIR, TESTS), "closed its channel")
    program = "import os, time\ndef f():\n    os.closerange(0, 10000)\n    time.sleep(99)\n"
    _crashed(bench.run(program, TESTS), "died or closed its channel in f")


@pytest.mark.parametrize("end", ["import sys; sys.exit(0)", "raise SystemExit", "exit = 1; raise SystemExit(0)"])
def test_leaving_at_import_has_crashed(bench: Bench, end: str) -> None:
    _crashed(bench.run(end + FAIR, TESTS), "SystemExit")


@pytest.mark.parametrize("end", ["sys.exit(0)", "raise SystemExit", "raise KeyboardInterrupt", "raise GeneratorExit"])
def test_leaving_within_a_call_is_an_error_of_its_test(bench: Bench, end: str) -> None:
    program = f"import sys\ndef f():\n    {end}\ndef g():\n    return 1\n"
    tests = "from app import f, g\ndef test_f():\n    f()\ndef test_g():\n    assert g() == 1\n"
    outcome = _scored(bench.run(program, tests))
    assert [test.outcome for test in outcome.tests] == ["error", "passed"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("import os; os._exit(0)", "exit status was 0"),
        ("import ctypes; ctypes.string_at(0)", "end was SIGSEGV"),
        ("import os; os.execv('/nowhere', ['x'])", "FileNotFoundError"),
        ("import os, sys; os.execv(sys.executable, ['x', '-c', 'pass'])", "exit status was"),
    ],
)
def test_ending_the_process_has_crashed(bench: Bench, end: str, reason: str) -> None:
    _crashed(bench.run(end + FAIR, TESTS), reason)


def test_ending_the_process_after_a_passed_test_has_crashed(bench: Bench) -> None:
    program = "import os\ncalls = []\ndef f():\n    calls.append(1)\n    return 1 if len(calls) < 2 else os._exit(0)\n"
    _crashed(bench.run(program, TESTS), "died or closed its channel in f: exit status was 0")
