"""Plain data or an object: what a program's functions return, and what is asked of an object in place of plain data.

An object of the program answers ``startswith`` or ``issubset`` as it likes, a text or a set does not. So what is plain
data of an app's reference has to be plain data of every program, or may only be iterated over, as a generator in place
of a list: what comes out of that is looked at again. Places are named by how tests get there, such as
``app.Stack().pop()``. Runs inside the sandbox, in the judge: standard library only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from cetd.sandbox.remote_objects import RemoteClass, RemoteObject

_LONGEST, _MOST = 200, 2000  # characters of a place, and places
_ITERATING = ("__iter__", "__next__")


class NotPlainError(TypeError):
    """More than iteration was asked of an object that stands where the reference has plain data."""


class Kinds:
    """What each place held; ``plain_only`` are those that held plain data of the reference, and nothing else."""

    def __init__(self, plain_only: Collection[str] = ()) -> None:
        self._plain_only = frozenset(plain_only)
        self._plain: set[str] = set()
        self._others: set[str] = set()

    @property
    def plain(self) -> list[str]:
        """Places that have held plain data and nothing else."""
        return sorted(self._plain - self._others)[:_MOST]

    def check(self, request: tuple[Any, ...]) -> None:
        """Before a request about an object.

        Raises:
            NotPlainError: it stands where the reference has plain data.
        """
        match request:
            case ("method", target, name, *_) if name in _ITERATING:
                return
            case ("value", *_):  # what an object that is built on plain data holds is compared here
                return
            case (_, target, *_) if _mark(target, "_cetd_instead_of"):
                place = _mark(target, "_cetd_instead_of")
                raise NotPlainError(f"{place} is an object of class {_class_name(target)}, and plain data was expected")

    def note_import(self, module: str, values: Mapping[str, Any]) -> None:
        """What a module holds."""
        for name, value in values.items():
            self._note(f"{module}.{name}", list(_objects(value)), None)

    def note(self, request: tuple[Any, ...], objects: Iterable[Any]) -> None:
        """After a request that was answered with ``objects`` in what it returned, or none."""
        if place := _place(request):
            self._note(place, objects, _mark(request[1], "_cetd_instead_of"))

    def _note(self, place: str, objects: Iterable[Any], instead_of: str | None) -> None:
        instead_of = instead_of or (place if place in self._plain_only else None)
        kinds = self._plain
        for one in objects:
            kinds = self._others
            if _mark(one, "_cetd_place") is None:
                _set_mark(one, "_cetd_place", place)
            if instead_of:
                _set_mark(one, "_cetd_instead_of", instead_of)
        if len(place) <= _LONGEST and len(kinds) < _MOST:
            kinds.add(place)


def _place(request: tuple[Any, ...]) -> str | None:
    """Where what is asked for stands; None where nothing is."""
    start = _mark(request[1], "_cetd_place") or "?"  # of an exception, or what a function of the tests was given
    match request:
        case ("call", module, name, *_):
            return f"{module}.{name}()"
        case ("apply" | "await", *_) | ("method", _, "__call__", *_):
            return f"{start}()"
        case ("method", _, name, *_):
            return f"{start}.{name}()"
        case ("get", _, name):
            return f"{start}.{name}"
        case ("copy", *_):
            return start
    return None


def _objects(value: Any) -> Iterator[Any]:
    """Classes and objects of the program in what a module holds."""
    match value:
        case list() | tuple() | set() | frozenset():
            for one in value:
                yield from _objects(one)
        case dict():
            yield from _objects([*value.keys(), *value.values()])
        case RemoteClass() | RemoteObject():
            yield value


def _mark(target: Any, name: str) -> str | None:
    try:
        return vars(target).get(name)
    except TypeError:  # plain data, or a module's name
        return None


def _set_mark(target: Any, name: str, value: str) -> None:
    if isinstance(target, type):
        type.__setattr__(target, name, value)
    else:
        vars(target)[name] = value


def _class_name(target: Any) -> str:
    return target.__name__ if isinstance(target, type) else type(target).__name__
