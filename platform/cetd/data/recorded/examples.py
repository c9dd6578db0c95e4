"""Calls that a docstring shows: the examples of its author are the best inputs there are."""

from __future__ import annotations

import ast
import doctest
from typing import Any

from cetd.data.recorded.definitions import Function
from cetd.data.recorded.parameters import Call
from cetd.data.recorded.values import is_plain


def calls_in_docstring(node: Function) -> list[Call]:
    """The doctests' calls of the function with literal arguments, or names that earlier lines gave literals to."""
    try:
        examples = doctest.DocTestParser().get_examples(ast.get_docstring(node, clean=True) or "")
    except ValueError:  # a docstring that doctest cannot read has no examples
        return []
    known: dict[str, Any] = {}
    found: list[Call] = []
    for example in examples:
        try:
            tree = ast.parse(example.source)
        except SyntaxError:  # an example of what is refused
            continue
        for inner in ast.walk(tree):
            match inner:
                case ast.Assign([ast.Name(name)], value) if _literal(value, known) is not None:
                    known[name] = _literal(value, known)
                case ast.Call(ast.Name(name) | ast.Attribute(attr=name)) if name == node.name:
                    if (call := _call(inner, known)) and call not in found:
                        found.append(call)
    return found


def _call(node: ast.Call, known: dict[str, Any]) -> Call | None:
    named = {keyword.arg: _literal(keyword.value, known) for keyword in node.keywords if keyword.arg}
    positional = tuple(_literal(argument, known) for argument in node.args)
    values = (*positional, *named.values())
    if len(named) < len(node.keywords) or any(value is None for value in values):
        return None
    return Call(positional, named) if all(map(is_plain, values)) else None


def _literal(node: ast.expr, known: dict[str, Any]) -> Any:
    """The value of a literal or of a known name; None where it is neither."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
