"""Programs that misbehave: what each comes to and, in the ``bench`` fixture after every test, that nothing is left."""

from __future__ import annotations

import os
import time

import pytest

from cetd.sandbox.outcome import Crashed, Outcome, OutOfMemory, Scored, TimedOut
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


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass\n",
        "def f():\n    while True: pass\n",
        "import time\ndef f():\n    time.sleep(1000)\n",
        "import signal, time\n[signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 19)]\n"
        "time.sleep(1000)\n",
        "import re\ndef f():\n    return re.match('(a+)+$', 'a' * 60 + 'b')\n",
        "def f():\n    return 7 ** 7 ** 9\n",
    ],
)
def test_running_for_ever_is_timed_out(bench: Bench, program: str) -> None:
    outcome = bench.run(program, TESTS, timeout_s=0.3)
    assert isinstance(outcome, TimedOut), outcome
    assert 0.3 <= outcome.seconds < 5


def test_the_cpu_limit_ends_a_run_before_its_wall_clock(bench: Bench) -> None:
    started = time.monotonic()
    outcome = bench.run("def f():\n    while True: pass\n", TESTS, timeout_s=30)
    assert isinstance(outcome, TimedOut), outcome
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    "program",
    [
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n",
        "import os\ndef f():\n    while True:\n        try: os.fork()\n        except OSError: pass\n",
        "import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(99,)).start()\n"
        "    except RuntimeError: pass\n",
    ],
)
def test_forking_without_end_is_timed_out(bench: Bench, program: str) -> None:
    outcome = bench.run(program, TESTS, timeout_s=0.5)
    assert isinstance(outcome, TimedOut), outcome


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


@pytest.mark.parametrize(
    "program",
    [
        "x = []\nwhile True: x.append(bytearray(1 << 20))\n",
        "def f():\n    x = []\n    while True: x.append([0] * 1000)\n",
        "def f():\n    return 'x' * (1 << 40)\n",
    ],
)
def test_allocating_without_end_is_out_of_memory(bench: Bench, program: str) -> None:
    outcome = bench.run(program, TESTS, timeout_s=5)
    assert isinstance(outcome, OutOfMemory), outcome


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


def test_closing_stdout_does_no_harm(bench: Bench) -> None:
    assert _scored(bench.run("import sys, os\nsys.stdout.close()\nos.close(1)" + FAIR, TESTS)).passed == 2


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


def test_signals_reach_no_process_of_ours(bench: Bench) -> None:
    program = """
import os, signal
def kill():
    said = []
    for pid in (os.getppid(), -1, 2, 3, 4, 5, 6, 7, 8, 9, 10):
        try:
            os.kill(pid, signal.SIGKILL); said.append("sent")
        except OSError as error:
            said.append(type(error).__name__)
    return os.getppid(), set(said[1:])
"""
    # 0 is what getppid says of a parent in another namespace; killing group 0 is killing oneself, from which the first
    # process of a namespace is safe.
    tests = "from app import kill\ndef test_x():\n    assert kill() == (0, {'ProcessLookupError'})\n"
    assert _scored(bench.run(program, tests)).passed == 1


# ------------------------------------------------------------------------------------------------ outliving


def test_a_daemon_ends_with_its_run(bench: Bench) -> None:
    program = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(0.01)
            open("/tmp/late", "a").write("x")
    os._exit(0)
"""
    assert _scored(bench.run(program + FAIR, TESTS)).passed == 2


def test_threads_and_exit_handlers_do_not_hold_a_run_up(bench: Bench) -> None:
    program = """
import atexit, threading, time
atexit.register(time.sleep, 99)
threading.Thread(target=time.sleep, args=(99,)).start()
"""
    outcome = _scored(bench.run(program + FAIR, TESTS))
    assert outcome.passed == 2
    assert outcome.seconds < 5


def test_files_and_shared_memory_end_with_their_run(bench: Bench) -> None:
    program = """
import os
def places():
    written = []
    python = os.path.dirname(os.__file__)
    for folder in ("/", "/tmp", "/dev", "/dev/shm", "/proc", "/root", "/home", "/var/tmp", python):
        try:
            open(folder + "/mark", "w").write("x"); written.append(folder)
        except OSError:
            pass
    return written
"""
    tests = "from app import places\ndef test_x():\n    assert places() == ['/tmp']\n"
    for _ in range(2):
        assert _scored(bench.run(program, tests)).passed == 1


def test_modules_patched_by_a_program_are_whole_in_the_next_run(bench: Bench) -> None:
    patch = (
        "import math, builtins, sys\nmath.sqrt = lambda x: 1\nbuiltins.len = lambda x: 1\nsys.modules['re'] = None\n"
    )
    assert isinstance(bench.run(patch + FAIR, TESTS), (Scored, Crashed))
    program = "import math, re\ndef f():\n    return int(math.sqrt(4)) - len(re.findall('a', 'a'))\n"
    assert _scored(bench.run(program, TESTS)).passed == 2


def test_our_process_keeps_no_descriptors_of_runs(bench: Bench) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for program in ("import os\nos._exit(1)\n", "while True: pass\n", "x = 1\n" + FAIR):
        bench.run(program, TESTS, timeout_s=0.2)
    assert len(os.listdir("/proc/self/fd")) == before
