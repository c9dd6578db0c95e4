"""Objects, classes, functions and iterators that cross between a program and its tests."""

from __future__ import annotations

import pytest

from cetd.sandbox.outcome import Crashed, Scored
from tests.cetd.sandbox.conftest import Bench

pytestmark = pytest.mark.sandbox

PROGRAM = """
import asyncio, collections, dataclasses, enum, functools

class Stack(list):
    def top(self): return self[-1]

class Coded(ValueError):
    def __init__(self, code): super().__init__(f"code {code}"); self.code = code

class Colour(enum.Enum):
    RED = 1
    BLUE = 2

class Level(enum.IntEnum):
    LOW = 1

Point = collections.namedtuple("Point", "x y")

@dataclasses.dataclass
class Item:
    name: str
    n: int = 0
    @property
    def twice(self): return 2 * self.n
    def add(self, k): self.n += k; return self
    @classmethod
    def make(cls): return cls("made", 7)

class Vec:
    def __init__(self, x): self.x = x
    def __add__(self, other): return Vec(self.x + other.x)
    def __eq__(self, other): return isinstance(other, Vec) and self.x == other.x
    def __len__(self): return self.x
    def __iter__(self): return iter(range(self.x))
    def __getitem__(self, index): return index * 2
    def __str__(self): return f"Vec({self.x})"
    def __enter__(self): return self
    def __exit__(self, *raised): self.x = -1; return raised[0] is KeyError

class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __gt__(self, other): return True
    def __contains__(self, item): return True
    def __iter__(self): return iter([])

class Liar(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__

def count(n):
    for i in range(n): yield i
def fail(): raise Coded(3)
class Group(ExceptionGroup): pass
def many(): raise Group("two", [ValueError(1), KeyError(2)])
def leave(): raise type("Quit", (SystemExit,), {})
def apply(function, *arguments): return function(*arguments)
def mapped(function, items): return [function(x) for x in items]
def adder(n): return lambda x: x + n
def one_more(function):
    @functools.wraps(function)
    def inner(*arguments): return function(*arguments) + 1
    return inner
async def later(x): await asyncio.sleep(0.001); return x
def say(): print("hello")
def part(): return 1
def whole(): return part() + 1
DEFAULT = Item("d")
@functools.lru_cache
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
"""
HEAD = "import app\nfrom app import *\n"
TESTS = {
    "a subclass of list": """
    stack = Stack(); stack.append(3)
    assert stack.top() == 3 and stack == [3] and len(stack) == 1 and stack[0] == 3 and 3 in stack
    assert stack != [1] and Stack([1]) == Stack([1]) and isinstance(stack, Stack)
""",
    "an exception with a code": """
    for kind in (Coded, ValueError):
        try: fail()
        except kind as error: assert (error.code, str(error), error.args) == (3, "code 3", ("code 3",))
        else: assert False
    assert issubclass(Coded, ValueError)
""",
    "enumerations": """
    assert Colour.RED.name == "RED" and Colour(1) is Colour.RED and Colour["BLUE"] == Colour.BLUE
    assert list(Colour) == [Colour.RED, Colour.BLUE] and len(Colour) == 2 and {Colour.RED: 1}[Colour.RED] == 1
    assert Level.LOW == 1 and Level.LOW.name == "LOW" and Level.LOW + 1 == 2
""",
    "named tuples": """
    point = Point(1, 2)
    x, y = point
    assert point == (1, 2) and point.x == 1 and y == 2 and point._replace(x=5) == (5, 2)
""",
    "data classes": """
    item = Item("a")
    item.add(2).add(3)
    assert item.n == 5
    item.n = 9
    assert item.twice == 18 and Item("a", 1) == Item("a", 1) != Item("a", 2) and Item.make().n == 7
    assert DEFAULT.name == "d" and repr(item) == "Item(name='a', n=9)"
""",
    "special methods": """
    total = Vec(1) + Vec(2)
    assert total == Vec(3) and len(total) == 3 and list(total) == [0, 1, 2] and total[4] == 8 and f"{total}" == "Vec(3)"
    with Vec(2) as inner: pass
    assert inner.x == -1
    with Vec(2): raise KeyError("swallowed")
""",
    "copies": """
    import copy
    first = Item("a"); second = copy.deepcopy(first); second.n = 1
    assert first.n == 0 and copy.copy(second) == second
""",
    "generators": """
    assert list(count(3)) == [0, 1, 2]
    some = count(1)
    assert next(some) == 0 and next(some, "end") == "end"
""",
    "functions of the tests": """
    assert apply(lambda a, b: a * b, 3, 4) == 12 and mapped(lambda x: x + 1, (i for i in range(3))) == [1, 2, 3]
    seen = []
    def note(x): seen.append(x); return x
    assert apply(note, 4) == 4 and seen == [4]
    def again(n): return 0 if n == 0 else apply(again, n - 1) + 1
    assert apply(again, 5) == 5 and apply(apply, lambda: 5) == 5
    def bad(): raise KeyError("k")
    try: apply(bad)
    except KeyError as error: assert error.args == ("k",)
    else: assert False
""",
    "functions of the standard library": """
    import functools, operator
    assert apply(operator.add, 1, 2) == 3 and apply(str.upper, "x") == "X" and mapped(int, iter(["1"])) == [1]
    assert apply(functools.partial(max, 3), 2) == 3
""",
    "closures and decorators": """
    @one_more
    def same(x): return x
    assert adder(2)(3) == 5 and same(1) == 2 and apply(adder(1), 1) == 2 and apply(app.part) == 1
""",
    "coroutines": """
    import asyncio
    assert asyncio.run(later(4)) == 4
""",
    "captured output": """
    import contextlib, io
    with contextlib.redirect_stdout(io.StringIO()) as out: say()
    assert out.getvalue() == "hello\\n"
""",
    "a replaced function": """
    before = app.part
    app.part = lambda: 10
    assert app.whole() == 11
    app.part = before
    assert app.whole() == 2
""",
    "attributes of functions": "    assert fib(10) == 55 and fib.cache_info()[1] == 11\n",
    "an object that says yes to everything": """
    yes = Yes()
    assert not yes == 41 and yes != 41 and 5 not in yes and Liar(1) != 2 and Liar(1) == 1 and not [yes] == [41]
    for compare in (lambda: yes < 3, lambda: 3 > yes):
        try: compare()
        except TypeError: pass
        else: assert False
""",
    "leaving by a class of its own": """
    try: leave()
    except Exception as error: assert type(error).__name__ == "RemoteError" and "Quit" in str(error)
""",
    "groups of exceptions": """
    try: many()
    except ExceptionGroup as group: one, other = group.exceptions
    assert isinstance(one, ValueError) and isinstance(other, KeyError) and not isinstance(one, KeyError)
""",
    "subclasses made by tests": """
    try: type("Mine", (Item,), {})
    except TypeError: pass
    else: assert False
""",
}


@pytest.mark.parametrize("what", TESTS)
def test_what_crosses(bench: Bench, what: str) -> None:
    outcome = bench.run(PROGRAM, f"{HEAD}def test_it():\n{TESTS[what].lstrip(chr(10))}")
    assert isinstance(outcome, Scored), outcome
    assert outcome.passed == 1, outcome.tests


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("('class', 1, 'A', (('builtin', 'ValueError'), 5), ())", "malformed"),
        ("('class', 1, 'not a name', (), ())", "wrong shape"),
        ("('class', 1, 'A', (('builtin', 'int'), ('builtin', 'str')), ())", "cannot be"),
        ("('object', 1, ('class', 2, 'A', (), ()), ('int', 41))", "does not fit"),
        ("('object', 1, ('class', 2, 'A', (('builtin', 'int'),), ()), None)", "does not fit"),
        ("('object', 2, ('class', 2, 'A', (), ()), None)", "wrong shape"),
        ("('yours', 7)", "no known kind"),
        ("('named', 'builtins', 'eval')", "no known kind"),
        ("5", "a reference where"),
    ],
)
def test_references_that_no_honest_program_sends_hurt_their_sender_only(bench: Bench, made: str, reason: str) -> None:
    program = f"""
import os, struct
from cetd.sandbox.encoding import encode
def f():
    answer = encode(("return", "HERE", [], "", "")).replace(encode("HERE"), b"R" + encode({made}))
    data = struct.pack("<Q", 2) + answer
    os.write(3, struct.pack("<I", len(data)) + data)
"""
    outcome = bench.run(program, "from app import f\ndef test_x():\n    f()\n")
    assert isinstance(outcome, Crashed), outcome
    assert reason in outcome.reason


def test_requests_of_the_program_reach_only_what_tests_have_lent(bench: Bench) -> None:
    program = """
import os, struct
from cetd.sandbox.encoding import encode
def f(request, function=None):
    data = struct.pack("<Q", 0) + encode(request)
    os.write(3, struct.pack("<I", len(data)) + data)
"""
    for request in ("('call', 0, (), {})", "('call', -1, (), {})", "('next', 5)", "('get', 0, 'x')", "7"):
        outcome = bench.run(program, f"from app import f\ndef test_x():\n    f({request})\n")
        assert isinstance(outcome, Crashed), outcome
        assert "a request of the wrong shape" in outcome.reason


def test_the_names_of_an_objects_attributes_are_the_programs(bench: Bench) -> None:
    program = """
class Board:
    _is_mutable = "no"
    def __init__(self): self._number, self._place, self._instead_of = 7, "here", None
    def _ask(self): return "asked"
"""
    tests = """
from app import Board
def test_it():
    board = Board()
    assert (board._number, board._place, board._instead_of, board._ask()) == (7, "here", None, "asked")
    assert (Board._is_mutable, board._is_mutable) == ("no", "no")
    board._number = 8
    assert board._number == 8
"""
    outcome = bench.run(program, tests)
    assert isinstance(outcome, Scored), outcome
    assert (outcome.passed, outcome.total) == (1, 1), outcome
