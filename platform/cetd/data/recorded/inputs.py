"""Kinds of plain data, as hypothesis strategies, and which of them a parameter's text speaks of.

In this order: the types of docstring examples and of the default; what the code does with it; the parameter's name.
Values are small and readable, with the constants of the function's own text among them, as those are what its
conditions ask for. Every value is drawn from a closed set of parts: hypothesis would else mix in constants of whatever
modules are loaded, and the same seed would not draw the same.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cetd.data.recorded.parameters import OMITTED, Parameter

_LETTERS = (*"abcxyzABZ", "é", "ß", "😀")
PIECES = (*_LETTERS, *"019", *" \n\t", *".,-_:/;=+%#&'\"\\()[]", "ab", "hello", "The cat", "  ", "01", "12", "2024")
_INTS = (
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    10,
    12,
    16,
    31,
    60,
    64,
    99,
    100,
    255,
    256,
    365,
    400,
    1000,
    2000,
    2024,
    -1,
    -2,
    -5,
    -100,
)
_FLOATS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.25, 10.0, 100.5, -0.5, -1.0, -2.75)
_LONGEST_CONSTANT = 12
_QUIET = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@dataclass(frozen=True)
class Words:
    """Constants of a program's text."""

    texts: tuple[str, ...] = ()
    ints: tuple[int, ...] = ()
    floats: tuple[float, ...] = ()
    blobs: tuple[bytes, ...] = ()


def words(tree: ast.AST) -> Words:
    """The short constants of functions, and their neighbours where they are integers."""
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    # By a dict, not a set: the order must not depend on hashes.
    texts = dict.fromkeys(value for value in constants if type(value) is str and 0 < len(value) <= _LONGEST_CONSTANT)
    blobs = dict.fromkeys(value for value in constants if type(value) is bytes and 0 < len(value) <= _LONGEST_CONSTANT)
    ints = [value for value in constants if type(value) is int and abs(value) <= 10**6]
    near = dict.fromkeys(value + step for value in ints for step in (0, 1, -1))
    return Words(tuple(texts), tuple(near), tuple(value for value in constants if type(value) is float), tuple(blobs))


def draw(strategy: SearchStrategy[Any], count: int, key: int) -> list[Any]:
    """At most ``count`` values, the same for the same ``key``."""
    drawn: list[Any] = []

    @seed(key)
    @settings(_QUIET, max_examples=count)
    @given(strategy)
    def collect(value: Any) -> None:
        drawn.append(value)

    collect()
    return drawn[:count]


def _pick(own: Sequence[Any], usual: Sequence[Any]) -> SearchStrategy[Any]:
    return st.one_of(st.sampled_from(own), st.sampled_from(usual)) if own else st.sampled_from(usual)


def _text(words: Words) -> SearchStrategy[str]:
    joined = st.lists(_pick(words.texts, PIECES), max_size=6).map("".join)
    spaced = st.lists(st.sampled_from(("a", "bc", "the", "cat", "Hello", "x1", "42")), min_size=1, max_size=6)
    digits = st.lists(st.sampled_from("0123456789"), min_size=1, max_size=6).map("".join)
    line = st.tuples(st.sampled_from(("", " ", "    ", "\t")), st.sampled_from(("", "a", "bc d", "x = 1"))).map("".join)
    lines = st.lists(line, min_size=2, max_size=4).map("\n".join)
    return st.one_of(joined, joined, spaced.map(" ".join), digits, lines)


def _int(words: Words) -> SearchStrategy[int]:
    return _pick(words.ints, _INTS)


def _float(words: Words) -> SearchStrategy[float]:
    return _pick(words.floats, _FLOATS)


def _bytes(words: Words) -> SearchStrategy[bytes]:
    pieces = (b"a", b"b", b"Z", b"0", b"9", b" ", b"\n", b"=", b"\x00", b"\xff", b"ab", b"\x80\x01")
    joined = st.lists(_pick(words.blobs, pieces), max_size=6).map(b"".join)
    return st.one_of(joined, _text(words).map(lambda text: text.encode("utf-8")))


def _bool(words: Words) -> SearchStrategy[bool]:
    return st.sampled_from((False, True))


def _none(words: Words) -> SearchStrategy[None]:
    return st.just(None)


def _list(item: Callable[[Words], SearchStrategy[Any]]) -> Callable[[Words], SearchStrategy[list[Any]]]:
    return lambda words: st.lists(item(words), max_size=5)


def _sorted(words: Words) -> SearchStrategy[list[int]]:
    return st.lists(st.sampled_from(range(10)), max_size=6).map(sorted)


def _pairs(words: Words) -> SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(_text(words), _text(words)), max_size=3)


def _mapping(words: Words) -> SearchStrategy[dict[str, str]]:
    return st.dictionaries(_text(words), _text(words), max_size=3)


def _triple(words: Words) -> SearchStrategy[tuple[int, ...]]:
    return st.tuples(_int(words), _int(words), _int(words))


KINDS: dict[str, Callable[[Words], SearchStrategy[Any]]] = {
    "text": _text,
    "int": _int,
    "float": _float,
    "bytes": _bytes,
    "ints": _list(_int),
    "texts": _list(_text),
    "floats": _list(_float),
    "sorted": _sorted,
    "pairs": _pairs,
    "mapping": _mapping,
    "triple": _triple,
    "lists": _list(_list(_int)),
    "bool": _bool,
    "none": _none,
}
# Nearly everything accepts these somehow: only for parameters that show them.
_SHOWN_ONLY = {"bool", "none"}
UNKNOWN = tuple(kind for kind in KINDS if kind not in _SHOWN_ONLY)
_BY_NAME = {
    "text": "text s string str line path name word prefix suffix sep delim title key url value_str chars pattern pat",
    "int": "n i j k width size count length maxlen base depth limit start stop end lo hi year month day hour minute"
    " second digits tabsize maxlinelen offset bits indent_size",
    "texts": "lines words names strings parts seq1 seq2 l",
    "bytes": "b data byte_string bytestring",
    "floats": "xs ys weights",
    "ints": "seq items iterable heap numbers",
}
_NAMED = {name: kind for kind, names in _BY_NAME.items() for name in names.split()}


def guess(parameter: Parameter, seen: Sequence[Any], used: Sequence[str]) -> list[str]:
    """Kinds that a parameter may be of; empty where nothing tells.

    ``seen`` are its values in examples, ``used`` the kinds that the function's code asks for.
    """
    values = list(seen)
    if isinstance(parameter.default, ast.Constant) and parameter.default.value is not None:
        values.append(parameter.default.value)
    kinds = [kind for value in values if (kind := _kind_of(value))]
    kinds = kinds or list(used)
    if not kinds and parameter.name in _NAMED:
        kinds = [_NAMED[parameter.name]]
    if kinds and isinstance(parameter.default, ast.Constant) and parameter.default.value is None:
        kinds.append("none")
    return list(dict.fromkeys(kinds))


def _kind_of(value: Any) -> str | None:
    """The kind whose values are like this one."""
    match value:
        case bool() | int() | float() | bytes():
            kind = type(value).__name__
        case str():
            kind = "text"
        case [first, *_]:
            kind = {str: "texts", float: "floats", list: "lists", tuple: "lists"}.get(type(first), "ints")
        case []:
            kind = "ints"
        case {}:
            kind = "mapping"
        case _:
            kind = None
    return kind


def argument(parameter: Parameter, strategy: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """The strategy of what a parameter is given; one with a default is left out half of the time."""
    if parameter.kind == "rest":
        return st.lists(strategy, max_size=3).map(tuple)
    return st.one_of(st.just(OMITTED), strategy) if parameter.default is not None else strategy
