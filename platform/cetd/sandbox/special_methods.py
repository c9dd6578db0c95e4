"""The special methods of proxies: what an operator, a comparison or a built-in does with an object of the program.

A comparison with a value of the tests is never forwarded: who is asked whether an expected value equals his own can
always say yes. Proxies of subclasses of plain types compare as the plain values that they are; two objects of the
program compare as the program says. Nor is arithmetic with a number, a time or a set of the tests left to the program:
``f(x) - expected`` says what was expected, and whose object it makes can be as near to nothing as is asked. On what a
plain type holds it is that type's; else it may come to an object of the program, which is never turned into a number.
Runs inside the sandbox, in the judge: standard library only.
"""

from __future__ import annotations

import datetime
import opcode
import operator
from collections.abc import Callable, Collection
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cetd.sandbox.remote_objects import RemoteObject

# Plain types whose instances keep their value where they go: proxies are built on them.
IMMUTABLE: dict[str, Any] = {kind.__name__: kind for kind in (int, float, complex, str, bytes, tuple, frozenset)}
_ARITHMETIC = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift", "and")
_ARITHMETIC += ("xor", "or")
_CALCULATING = {f"__{sign}{name}__" for name in _ARITHMETIC for sign in ("", "r", "i")}
# What makes a number or a truth of an object.
_MEASURING = {f"__{name}__" for name in ("abs", "bool", "int", "float", "complex", "index", "round")}
_MEASURING |= {f"__{name}__" for name in ("trunc", "floor", "ceil")}
_TURNING = {"__neg__", "__pos__", "__invert__"}
_ASKED = {f"__{name}__" for name in ("len", "iter", "next", "reversed", "getitem", "setitem", "delitem", "call")}
_ASKED |= {"__enter__", "__str__", "__repr__", "__format__", "__bytes__"}
_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")
_RAISE = opcode.opmap["RAISE_VARARGS"]
# What has a distance, or a difference, to what is expected.
_NUMBERS = (int, float, complex, Decimal, Fraction, datetime.date, datetime.time, datetime.timedelta)
_SETS = (set, frozenset)


def special_methods(wanted: Collection[str], ancestors: Collection[type], *, mutable: bool) -> dict[str, Any]:
    """The special methods of a proxy's class by name: of those that the program's class has, the ones of a closed set.

    ``ancestors`` are those of the proxy's class; ``mutable`` says that it is built on a list, a dict or the like.
    """
    plain = next((step for step in ancestors if step in IMMUTABLE.values()), None)
    wanted = set(wanted)
    body: dict[str, Any] = {name: _forwarding(name) for name in wanted & (_ASKED | _MEASURING | _TURNING)}
    body |= {name: _calculating(name, plain) for name in wanted & _CALCULATING}
    if plain:
        body |= {name: getattr(plain, name) for name in (*_COMPARISONS, "__hash__") if hasattr(plain, name)}
    elif mutable:
        body |= {name: _by_value(name) for name in _COMPARISONS} | {"__hash__": None}
    elif BaseException not in ancestors:
        body |= {name: _between_objects(name) for name in wanted.intersection(_COMPARISONS)}
        body["__hash__"] = _forwarding("__hash__") if "__hash__" in wanted else object.__hash__
    if BaseException in ancestors:  # said when it was raised: asking may raise again
        body |= {"__str__": _message, "__repr__": BaseException.__repr__}
    if "__exit__" in wanted:
        body["__exit__"] = _exit
    if "__len__" in wanted and "__bool__" not in wanted and not plain:
        body["__bool__"] = _truth
    if "__contains__" in wanted and not plain:
        body["__contains__"] = _contains
    return body


def _forwarding(name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        if name in _MEASURING and _is_told(self):
            raise TypeError(f"{name} of what came of an object of the program and a value of its tests")
        answer = self._cetd_ask("method", self, name, arguments, named)
        if name in _TURNING and _is_told(self):
            return _tell(answer, name)
        return answer

    return method


def _truth(self: Any) -> bool:
    if _is_told(self):
        raise TypeError("the truth of what came of an object of the program and a value of its tests")
    return len(self) > 0


def _exit(self: Any, kind: Any, error: Any, traceback: Any) -> bool:
    swallowed = self._cetd_ask("method", self, "__exit__", (kind, error, None), {})  # the traceback stays here
    return bool(swallowed) and _is_raised_by_test(error, traceback)


def _is_raised_by_test(error: Any, traceback: Any) -> bool:
    """Whether the block itself raised it on purpose; who may swallow more can end a test before it fails."""
    if traceback is None or traceback.tb_next or not isinstance(error, Exception) or isinstance(error, AssertionError):
        return False
    return traceback.tb_frame.f_code.co_code[traceback.tb_lasti] == _RAISE


def _calculating(name: str, plain: Any) -> Callable[..., Any]:
    """A binary operation of a class that is built on the immutable type ``plain``, or on none."""
    held = getattr(plain, name, None)

    def method(self: Any, other: Any, *modulus: Any) -> Any:
        is_value = isinstance(other, _NUMBERS + _SETS) and not isinstance(other, RemoteObject)
        if is_value and held:
            return held(self, other, *modulus)
        if isinstance(other, _SETS) and is_value:
            return _with_set(self, name, other)
        answer = self._cetd_ask("method", self, name, (other, *modulus), {})
        if answer is NotImplemented or not (is_value or _is_told(self) or _is_told(other)):
            return answer
        return _tell(answer, name)

    return method


def _tell(answer: Any, name: str) -> Any:
    if not isinstance(answer, RemoteObject) or isinstance(answer, tuple(IMMUTABLE.values())):
        raise TypeError(f"{name} of an object of the program and a value of its tests comes to a plain value")
    vars(answer)["_told"] = True
    return answer


def _with_set(self: Any, name: str, other: Any) -> Any:
    value = self._cetd_ask("value", self) if self._cetd_is_mutable else None
    return getattr(type(value), name)(value, other) if type(value) in _SETS else NotImplemented


def _is_told(value: Any) -> bool:
    """Whether an object came of one of the program's and a value of the tests."""
    return isinstance(value, RemoteObject) and "_told" in vars(value)


def _by_value(name: str) -> Callable[[Any, Any], Any]:
    """A comparison of what an object built on a mutable plain type holds now."""
    compare = getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        held = other._cetd_ask("value", other) if getattr(type(other), "_cetd_is_mutable", False) else other
        return compare(self._cetd_ask("value", self), held)

    return method


def _between_objects(name: str) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, RemoteObject) and not isinstance(other, tuple(IMMUTABLE.values())):
            return self._cetd_ask("method", self, name, (other,), {})
        return NotImplemented

    return method


def _message(self: Any) -> str:
    return vars(self).get("_message", "")


def _contains(self: Any, item: Any) -> bool:
    if isinstance(item, RemoteObject):
        return bool(self._cetd_ask("method", self, "__contains__", (item,), {}))
    return any(item is one or item == one for one in self)
