"""Plain data crosses unchanged, to the type; anything else is refused on both sides."""

from __future__ import annotations

import datetime
import enum
import math
import struct
from collections import Counter, OrderedDict, deque, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.sandbox.encoding import MAX_DEPTH, EncodingError, decode, encode

_hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.datetimes(timezones=st.just(datetime.UTC) | st.none())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9)),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
_plain = st.recursive(
    _hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(_hashable, inner, max_size=4)
        | st.sets(_hashable, max_size=4)
        | st.builds(deque, st.lists(inner, max_size=4), st.none() | st.integers(4, 9))
    ),
    max_leaves=20,
)


def _canonical(value: Any) -> str:
    """Tells apart values by type and, in floats, by bits, through all levels; the order within sets is left out."""
    match value:
        case float():
            return f"float {struct.pack('d', value).hex()}"
        case list() | tuple():
            return f"{type(value).__name__} [{', '.join(map(_canonical, value))}]"
        case set() | frozenset():
            return f"{type(value).__name__} [{', '.join(sorted(map(_canonical, value)))}]"
        case deque():
            return f"deque {_canonical(list(value))} {value.maxlen}"
        case dict():
            return f"dict {_canonical(list(value.items()))}"
        case _:
            return f"{type(value).__name__} {value!r}"


def _same(left: Any, right: Any) -> bool:
    return _canonical(left) == _canonical(right)


@given(_plain)
def test_plain_data_survives_the_round_trip_to_the_bit(value: Any) -> None:
    assert _same(decode(encode(value)), value)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused_as_malformed(data: bytes) -> None:
    try:
        value = decode(data)
    except EncodingError:
        return
    assert _same(decode(encode(value)), value)


@given(_plain, st.data())
def test_truncated_data_is_refused(value: Any, data: st.DataObject) -> None:
    encoded = encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(EncodingError):
        decode(encoded[:cut])


def test_special_numbers_and_lone_surrogates_survive() -> None:
    values = [math.nan, -0.0, math.inf, -math.inf, 10**4000, -(2**63), "\ud800", True, 1]
    assert _same(decode(encode(values)), values)


class _Colour(enum.IntEnum):
    RED = 3


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (_Colour.RED, 3),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (namedtuple("P", "x y")(1, 2), (1, 2)),
        (bytearray(b"ab"), b"ab"),
    ],
)
def test_subclasses_arrive_as_their_plain_base(value: Any, plain: Any) -> None:
    assert _same(decode(encode(value)), plain)


class _EqualToAll:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


@pytest.mark.parametrize("value", [_EqualToAll(), [_EqualToAll()], {1: print}, iter([]), type, {"x": int}])
def test_what_is_not_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(EncodingError, match="not plain data"):
        encode(value)


def test_a_list_within_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(EncodingError, match=f"deeper than {MAX_DEPTH}"):
        encode(loop)


def test_shared_parts_that_unfold_without_bound_are_refused() -> None:
    bomb: list[Any] = [0]
    for _ in range(60):
        bomb = [bomb, bomb]
    with pytest.raises(EncodingError, match="takes more than 1000 bytes"):
        encode(bomb, max_bytes=1000)


def test_data_nested_too_deep_is_refused() -> None:
    with pytest.raises(EncodingError, match="nests deeper"):
        decode(b"l\x01\x00\x00\x00" * (MAX_DEPTH + 1) + b"N")


def test_a_count_beyond_the_data_is_refused_at_once() -> None:
    with pytest.raises(EncodingError, match="count exceeds"):
        decode(b"l\xff\xff\xff\xff")


def test_an_unhashable_key_is_refused() -> None:
    with pytest.raises(EncodingError, match="unhashable"):
        decode(b"d\x01\x00\x00\x00l\x00\x00\x00\x00N")
