"""The parameters of a function, and the calls of it: how arguments are passed, and how a call is written."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cetd.data.recorded.definitions import Function
from cetd.data.recorded.values import text_of, value_of


class _Omitted:
    """The argument that is not given."""

    def __repr__(self) -> str:
        return "OMITTED"


OMITTED = _Omitted()


@dataclass(frozen=True)
class Parameter:
    """One parameter; ``default`` and ``annotation`` as they stand in the text."""

    name: str
    kind: Literal["positional-only", "positional", "rest", "keyword-only"]
    default: ast.expr | None = None
    annotation: ast.expr | None = None


@dataclass(frozen=True)
class Call:
    """The arguments of one call."""

    positional: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def text(self) -> str:
        named = [f"{name}={text_of(value)}" for name, value in self.named.items()]
        return ", ".join([*map(text_of, self.positional), *named])


def parameters(node: Function) -> list[Parameter]:
    """The parameters in their order, without ``**keywords``."""
    arguments = node.args
    ordered = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(ordered) - len(arguments.defaults)) + list(arguments.defaults)
    found = []
    for index, (argument, default) in enumerate(zip(ordered, defaults, strict=True)):
        kind = "positional-only" if index < len(arguments.posonlyargs) else "positional"
        found.append(Parameter(argument.arg, kind, default, argument.annotation))
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "rest", None, arguments.vararg.annotation))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(Parameter(argument.arg, "keyword-only", default, argument.annotation))
    return found


def call(parameters: Sequence[Parameter], values: Sequence[Any]) -> Call:
    """The call that gives each parameter its value; that of a ``*rest`` is a tuple. Options are passed by name."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    rest = next((value for each, value in zip(parameters, values, strict=True) if each.kind == "rest"), ())
    gap = False  # whether one before was left out, after which nothing can be given by position
    for parameter, value in zip(parameters, values, strict=True):
        if parameter.kind == "rest":
            positional += () if gap else value
        elif value is OMITTED:
            gap = gap or parameter.kind != "keyword-only"
        elif parameter.kind == "positional-only" or (parameter.kind == "positional" and not _by_name(parameter, rest)):
            if not gap:
                positional.append(value)
            elif parameter.kind == "positional":
                named[parameter.name] = value
        else:
            named[parameter.name] = value
    return Call(tuple(positional), named)


def values_of(parameters: Sequence[Parameter], made: Call) -> list[Any]:
    """What each parameter is given by a call; the other way round than :func:`call`.

    Raises:
        ValueError: the call gives more than there are parameters for, or too little.
    """
    named, given = dict(made.named), list(made.positional)
    values: list[Any] = []
    for parameter in parameters:
        if parameter.kind == "rest":
            values.append(tuple(given))
            given = []
        elif given and parameter.kind != "keyword-only":
            values.append(given.pop(0))
        elif parameter.name in named or parameter.default is not None:
            values.append(named.pop(parameter.name, OMITTED))
        else:
            raise ValueError(f"{parameter.name}: not given")
    if given or named:
        raise ValueError(f"more arguments than parameters: {given} {named}")
    return values


def parse_call(text: str) -> Call:
    """The call of a :attr:`Call.text`.

    Raises:
        ValueError: the text is no call with plain arguments.
    """
    try:
        node = ast.parse(f"f({text})", mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no list of arguments: {error.msg}") from None
    assert isinstance(node, ast.Call)
    named = {keyword.arg: value_of(keyword.value) for keyword in node.keywords if keyword.arg}
    return Call(tuple(map(value_of, node.args)), named)


def _by_name(parameter: Parameter, rest: Sequence[Any]) -> bool:
    """Options are easier to read by name; before a ``*rest`` they cannot be."""
    return parameter.default is not None and not rest
