"""Makes the proxies of the program's classes and objects, from descriptions that the candidate sends.

Descriptions are hostile: names are checked, bases are built-in exceptions, immutable plain types or other proxies, and
special methods come from a closed set (see special_methods).
Runs inside the sandbox, in the judge: standard library only.
"""

from __future__ import annotations

import builtins
from typing import Any

from cetd.sandbox.remote_objects import Ask, RemoteClass, RemoteObject
from cetd.sandbox.special_methods import IMMUTABLE, special_methods

_MUTABLE = ("list", "dict", "set", "bytearray")


class ProxyError(ValueError):
    """A description that no honest candidate sends."""


class Proxies:
    """Makes the proxies of one candidate's objects: the same one for the same number."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._made: dict[int, Any] = {}
        self.met: list[Any] = []  # of what is being decoded, classes and objects whose value is not fixed

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
            made.__dict__["_cetd_number"] = number
        if isinstance(made := self._made.get(number), kind):
            if not isinstance(made, tuple(IMMUTABLE.values())):
                self.met.append(made)
            return _awaiting(made) if kind.__name__ == "coroutine" else made  # asyncio takes only its own kind
        raise ProxyError("an object of the wrong shape")

    def _class(self, number: int, name: str, bases: tuple[Any, ...], special: tuple[Any, ...]) -> RemoteClass:
        names = {base[1] for base in bases if base[:1] == ("builtin",) and isinstance(base[1], str)}
        parents = [_builtin(base[1]) if base[:1] == ("builtin",) else self.of_class(base) for base in bases]
        parents = [parent for parent in parents if parent is not None]
        if not any(isinstance(parent, RemoteClass) for parent in parents):
            parents.insert(0, RemoteObject)
        ancestors = [step for parent in parents for step in parent.__mro__]
        mutable = bool(names.intersection(_MUTABLE)) or any(vars(step).get("_cetd_is_mutable") for step in ancestors)
        wanted = {method for method in special if isinstance(method, str)}
        body = {
            "__module__": "program",
            "_cetd_ask": staticmethod(self._ask),
            "_cetd_number": number,
            "_cetd_is_mutable": mutable,
        }
        body |= special_methods(wanted, ancestors, mutable=mutable)
        try:
            return type.__new__(RemoteClass, name, tuple(parents), body)
        except (TypeError, ValueError) as error:
            raise ProxyError(f"a class that cannot be: {error}") from None


def _builtin(name: Any) -> type | None:
    """The built-in base that a proxy can have too: an immutable plain type or an exception."""
    kind = IMMUTABLE.get(name) or getattr(builtins, name, None) if isinstance(name, str) else None
    if kind in IMMUTABLE.values():
        return kind
    # Not KeyboardInterrupt and its like, which would end a session of pytest, nor groups, which are not made empty.
    is_error = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, BaseExceptionGroup)
    return kind if is_error else None


def _instance(kind: RemoteClass, plain: Any) -> Any:
    match plain:
        case (str(name), value) if name in IMMUTABLE and type(value) is (base := IMMUTABLE[name]):
            if issubclass(kind, base):
                return base.__new__(kind, value)
        case None if issubclass(kind, BaseException):
            return kind.__new__(kind)
        case None if not issubclass(kind, tuple(IMMUTABLE.values())):
            return object.__new__(kind)
    raise ProxyError("an object that does not fit its class")


async def _awaiting(coroutine: Any) -> Any:
    return coroutine._cetd_ask("await", coroutine)
