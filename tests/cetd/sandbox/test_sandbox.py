"""What ordinary programs and tests come to."""

from __future__ import annotations

import os
import threading
import time

import pytest

from cetd.sandbox.outcome import Crashed, OutOfMemory, Scored, TimedOut, Unscored
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import Bench, limits

pytestmark = pytest.mark.sandbox


def _scored(outcome: object) -> Scored:
    assert isinstance(outcome, Scored), outcome
    return outcome


def test_counts_passed_failed_and_raised(bench: Bench) -> None:
    tests = """
from app import double
def test_right():
    assert double(2) == 4
def test_wrong():
    assert double(3) == 7
def test_raises():
    double(None)
"""
    outcome = _scored(bench.run("def double(x):\n    return x * 2 if x is not None else x + 1\n", tests))
    assert (outcome.passed, outcome.total) == (1, 3)
    assert [(test.test_id, test.outcome) for test in outcome.tests] == [
        ("test_app.py::test_right", "passed"),
        ("test_app.py::test_wrong", "failed"),
        ("test_app.py::test_raises", "error"),
    ]
    assert outcome.tests[1].message == "assert double(3) == 7"
    assert outcome.tests[2].message.startswith("TypeError: unsupported operand")
    assert 0 < outcome.seconds < 5


def test_exceptions_arrive_as_their_builtin_class(bench: Bench) -> None:
    program = """
class Odd(ValueError):
    pass
def find(key):
    raise KeyError(key)
def odd():
    raise Odd("odd")
"""
    tests = """
from app import find, odd
def test_key():
    try:
        find("k")
    except KeyError as error:
        assert error.args == ("k",)
def test_subclass():
    try:
        odd()
    except ValueError as error:
        assert str(error) == "odd"
"""
    assert _scored(bench.run(program, tests)).passed == 2


def test_arguments_changed_in_place_are_changed_for_the_test(bench: Bench) -> None:
    program = """
def put(items, seen, table):
    items.append(1); seen.add(2); table["a"] = 3
"""
    tests = """
from app import put
def test_changes():
    items, seen, table = [], set(), {}
    assert put(items, seen, table) is None
    assert (items, seen, table) == ([1], {2}, {"a": 3})
"""
    assert _scored(bench.run(program, tests)).passed == 1


def test_programs_of_several_modules_constants_and_data_files(bench: Bench) -> None:
    program = {
        "pkg/__init__.py": "from pkg.inner import LIMIT\n",
        "pkg/inner.py": "LIMIT = [1, 2]\ndef read():\n    return open('data/words.txt').read()\n",
        "data/words.txt": "one two",
    }
    tests = {
        "test_pkg.py": "import pkg\nfrom pkg.inner import read\nfrom known import WORDS\n"
        "def test_all():\n    assert pkg.LIMIT == [1, 2]\n    assert read() == WORDS\n",
        "known.py": "WORDS = 'one two'\n",
    }
    assert _scored(bench.sandbox.run(program, tests)).passed == 1


def test_output_is_kept_up_to_its_limit_and_a_megabyte_of_it_still_passes(bench: Bench) -> None:
    program = "def shout():\n    print('x' * 2**20)\n    return 1\n"
    outcome = _scored(bench.run(program, "from app import shout\ndef test_it():\n    assert shout() == 1\n"))
    assert outcome.passed == 1
    assert outcome.output == "x" * (64 << 10)


def test_both_output_streams_are_kept(bench: Bench) -> None:
    program = "import sys\ndef say():\n    print('out')\n    print('err', file=sys.stderr)\n"
    outcome = _scored(bench.run(program, "from app import say\ndef test_it():\n    say()\n"))
    assert sorted(outcome.output.split()) == ["err", "out"]


def test_a_copy_of_the_output_held_by_another_process_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = []
    real = os.pipe2

    def copied(flags: int) -> tuple[int, int]:
        read, write = real(flags)
        copies.append(os.dup(write))
        return read, write

    monkeypatch.setattr(os, "pipe2", copied)
    outcome = bench.run("print('said')\n", "import app\ndef test_it():\n    pass\n")
    monkeypatch.undo()
    os.close(*copies)
    assert _scored(outcome).output == "said\n"


def test_an_interrupt_during_a_run_does_not_confuse_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(limits()) as sandbox:
        monkeypatch.setattr("cetd.sandbox.sandbox._await_done", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            sandbox.run({"app.py": ""}, {"test_app.py": "def test_one():\n    pass\n"})
        monkeypatch.undo()
        outcome = sandbox.run({"app.py": ""}, {"test_app.py": "def test_two():\n    pass\n"})
        assert _scored(outcome).tests[0].test_id == "test_app.py::test_two"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def f(:\n", "SyntaxError"),
        ("import missing\n", "ModuleNotFoundError: No module named 'missing'"),
        ("x = 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("\x00", "null bytes"),
        ("x = '\ud800'\n", "UnicodeEncodeError"),
    ],
)
def test_a_program_that_cannot_be_loaded_has_crashed(bench: Bench, program: str, reason: str) -> None:
    outcome = bench.run(program, "import app\ndef test_it():\n    pass\n")
    assert isinstance(outcome, Crashed), outcome
    assert reason in outcome.reason


def test_a_missing_function_fails_every_test_of_the_file(bench: Bench) -> None:
    tests = "from app import absent\ndef test_a():\n    pass\ndef test_b():\n    pass\n"
    outcome = _scored(bench.run("present = 1\n", tests))
    assert (outcome.passed, outcome.total) == (0, 2)
    assert "cannot import name 'absent'" in outcome.tests[0].message


def test_recursion_without_end_is_an_error_of_its_test_only(bench: Bench) -> None:
    program = "def down(x):\n    return down(x)\ndef fine():\n    return 1\n"
    tests = "from app import down, fine\ndef test_a():\n    down(1)\ndef test_b():\n    assert fine() == 1\n"
    outcome = _scored(bench.run(program, tests))
    assert [test.outcome for test in outcome.tests] == ["error", "passed"]


def test_threads_and_child_processes_of_a_fair_program_work(bench: Bench) -> None:
    program = """
import os, threading
def work():
    done = []
    threads = [threading.Thread(target=done.append, args=(i,)) for i in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, b"child"); os._exit(0)
    os.wait()
    return sorted(done), os.read(read, 10)
"""
    tests = "from app import work\ndef test_it():\n    assert work() == (list(range(8)), b'child')\n"
    assert _scored(bench.run(program, tests)).passed == 1


def test_the_same_program_draws_and_orders_alike_in_every_run() -> None:
    program = {"app.py": "import random\ndef draw():\n    return random.random(), list({'a', 'b', 'c', 'd', 'e'})\n"}
    tests = {"test_app.py": "from app import draw\ndef test_it():\n    raise ValueError(draw())\n"}
    messages = set()
    for _ in range(2):
        with Sandbox(limits()) as sandbox:
            messages.add(_scored(sandbox.run(program, tests)).tests[0].message)
    assert len(messages) == 1


def test_runs_of_one_app_share_nothing_but_the_compiled_tests(bench: Bench) -> None:
    tests = {
        "test_app.py": "import random, known\nfrom app import value\nknown.SEEN.append(1)\n"
        "def test_x():\n    assert known.SEEN == [1]\n    raise ValueError(value(), random.random())\n",
        "known.py": "SEEN = []\n",
    }
    messages = []
    for number in (1, 2, 1):
        outcome = _scored(bench.sandbox.run({"app.py": f"def value():\n    return {number}\n"}, tests))
        messages.append(outcome.tests[0].message)
    assert messages[0] == messages[2] != messages[1]
    assert messages[0].replace("(1,", "(2,") == messages[1]


@pytest.mark.parametrize("tests", ["def test_x(:\n", "x = 1\n", ""])
def test_tests_that_cannot_run_are_not_the_programs_fault(bench: Bench, tests: str) -> None:
    outcome = bench.run("x = 1\n", tests)
    assert isinstance(outcome, Unscored), outcome
    assert outcome.reason.startswith("tests: ")
    assert "test_app.py" in outcome.reason


def test_a_test_of_the_apps_own_that_hangs_is_timed_out(bench: Bench) -> None:
    assert isinstance(bench.run("x = 1\n", "def test_x():\n    while True: pass\n", timeout_s=0.2), TimedOut)


def test_memory_within_the_limit_passes_and_beyond_it_does_not(bench: Bench) -> None:
    program = "def take(mb):\n    return len(bytearray(mb << 20))\n"
    assert _scored(bench.run(program, "from app import take\ndef test_x():\n    assert take(100)\n")).passed == 1
    assert isinstance(bench.run(program, "from app import take\ndef test_x():\n    take(200)\n"), OutOfMemory)


def test_slots_run_at_once_and_further_runs_wait() -> None:
    program, tests = {"a.py": "import time\nnap = time.sleep\n"}, {"t.py": "import a\ndef test_n():\n    a.nap(0.6)\n"}
    with Sandbox(limits(slots=2)) as sandbox:
        outcomes = []
        threads = [threading.Thread(target=lambda: outcomes.append(sandbox.run(program, tests))) for _ in range(4)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - started
    assert [_scored(outcome).passed for outcome in outcomes] == [1] * 4
    assert 1.2 <= took < 2.4


def test_a_closed_sandbox_says_so() -> None:
    sandbox = Sandbox(limits())
    sandbox.close()
    with pytest.raises(RuntimeError, match="closed"):
        sandbox.run({"a.py": ""}, {"t.py": "def test_a(): pass"})
