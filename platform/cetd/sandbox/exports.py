"""The program's objects that tests hold references to: how they are described, and what can be asked of them.

The candidate's half of what is no plain data (see proxies for the judge's): an object stays here, and its number, its
class and, where it has one, the plain value that it is built on go to the judge. Functions of the tests arrive as
callables that ask back. Runs inside the sandbox, in the candidate: standard library only.
"""

from __future__ import annotations

import builtins
import copy
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from cetd.sandbox.encoding import EncodingError, encode

# Classes whose instances keep their value where they go: the judge's proxies are built on them.
_IMMUTABLE = (int, float, complex, str, bytes, tuple, frozenset)
_MUTABLE = (list, dict, set, bytearray)
_BY_VALUE = ("collections",)  # OrderedDict, Counter and defaultdict cross as the dict that they are
_CONSTANT_BYTES = 64 << 10

Ask = Callable[[tuple[Any, ...]], Any]


class Exports:
    """Objects by number, and the requests about them. ``ask`` sends a request to the judge and returns its answer."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}  # id() of a kept object -> its number
        self._borrowed: dict[int, Any] = {}  # what stands here for a function or iterator of the tests
        self._borrowed_numbers: dict[int, int] = {}
        self._functions: dict[tuple[str, str], Any] = {}  # as they were imported, for tests that put them back

    # ------------------------------------------------------------------------------------- values, both ways

    def refer(self, value: Any) -> tuple[Any, ...] | None:
        """Plain data that stands for ``value``; None for what crosses as its plain base."""
        if value is NotImplemented:
            return ("not implemented",)
        if (number := self._borrowed_numbers.get(id(value))) is not None:
            return "yours", number
        kind = type(value)
        if issubclass(kind, type):
            return self._describe(value)
        if kind.__module__ in _BY_VALUE and issubclass(kind, dict):
            return None
        base = next((plain for plain in _IMMUTABLE if issubclass(kind, plain)), None)  # its __class__ may lie
        plain = (base.__name__, _plain(base, value)) if base else None
        return "object", self._number(value), self._describe(kind), plain

    def resolve(self, reference: tuple[Any, ...]) -> Any:
        """What a reference from the judge stands for."""
        match reference:
            case ("mine", number):
                return self._objects[number]
            case ("function", module, name):
                return self._functions[module, name]
            case ("named", module, qualified):
                return functools.reduce(getattr, qualified.split("."), importlib.import_module(module))
            case ("partial", function, arguments, named):
                return functools.partial(function, *arguments, **named)
            case ("exception", name, arguments):
                return getattr(builtins, name)(*arguments)
            case ("callable", number, name):
                return self._borrow(number, _borrowed_function(self._ask, number, name))
            case ("iterator", number):
                return self._borrow(number, _BorrowedIterator(self._ask, number))
        raise EncodingError("a reference of no known kind")

    def _borrow(self, number: int, stand_in: Any) -> Any:
        stand_in = self._borrowed.setdefault(number, stand_in)
        self._borrowed_numbers[id(stand_in)] = number
        return stand_in

    def _number(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects) + 1
            self._objects[number] = value  # kept, so that its id() stays its own
        return number

    def _describe(self, kind: type) -> tuple[Any, ...]:
        bases = tuple(
            ("builtin", base.__name__) if base.__module__ == "builtins" else self._describe(base)
            for base in ((kind,) if _is_builtin_error(kind) else kind.__bases__)  # the judge has that itself
            if base is not object
        )
        # What a proxy does itself, on its plain base or as an exception, is not asked for here.
        itself = issubclass(kind, (*_IMMUTABLE, BaseException))
        steps = [step for step in kind.__mro__[:-1] if not (itself and step.__module__ == "builtins")]
        special = {name for step in steps for name in vars(step) if name[:2] == name[-2:] == "__"}
        name = kind.__name__ if kind.__name__.isidentifier() else "object"  # "method-wrapper"
        return "class", self._number(kind), name, bases, tuple(sorted(special))

    # ------------------------------------------------------------------------------------------- requests

    def serve(self, request: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        """The value that answers a request, and the arguments that a call has changed in place."""
        match request:
            case ("import", name):
                return self._import(name), []
            case ("call", module, function, arguments, named):
                return self._call(getattr(sys.modules[module], function), arguments, named)
            case ("apply", target, arguments, named):
                return self._call(target, arguments, named)
            case ("method", target, name, arguments, named):
                return self._call(functools.partial(getattr(type(target), name), target), arguments, named)
            case ("get", target, name):
                return getattr(target, name), []
            case ("set", target, name, value):
                return setattr(target, name, value), []
            case ("set in module", module, name, value):
                return setattr(sys.modules[module], name, value), []
            case ("value", target):
                return _plain(next(base for base in _MUTABLE if issubclass(type(target), base)), target), []
            case ("copy", target, deep):
                return (copy.deepcopy(target) if deep else copy.copy(target)), []
            case ("await", target):
                import asyncio  # rarely needed, and slow to load for every run

                return asyncio.run(_awaited(target)), []
        raise EncodingError("a request of no known kind")

    def _call(self, function: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, list[Any]]:
        before = [self._encoded(argument) if type(argument) in _MUTABLE else None for argument in arguments]
        value = function(*arguments, **named)
        changed = [
            (index, arguments[index])
            for index, data in enumerate(before)
            if data is not None and self._encoded(arguments[index]) != data
        ]
        return value, changed

    def _import(self, name: str) -> dict[str, Any]:
        """What tests can import from a module: names of functions, and values."""
        module = importlib.import_module(name)
        functions, values = [], {}
        for key, value in list(vars(module).items()):
            if type(key) is not str or key.startswith("__") or isinstance(value, ModuleType):
                continue
            if callable(value) and not _is_own_class(value):
                functions.append(key)
                self._functions[name, key] = value
                continue
            try:
                encode(value, _CONSTANT_BYTES, self.refer)
            except EncodingError:
                continue
            values[key] = value
        return {"functions": functions, "values": values}

    def _encoded(self, value: Any) -> bytes:
        return encode(value, refer=self.refer)


def _is_own_class(value: Any) -> bool:
    return isinstance(value, type) and value.__module__.partition(".")[0] not in sys.stdlib_module_names


def _is_builtin_error(kind: type) -> bool:
    return issubclass(kind, BaseException) and kind.__module__ == "builtins"


def _plain(base: type, value: Any) -> Any:
    """The value of a subclass of a plain type as that type holds it, whatever the subclass overrides."""
    if base in (list, tuple, set, frozenset):
        return base(base.__iter__(value))
    if base is dict:
        return dict(dict.items(value))
    if base is str:
        return str.__str__(value)
    if base is complex:
        return complex(complex.__getattribute__(value, "real"), complex.__getattribute__(value, "imag"))
    if base in (bytes, bytearray):
        return base.__getitem__(value, slice(None))
    return base.__pos__(value)


def _borrowed_function(ask: Ask, number: int, name: str) -> Callable[..., Any]:
    def function(*arguments: Any, **named: Any) -> Any:
        return ask(("call", number, arguments, named))

    function.__name__ = function.__qualname__ = name
    return function


class _BorrowedIterator:
    """Takes one value after another from an iterator of the tests."""

    def __init__(self, ask: Ask, number: int) -> None:
        self._ask, self._number = ask, number

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._ask(("next", self._number))


async def _awaited(target: Any) -> Any:
    return await target
