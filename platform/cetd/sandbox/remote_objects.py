"""Classes, objects and functions of the program as tests hold them: what is done to one is asked of the candidate.

``ask`` sends a request and returns its answer. What a proxy knows of itself begins with ``_cetd``: every other name is
the program's. Runs inside the sandbox, in the judge: standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

Ask = Callable[..., Any]


class RemoteClass(type):
    """The class of the program's classes: calls make objects over there, attributes are looked up over there."""

    _cetd_ask: Ask
    _cetd_number: int

    def __new__(cls, *_: Any) -> NoReturn:
        raise TypeError("a class of the program cannot be subclassed by its tests")

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return cls._cetd_ask("apply", cls, arguments, named)

    def __getattr__(cls, name: str) -> Any:
        return _get(cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._cetd_ask("set", cls, name, value)

    def __iter__(cls) -> Any:
        return cls._cetd_ask("method", cls, "__iter__", (), {})

    def __bool__(cls) -> bool:  # asked by traceback, for one
        return True

    def __len__(cls) -> int:
        return cls._cetd_ask("method", cls, "__len__", (), {})

    def __getitem__(cls, key: Any) -> Any:
        return cls._cetd_ask("method", cls, "__getitem__", (key,), {})


class RemoteObject:
    """An object of the program's."""

    _cetd_ask: Ask
    _cetd_number: int

    def __getattr__(self, name: str) -> Any:
        return _get(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_special(name):  # __traceback__ and the like
            object.__setattr__(self, name, value)
        else:
            self._cetd_ask("set", self, name, value)

    def __copy__(self) -> Any:
        return self._cetd_ask("copy", self, False)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._cetd_ask("copy", self, True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object of the program>"


class RemoteFunction:
    """A module's function, looked up by its name at each call, so that a test may replace it."""

    def __init__(self, ask: Ask, module: str, name: str) -> None:
        self._cetd_ask, self.__module__ = ask, module
        self.__name__ = self.__qualname__ = name
        self._cetd_place = f"{module}.{name}"

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._cetd_ask("call", self.__module__, self.__name__, arguments, named)

    def __getattr__(self, name: str) -> Any:
        return _get(self, name)

    def __repr__(self) -> str:
        return f"<function {self.__name__} of the program>"


def _get(target: Any, name: str) -> Any:
    if _is_special(name):
        raise AttributeError(name)
    return target._cetd_ask("get", target, name)


def _is_special(name: str) -> bool:
    return name[:2] == name[-2:] == "__"
