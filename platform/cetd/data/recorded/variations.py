"""Small edits of a value: what a step away from an input that reached something may reach next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cetd.data.recorded.inputs import PIECES, Words

_LONGEST_EDIT = 3


def edited(value: Any, words: Words) -> SearchStrategy[Any]:
    """A value of the same type, nearly the same."""
    found: SearchStrategy[Any] = st.just(value)
    match value:
        case bool():
            found = st.just(not value)
        case int():
            found = st.sampled_from((value + 1, value - 1, value * 2, -value, value // 2))
        case float():
            found = st.sampled_from((value + 0.25, value - 0.25, value * 2, -value))
        case str():
            found = _spliced(value, st.one_of(st.just(""), st.sampled_from((*words.texts, *PIECES))))
        case bytes():
            found = _spliced(value, st.sampled_from((b"", b"a", b"0", b" ", b"\n", b"=", b"\xff", *words.blobs)))
        case [_, *_]:
            found = _items_edited(value, words)
        case _:
            pass
    return found


def _spliced(value: Any, piece: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """With up to some characters at one place replaced by a piece."""

    def splice(start: int, length: int, piece: Any) -> Any:
        return value[:start] + piece + value[start + length :]

    return st.builds(splice, st.sampled_from(range(len(value) + 1)), st.sampled_from(range(_LONGEST_EDIT + 1)), piece)


def _items_edited(value: Sequence[Any], words: Words) -> SearchStrategy[Any]:
    kind = type(value)

    def with_item(index: int) -> SearchStrategy[Any]:
        changed = edited(value[index], words).map(lambda item: [*value[:index], item, *value[index + 1 :]])
        without = st.just([*value[:index], *value[index + 1 :]])
        doubled = st.just([*value[: index + 1], *value[index:]])
        return st.one_of(changed, changed, without, doubled).map(kind)

    return st.sampled_from(range(len(value))).flatmap(with_item)
