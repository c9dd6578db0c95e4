"""Hypothesis strategies from annotations, read as text: what they name is never looked up."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cetd.data.recorded.inputs import KINDS, Words

_SIMPLE = {
    **dict.fromkeys(("str", "AnyStr", "LiteralString"), "text"),
    **{"int": "int", "SupportsIndex": "int", "float": "float", "bool": "bool", "bytes": "bytes"},
    **dict.fromkeys(("list", "List", "Sequence", "Iterable", "Collection"), "ints"),
    **dict.fromkeys(("dict", "Dict", "Mapping"), "mapping"),
}
_SEQUENCES = ("list", "List", "Sequence", "Iterable", "Collection")
# Containers of items of one type, each made from the strategy of the item.
_OF_ITEMS: dict[str, Callable[[SearchStrategy[Any]], SearchStrategy[Any]]] = {
    **dict.fromkeys(_SEQUENCES, lambda item: st.lists(item, max_size=5)),
    **dict.fromkeys(("set", "Set", "AbstractSet"), lambda item: st.sets(item, max_size=4)),
    **dict.fromkeys(("frozenset", "FrozenSet"), lambda item: st.frozensets(item, max_size=4)),
    "Optional": lambda item: st.one_of(st.none(), item),
}


def annotated(node: ast.expr | None, words: Words) -> SearchStrategy[Any] | None:
    """The strategy of an annotation; None where there is none, or one that is not of plain data."""
    found: SearchStrategy[Any] | None = None
    match node:
        case ast.Constant(str(text)):
            found = annotated(_parsed(text), words)
        case ast.Constant(None):
            found = st.none()
        case ast.Name(name) | ast.Attribute(attr=name) if name in _SIMPLE:
            found = KINDS[_SIMPLE[name]](words)
        case ast.BinOp(left, ast.BitOr(), right):
            found = _all(st.one_of, [left, right], words)
        case ast.Subscript(ast.Name(name) | ast.Attribute(attr=name), inside):
            found = _generic(name, list(inside.elts) if isinstance(inside, ast.Tuple) else [inside], words)
        case _:
            pass
    return found


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _generic(name: str, parts: list[ast.expr], words: Words) -> SearchStrategy[Any] | None:
    found: SearchStrategy[Any] | None = None
    match name, parts:
        case "Literal", [*_]:
            values = [part.value for part in parts if isinstance(part, ast.Constant)]
            found = st.sampled_from(values) if values else None
        case "Union", [*_]:
            found = _all(st.one_of, parts, words)
        case "dict" | "Dict" | "Mapping", [_, _]:
            found = _all(lambda key, value: st.dictionaries(key, value, max_size=3), parts, words)
        case "tuple" | "Tuple", [part, ast.Constant(value)] if value is Ellipsis:
            found = _all(lambda item: st.lists(item, max_size=4).map(tuple), [part], words)
        case "tuple" | "Tuple", [*_]:
            found = _all(st.tuples, parts, words)
        case _, [_] if name in _OF_ITEMS:
            found = _all(_OF_ITEMS[name], parts, words)
        case _:
            pass
    return found


def _all(
    combine: Callable[..., SearchStrategy[Any]], parts: list[ast.expr], words: Words
) -> SearchStrategy[Any] | None:
    """``combine`` of the parts' strategies, where each has one."""
    found = [annotated(part, words) for part in parts]
    return None if None in found else combine(*found)
