"""Attempts to make a pass without being right. None may score a test that the program does not answer correctly."""

from __future__ import annotations

import pytest

from cetd.sandbox.outcome import Crashed, OutOfMemory, Scored
from tests.cetd.sandbox.conftest import Bench

pytestmark = pytest.mark.sandbox

TESTS = """
from app import f
def test_number():
    assert f(20) == 41
def test_text():
    assert f("a") == "b" and isinstance(f("a"), str)
"""
WRONG = "\ndef f(x):\n    return 0\n"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("b'garbage that is no frame' * 100", "limit"),
        ("b'\\xff' * 8", "limit"),
        ("b'\\x00\\x00\\x00\\x00'", "out of sequence"),
        ("struct.pack('<IQ', 9, 999) + b'T'", "out of sequence"),
        ("struct.pack('<IQ', 9, 2) + b'T'", "wrong shape"),
        ("struct.pack('<IQ', 9, 2) + b'?'", "does not decode"),
        ("struct.pack('<IQ', 8, 2)", "does not decode"),
    ],
)
def test_garbage_on_the_channel_hurts_its_writer_only(bench: Bench, payload: str, reason: str) -> None:
    program = f"import os, struct\ndef f(x):\n    os.write(3, {payload})\n    return 41\n"
    outcome = bench.run(program, TESTS)
    assert isinstance(outcome, Crashed), outcome
    assert reason in outcome.reason


def test_answers_changed_in_shape_are_refused(bench: Bench) -> None:
    program = """
import os, struct
from cetd.sandbox.encoding import encode
answers = [("return", 41, [(0, [])]), ("return", 41, [("x", 1)]), ("return",), ("raise", 1, 2, 3, 4), 5]
def f(number):
    data = struct.pack("<Q", 2) + encode(answers[number])
    os.write(3, struct.pack("<I", len(data)) + data)
"""
    for number in range(5):
        outcome = bench.run(program, f"from app import f\ndef test_x():\n    f({number})\n")
        assert isinstance(outcome, Crashed), outcome
        assert "wrong shape" in outcome.reason


def test_no_program_can_end_itself_as_if_from_outside(bench: Bench) -> None:
    program = """
import ctypes, os, resource, signal, time
def attempt(what):
    try: what()
    except (OSError, ValueError): pass
for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_STACK, resource.RLIMIT_NPROC):
    attempt(lambda: resource.setrlimit(limit, (0, 0)))
    attempt(lambda: resource.prlimit(0, limit, (0, 0)))
libc = ctypes.CDLL(None)
libc.prctl(22, 1, 0, 0, 0)  # strict seccomp
libc.prctl(1, 9, 0, 0, 0)  # SIGKILL at the parent's death
os.kill(os.getpid(), 9); os.kill(0, 9)
end = time.monotonic() + 0.2
while time.monotonic() < end: pass
"""
    for end in ("", "import os\nos._exit(0)\n", "import os\nos.abort()\n"):
        outcome = bench.run(program + end + WRONG, TESTS)
        assert isinstance(outcome, (Scored, Crashed, OutOfMemory)), outcome
        assert not isinstance(outcome, Scored) or outcome.passed == 0


def test_a_test_that_catches_everything_cannot_hide_a_death(bench: Bench) -> None:
    tests = "from app import f\ndef test_x():\n    try:\n        f(1)\n    except BaseException:\n        pass\n"
    assert isinstance(bench.run("import os\ndef f(x):\n    os._exit(0)\n", tests), Crashed)


def test_a_huge_answer_is_an_error_of_its_test(bench: Bench) -> None:
    outcome = bench.run("def f(x):\n    return bytes(5 << 20)\n", TESTS)
    assert isinstance(outcome, Scored), outcome
    assert [test.outcome for test in outcome.tests] == ["error", "error"]
    assert "takes more than" in outcome.tests[0].message
