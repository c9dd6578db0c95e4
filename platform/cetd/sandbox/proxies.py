"""The program's objects as tests see them: proxies that forward to the candidate.

A comparison with a value of the tests is never forwarded: who is asked whether an expected value equals his own can
always say yes. Proxies of subclasses of plain types compare as the plain values that they are; two objects of the
program compare as the program says. Nor is arithmetic with a number, a time or a set of the tests left to the program:
``f(x) - expected`` says what was expected, and whose object it makes can be as near to nothing as is asked. On what a
plain type holds it is that type's; else it may come to an object of the program, which is never turned into a number.
Descriptions of classes that arrive are hostile: names are checked, bases are built-in exceptions, immutable plain types
or other proxies, and special methods come from a closed set.
Runs inside the sandbox, in the judge: standard library only.
"""

from __future__ import annotations

import builtins
import datetime
import opcode
import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, NoReturn

_IMMUTABLE: dict[str, Any] = {kind.__name__: kind for kind in (int, float, complex, str, bytes, tuple, frozenset)}
_MUTABLE = ("list", "dict", "set", "bytearray")
_ARITHMETIC = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift", "and")
_ARITHMETIC += ("xor", "or")
_OTHERS = ("len", "iter", "next", "reversed", "getitem", "setitem", "delitem", "call", "enter", "exit", "bool", "int")
_OTHERS += (
    "float",
    "complex",
    "index",
    "neg",
    "pos",
    "abs",
    "invert",
    "round",
    "trunc",
    "floor",
    "ceil",
    "str",
    "repr",
)
_OTHERS += ("format", "bytes")
# Special methods that a proxy has where the program's class has them.
_CALCULATING = {f"__{sign}{name}__" for name in _ARITHMETIC for sign in ("", "r", "i")}
_FORWARDED = {f"__{name}__" for name in _OTHERS}
# Of these, what makes a number or a truth of an object.
_MEASURING = {f"__{name}__" for name in ("abs", "bool", "int", "float", "complex", "index", "round")}
_MEASURING |= {f"__{name}__" for name in ("trunc", "floor", "ceil")}
_TURNING = ("__neg__", "__pos__", "__invert__")
_RAISE = opcode.opmap["RAISE_VARARGS"]
# What has a distance, or a difference, to what is expected.
_NUMBERS = (int, float, complex, Decimal, Fraction, datetime.date, datetime.time, datetime.timedelta)
_SETS = (set, frozenset)
_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")

Ask = Callable[..., Any]


class ProxyError(ValueError):
    """A description that no honest candidate sends."""


class RemoteClass(type):
    """The class of the program's classes: calls make objects over there, attributes are looked up over there."""

    _ask: Ask
    _number: int

    def __new__(cls, *_: Any) -> NoReturn:
        raise TypeError("a class of the program cannot be subclassed by its tests")

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return cls._ask("apply", cls, arguments, named)

    def __getattr__(cls, name: str) -> Any:
        return _get(cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._ask("set", cls, name, value)

    def __iter__(cls) -> Any:
        return cls._ask("method", cls, "__iter__", (), {})

    def __bool__(cls) -> bool:  # asked by traceback, for one
        return True

    def __len__(cls) -> int:
        return cls._ask("method", cls, "__len__", (), {})

    def __getitem__(cls, key: Any) -> Any:
        return cls._ask("method", cls, "__getitem__", (key,), {})


class RemoteObject:
    """An object of the program's."""

    _ask: Ask
    _number: int

    def __getattr__(self, name: str) -> Any:
        return _get(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_special(name):  # __traceback__ and the like
            object.__setattr__(self, name, value)
        else:
            self._ask("set", self, name, value)

    def __copy__(self) -> Any:
        return self._ask("copy", self, False)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._ask("copy", self, True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object of the program>"


class RemoteFunction:
    """A module's function, looked up by its name at each call, so that a test may replace it."""

    def __init__(self, ask: Ask, module: str, name: str) -> None:
        self._ask, self.__module__ = ask, module
        self.__name__ = self.__qualname__ = name

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._ask("call", self.__module__, self.__name__, arguments, named)

    def __getattr__(self, name: str) -> Any:
        return _get(self, name)

    def __repr__(self) -> str:
        return f"<function {self.__name__} of the program>"


class Proxies:
    """Makes the proxies of one candidate's objects: the same one for the same number."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._made: dict[int, Any] = {}

    def of_class(self, description: Any) -> RemoteClass:
        """The class that is described as (class, number, name, bases, special methods).

        Raises:
            ProxyError: the description is malformed.
        """
        match description:
            case ("class", int(number), str(name), tuple(bases), tuple(special)) if name.isidentifier():
                if number not in self._made:
                    self._made[number] = self._class(number, name, bases, special)
                if isinstance(made := self._made[number], RemoteClass):
                    return made
        raise ProxyError("a class description of the wrong shape")

    def of_object(self, number: Any, description: Any, plain: Any) -> Any:
        """The object of that number, class and, for those built on one, plain (type, value).

        Raises:
            ProxyError: the description is malformed.
        """
        kind = self.of_class(description)
        if type(number) is int and number not in self._made:
            made = self._made[number] = _instance(kind, plain)
            made.__dict__["_number"] = number
        if isinstance(made := self._made.get(number), kind):
            return _awaiting(made) if kind.__name__ == "coroutine" else made  # asyncio takes only its own kind
        raise ProxyError("an object of the wrong shape")

    def _class(self, number: int, name: str, bases: tuple[Any, ...], special: tuple[Any, ...]) -> RemoteClass:
        names = {base[1] for base in bases if base[:1] == ("builtin",) and isinstance(base[1], str)}
        parents = [_builtin(base[1]) if base[:1] == ("builtin",) else self.of_class(base) for base in bases]
        parents = [parent for parent in parents if parent is not None]
        if not any(isinstance(parent, RemoteClass) for parent in parents):
            parents.insert(0, RemoteObject)
        wanted = {method for method in special if isinstance(method, str)}
        ancestors = [step for parent in parents for step in parent.__mro__]
        plain = next((step for step in ancestors if step in _IMMUTABLE.values()), None)
        body: dict[str, Any] = {"__module__": "program", "_ask": staticmethod(self._ask), "_number": number}
        body["_is_mutable"] = bool(names.intersection(_MUTABLE)) or any(vars(s).get("_is_mutable") for s in ancestors)
        body |= {method: _forwarding(method) for method in wanted & _FORWARDED}
        body |= {method: _calculating(method, plain) for method in wanted & _CALCULATING}
        if plain:
            body |= {method: getattr(plain, method) for method in (*_COMPARISONS, "__hash__") if hasattr(plain, method)}
        elif body["_is_mutable"]:
            body |= {method: _by_value(method) for method in _COMPARISONS} | {"__hash__": None}
        elif BaseException not in ancestors:
            body |= {method: _between_objects(method) for method in wanted.intersection(_COMPARISONS)}
            body["__hash__"] = _forwarding("__hash__") if "__hash__" in wanted else object.__hash__
        if BaseException in ancestors:  # said when it was raised: asking may raise again
            body |= {"__str__": _message, "__repr__": BaseException.__repr__}
        if "__exit__" in wanted:
            body["__exit__"] = _exit
        if "__len__" in wanted and "__bool__" not in wanted and not plain:
            body["__bool__"] = _truth
        if "__contains__" in wanted and not plain:
            body["__contains__"] = _contains
        try:
            return type.__new__(RemoteClass, name, tuple(parents), body)
        except (TypeError, ValueError) as error:
            raise ProxyError(f"a class that cannot be: {error}") from None


def _builtin(name: Any) -> type | None:
    """The built-in base that a proxy can have too: an immutable plain type or an exception."""
    kind = _IMMUTABLE.get(name) or getattr(builtins, name, None) if isinstance(name, str) else None
    if kind in _IMMUTABLE.values():
        return kind
    # Not KeyboardInterrupt and its like, which would end a session of pytest, nor groups, which are not made empty.
    is_error = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, BaseExceptionGroup)
    return kind if is_error else None


def _instance(kind: RemoteClass, plain: Any) -> Any:
    match plain:
        case (str(name), value) if name in _IMMUTABLE and type(value) is (base := _IMMUTABLE[name]):
            if issubclass(kind, base):
                return base.__new__(kind, value)
        case None if issubclass(kind, BaseException):
            return kind.__new__(kind)
        case None if not issubclass(kind, tuple(_IMMUTABLE.values())):
            return object.__new__(kind)
    raise ProxyError("an object that does not fit its class")


def _get(target: Any, name: str) -> Any:
    if _is_special(name):
        raise AttributeError(name)
    return target._ask("get", target, name)


def _is_special(name: str) -> bool:
    return name[:2] == name[-2:] == "__"


def _forwarding(name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        if name in _MEASURING and _is_told(self):
            raise TypeError(f"{name} of what came of an object of the program and a value of its tests")
        answer = self._ask("method", self, name, arguments, named)
        if name in _TURNING and _is_told(self):
            return _tell(answer, name)
        return answer

    return method


def _truth(self: Any) -> bool:
    if _is_told(self):
        raise TypeError("the truth of what came of an object of the program and a value of its tests")
    return len(self) > 0


def _exit(self: Any, kind: Any, error: Any, traceback: Any) -> bool:
    swallowed = self._ask("method", self, "__exit__", (kind, error, None), {})  # the traceback stays here
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
        answer = self._ask("method", self, name, (other, *modulus), {})
        if answer is NotImplemented or not (is_value or _is_told(self) or _is_told(other)):
            return answer
        return _tell(answer, name)

    return method


def _tell(answer: Any, name: str) -> Any:
    if not isinstance(answer, RemoteObject) or isinstance(answer, tuple(_IMMUTABLE.values())):
        raise TypeError(f"{name} of an object of the program and a value of its tests comes to a plain value")
    vars(answer)["_told"] = True
    return answer


def _with_set(self: Any, name: str, other: Any) -> Any:
    value = self._ask("value", self) if self._is_mutable else None
    return getattr(type(value), name)(value, other) if type(value) in _SETS else NotImplemented


def _is_told(value: Any) -> bool:
    """Whether an object came of one of the program's and a value of the tests."""
    return isinstance(value, RemoteObject) and "_told" in vars(value)


def _by_value(name: str) -> Callable[[Any, Any], Any]:
    """A comparison of what an object built on a mutable plain type holds now."""
    compare = getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        held = other._ask("value", other) if getattr(type(other), "_is_mutable", False) else other
        return compare(self._ask("value", self), held)

    return method


def _between_objects(name: str) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, RemoteObject) and not isinstance(other, tuple(_IMMUTABLE.values())):
            return self._ask("method", self, name, (other,), {})
        return NotImplemented

    return method


async def _awaiting(coroutine: Any) -> Any:
    return coroutine._ask("await", coroutine)


def _message(self: Any) -> str:
    return vars(self).get("_message", "")


def _contains(self: Any, item: Any) -> bool:
    if isinstance(item, RemoteObject):
        return bool(self._ask("method", self, "__contains__", (item,), {}))
    return any(item is one or item == one for one in self)
