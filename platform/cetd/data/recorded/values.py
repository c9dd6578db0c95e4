"""Plain data as text that can stand in a test, and when two values are the same to a test.

Promises: for a value that :func:`is_plain`, ``parse(text_of(value))`` has its type and is equal to it; sets are written
in one order, whatever their hashes are.
"""

from __future__ import annotations

import ast
import inspect
from math import isclose, isfinite
from typing import Any

_SCALARS = (bool, int, str, bytes, type(None))
_MAX_DEPTH = 8


def is_plain(value: object, depth: int = _MAX_DEPTH) -> bool:
    """Whether a value is None, bool, int, finite float, str, bytes, or a builtin container of these; no subclass."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if isinstance(value, float):
        return kind is float and isfinite(value)
    if depth == 0:
        return False
    if isinstance(value, dict):
        return kind is dict and all(is_plain(part, depth - 1) for item in value.items() for part in item)
    if isinstance(value, (list, tuple, set, frozenset)):
        return kind in (list, tuple, set, frozenset) and all(is_plain(item, depth - 1) for item in value)
    return False


def text_of(value: Any) -> str:
    """The expression of a plain value."""
    match value:
        case list():
            return f"[{', '.join(map(text_of, value))}]"
        case tuple():
            return f"({', '.join(map(text_of, value))}{',' * (len(value) == 1)})"
        case dict():
            return "{" + ", ".join(f"{text_of(key)}: {text_of(item)}" for key, item in value.items()) + "}"
        case set() | frozenset():
            items = f"{{{', '.join(sorted(map(text_of, value)))}}}" if value else ""
            return items if items and isinstance(value, set) else f"{type(value).__name__}({items})"
        case _:
            return repr(value)


def parse(text: str) -> Any:
    """The value of an expression that :func:`text_of` wrote.

    Raises:
        ValueError: the text is no such expression.
    """
    try:
        return value_of(ast.parse(text, mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no plain value: {error.msg}") from None


def value_of(node: ast.expr) -> Any:
    """As :func:`parse`, of a tree."""
    match node:
        case ast.Call(ast.Name("set" | "frozenset" as name), arguments, []):  # literal_eval does not know these
            return (set if name == "set" else frozenset)(*map(value_of, arguments))
        case ast.List(items) | ast.Tuple(items) | ast.Set(items):
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return kind(map(value_of, items))
        case ast.Dict(keys, items):
            return {value_of(key): value_of(item) for key, item in zip(keys, items, strict=True) if key}
        case _:
            return ast.literal_eval(node)


def has_float(value: Any) -> bool:
    match value:
        case float():
            return True
        case list() | tuple() | set() | frozenset():
            return any(map(has_float, value))
        case dict():
            return any(map(has_float, value)) or any(map(has_float, value.values()))
        case _:
            return False


def close(got, expected):
    """Whether two values are equal, where floats may differ by one part in 10**9."""
    if isinstance(expected, float) and isinstance(got, (int, float)):
        return isclose(got, expected, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(expected, (list, tuple)) and type(got) is type(expected):
        return len(got) == len(expected) and all(map(close, got, expected))
    if isinstance(expected, dict) and isinstance(got, dict):
        return got.keys() == expected.keys() and all(close(got[key], expected[key]) for key in expected)
    return got == expected


# For tests whose expected values have floats: they stand alone, beside nothing of this project.
CLOSE_SOURCE = f"from math import isclose\n\n\n{inspect.getsource(close)}"
