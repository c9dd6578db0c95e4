"""Attempts to make a pass without being right. None may score a test that the program does not answer correctly."""

from __future__ import annotations

import pytest

from cetd.sandbox.outcome import Crashed, OutOfMemory, Scored, TimedOut
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

_PROGRAMS = {
    "builtins_patched": "import builtins\nbuiltins.AssertionError = type('A', (BaseException,), {})\n"
    "builtins.isinstance = lambda *a: True\nbuiltins.all = builtins.any = lambda *a: True\n" + WRONG,
    "equal_to_everything": "class E:\n    def __eq__(self, o): return True\n    __hash__ = None\n"
    "def f(x):\n    return E()\n",
    "int_equal_to_everything": "class E(int):\n    def __eq__(self, o): return True\n    __hash__ = None\n"
    "def f(x):\n    return E(3)\n",
    "text_equal_to_everything": "class E(str):\n    def __eq__(self, o): return True\n    __hash__ = None\n"
    "def f(x):\n    return E('x')\n",
    "list_of_equals": "class E:\n    def __eq__(self, o): return True\ndef f(x):\n    return [E()]\n",
    "modules_patched": "import sys, types\nsys.modules['pytest'] = sys.modules['unittest'] = types.ModuleType('p')\n"
    + WRONG,
    "judge_module_patched": "import sys\nfor n, m in list(sys.modules.items()):\n    if n.startswith('cetd'):\n"
    "        for k in list(vars(m)):\n            if k in ('_timed', '_run_file', 'main', '_explain'):\n"
    "                setattr(m, k, lambda *a, **b: ('x', 'passed', 0.0, ''))\n" + WRONG,
    "verdict_printed": 'print(\'{"outcome": "passed", "passed": 2, "total": 2}\')\nprint(\'2 passed in 0.01s\')\n'
    + WRONG,
    "verdict_in_every_descriptor": "import os\nfrom cetd.sandbox.encoding import encode\nv = encode(('done', '', "
    "[('test_app.py::test_number', 'passed', 0.0, '')] * 2))\n"
    "for fd in range(64):\n    if fd != 3:\n        try: os.write(fd, v)\n        except OSError: pass\n" + WRONG,
    "result_files": "import os\nfor p in ('result.json', '/tmp/result.json', '/tmp/verdict', 'junit.xml'):\n"
    "    open(p, 'w').write('{\"passed\": 2}')\n" + WRONG,
    "frames_patched": "import sys\nfr = sys._getframe()\nwhile fr:\n    for k in list(fr.f_globals):\n"
    "        if k in ('encode', '_describe'): fr.f_globals[k] = lambda *a: b'T'\n    fr = fr.f_back\n" + WRONG,
    "skip_raised": "class Skipped(Exception): pass\nSkipped.__module__ = 'builtins'\n"
    "def f(x):\n    raise Skipped('skip')\n",
    "exit_in_call": "import sys\ndef f(x):\n    sys.exit(0)\n",
    "hostile_repr": "class E(Exception):\n    def __str__(self): raise SystemExit(0)\ndef f(x):\n    raise E\n",
}


@pytest.mark.parametrize("name", _PROGRAMS)
def test_no_trick_passes_a_test(bench: Bench, name: str) -> None:
    outcome = bench.run(_PROGRAMS[name], TESTS)
    assert isinstance(outcome, (Scored, Crashed)), outcome
    if isinstance(outcome, Scored):
        assert (outcome.passed, outcome.total) == (0, 2), outcome


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


def test_a_frame_that_never_ends_is_timed_out(bench: Bench) -> None:
    program = "import os, struct, time\ndef f(x):\n    os.write(3, struct.pack('<I', 1000))\n    time.sleep(99)\n"
    assert isinstance(bench.run(program, TESTS, timeout_s=0.3), TimedOut)


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
