"""Attempts to make a pass without being right. None may score a test that the program does not answer correctly."""

from __future__ import annotations

import pytest

from cetd.data.app import Runner, Suite
from cetd.sandbox.outcome import Crashed, OutOfMemory, Scored
from tests.cetd.sandbox.conftest import Bench

pytestmark = pytest.mark.sandbox

RUNNERS: tuple[Runner, ...] = ("script", "pytest")

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


LIARS = """
class Number(float):
    def __sub__(self, other): return 0.0
    __rsub__ = __mod__ = __pow__ = __truediv__ = __isub__ = __sub__
class Nothing:
    def __sub__(self, other): return self
    __rsub__ = __isub__ = __add__ = __radd__ = __mul__ = __neg__ = __sub__
    def __pow__(self, other): return 2.0
    def __abs__(self): return 0.0
    __float__ = __round__ = __abs__
    def __len__(self): return 0
    def __iter__(self): return iter(())
class Zero:
    def __sub__(self, other): return 0
    __rsub__ = __and__ = __rxor__ = __mod__ = __truediv__ = __sub__
class Bag(set):
    def __sub__(self, other): return set()
    __xor__ = __rsub__ = __sub__
class Swallower:
    def __enter__(self): return self
    def __exit__(self, *raised): return True
    def wrong(self): return None
    def fail(self): raise ValueError
def f(x): return x()
"""
FORGERIES = [
    "assert abs(f(Number) - 41) < 1e-6",
    "assert abs(41 - f(Number)) < 1e-6",
    "assert f(Number) ** 0 == 0",
    "x = f(Number); x -= 41; assert x == 0",
    "import unittest; unittest.TestCase().assertAlmostEqual(f(Number), 41)",
    "import unittest; unittest.TestCase().assertAlmostEqual(f(Nothing), 41)",
    "import math; assert math.isclose(f(Number), 41)",
    "assert abs(f(Nothing) - 41) < 1e-6",
    "assert abs(41.5 - f(Nothing)) < 1e-6",
    "assert abs(-(f(Nothing) - 41)) < 1e-6",
    "assert f(Nothing) ** 2 == 2.0",
    "assert (f(Nothing) - 41) ** 2 < 1e-6",
    "assert sum((a - b) ** 2 for a, b in zip([f(Nothing)], [41])) < 1e-6",
    "assert round(f(Nothing) - 41, 6) == 0",
    "assert not f(Nothing) - 41",
    "import math; assert math.isclose(f(Nothing) - 41, 0)",
    "import datetime; assert not f(Nothing) - datetime.datetime(2020, 1, 1)",
    "x = f(Nothing); x -= 41; assert abs(x) == 0",
    "assert f(Zero) - 41 == 0",
    "assert f(Zero) % 41 == 0",
    "assert not f(Zero) & {1, 2}",
    "assert not {1, 2} ^ f(Zero)",
    "assert not {1, 2} - f(Bag) and not f(Bag) ^ {1, 2}",
    "with Swallower(): assert f(Number) == 41",
    "with Swallower() as it: assert it.wrong() + 1 == 41",
    "with Swallower() as it: it.fail(); assert False",
    "with Swallower(): int('x'); assert False",
]


@pytest.mark.parametrize("test", FORGERIES)
def test_an_object_cannot_answer_for_what_it_is_compared_with(bench: Bench, test: str) -> None:
    outcome = bench.run(LIARS, f"from app import *\ndef test_x():\n    {test}\n")
    assert isinstance(outcome, Scored), outcome
    assert outcome.passed == 0


HONEST = """
class Money:
    def __init__(self, cents): self.cents = cents
    def __add__(self, other): return Money(self.cents + getattr(other, "cents", other))
    __radd__ = __add__
    def __sub__(self, other): return Money(self.cents - getattr(other, "cents", other))
    def __mul__(self, n): return Money(self.cents * n) if isinstance(n, int) else NotImplemented
    __rmul__ = __mul__
    def __matmul__(self, other): return self.cents * other.cents
    def __eq__(self, other): return self.cents == other.cents if isinstance(other, Money) else NotImplemented
    def __abs__(self): return abs(self.cents)
    def __bool__(self): return self.cents != 0
class Title(str):
    def __add__(self, other): return Title(str(self).upper() + other)
class Other: pass
class Suppress:
    def __init__(self, kind): self.kind = kind
    def __enter__(self): return self
    def __exit__(self, kind, *_): return kind is self.kind
"""


def test_arithmetic_of_honest_objects_is_theirs(bench: Bench) -> None:
    tests = """
from app import *
assert Money(5) * 2 == Money(10) == 2 * Money(5)
assert sum([Money(1), Money(2)]) == Money(3) and (Money(1) + 2).cents == 3 and (Money(5) - Money(2)).cents == 3
assert abs(Money(-3)) == 3 and Money(2) @ Money(3) == 6 and Money(1) and not Money(0)
assert Title("a") + "b" == "Ab"
assert Money(1) != Other() and not Money(1) == Other() and Money(1) != 1
for wrong in (lambda: Money(1) * "x", lambda: "x" * Money(1), lambda: Money(1) @ 3):
    try: wrong()
    except (TypeError, AttributeError): pass
    else: assert False
with Suppress(KeyError): raise KeyError("k")
"""
    outcome = bench.run(HONEST, tests)
    assert isinstance(outcome, Scored), outcome
    assert outcome.passed == outcome.total == 6, outcome.tests


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_program_cannot_stand_in_for_what_tests_import_from_elsewhere(bench: Bench, runner: Runner) -> None:
    program = """
class pytest:
    approx = staticmethod(lambda x: Right())
class math:
    isclose = staticmethod(lambda *_: True)
class Right:
    def __eq__(self, other): return True
def abs(x): return 0
def close(*_): return True
def f(x): return Right()
"""
    test = """
import math, pytest
from math import isclose as close
from app import *
def test_a(): assert math.isclose(f(1), 41)
def test_b(): assert f(1) == pytest.approx(41)
def test_c(): assert abs(f(1)) == 0
def test_d(): assert close(f(1), 41)
"""
    test = test if runner == "pytest" else test.replace(", pytest", "").replace("== pytest.approx(41)", "== 41")
    outcome = bench.sandbox.run({"app.py": program}, Suite({"test_app.py": test}, runner, modules=("app.py",)))
    assert isinstance(outcome, Scored), outcome
    assert (outcome.passed, outcome.total) == (0, 4), outcome.tests


def test_a_program_does_not_hear_what_an_assertion_expected(bench: Bench) -> None:
    program = """
class Block:
    heard = ""
    def __enter__(self): return self
    def __exit__(self, kind, error, _): Block.heard = repr((kind, error))
def call(function):
    try: function(0)
    except AssertionError as error: return repr(error)
"""
    test = """
from app import Block, call
def check(x): assert x == 41, f"{x} is not 41"
def test_called():
    assert call(check) == "AssertionError()"
def test_block():
    try:
        with Block(): check(0)
    except AssertionError: pass
    assert Block.heard == "(<class 'AssertionError'>, AssertionError())"
"""
    outcome = bench.sandbox.run({"app.py": program}, Suite({"test_app.py": test}, "pytest"))
    assert isinstance(outcome, Scored), outcome
    assert outcome.passed == 2, outcome.tests


def test_a_program_cannot_end_a_session_before_its_other_tests(bench: Bench) -> None:
    program = """
class Stop(ValueError, KeyboardInterrupt): pass
class Leave(ValueError, SystemExit): pass
def f(x): raise x
def g(x): raise SyntaxError("m", ("a", 1, 1, "abc", 1, 10**9))
"""
    test = """
import pytest
from app import *
def test_0(): pass
@pytest.mark.skip
def test_1(): pass
def test_2(): f(Stop("x"))
def test_3(): f(Leave())
def test_4(): g(1)
def test_5(): pass
"""
    outcome = bench.sandbox.run({"app.py": program}, Suite({"test_app.py": test}, "pytest"))
    assert isinstance(outcome, Scored), outcome
    assert outcome.total == 5
    ends = {one.test_id[-1]: (one.outcome, one.message) for one in outcome.tests}
    assert ends["0"][0] == "passed"
    assert (ends["2"][1], ends["3"][1]) == ("program.Stop: x", "program.Leave")
    # A message that takes all memory ends the session: what it leaves are errors, not fewer tests.
    assert ends["5"] == ("error", "did not run")


def test_positions_of_proxies_are_not_believed(bench: Bench) -> None:
    program = """
import gc, os, struct
from cetd.sandbox.encoding import encode
refer = next(o for o in gc.get_objects() if type(o).__name__ == "Exports").refer
class Long(str):
    def __len__(self): return 1 << 50
def answer(number, value):
    data = struct.pack("<Q", number) + encode(value, refer=refer)
    os.write(3, struct.pack("<I", len(data)) + data)
def f(x):
    kind = "UnicodeEncodeError"
    answer(2, ("raise", kind, kind, ("ascii", Long("a"), 1 << 40, (1 << 40) + 1, "r"), "m", None, "", ""))
    while True:
        data = os.read(3, struct.unpack("<I", os.read(3, 4))[0])
        answer(struct.unpack("<Q", data[:8])[0], ("return", 1 << 50, [], "", ""))
"""
    outcome = bench.run(program, "from app import f\ndef test_x():\n    f(1)\n")
    assert isinstance(outcome, Scored), outcome
    assert outcome.tests[0].message.startswith("RemoteError: UnicodeEncodeError: m")
