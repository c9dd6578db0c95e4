import ast

import pytest
from hypothesis import strategies as st

from cetd.data.recorded.annotations import annotated
from cetd.data.recorded.examples import calls_in_docstring
from cetd.data.recorded.inputs import KINDS, Words, draw, guess, words
from cetd.data.recorded.parameters import OMITTED, Call, parameters
from cetd.data.recorded.usage import kinds_by_use
from cetd.data.recorded.values import is_plain
from cetd.data.recorded.variations import edited
from tests.cetd.data.recorded.functions import function


def guessed(text: str, index: int = 0, seen: tuple[object, ...] = ()) -> list[str]:
    node = function(text)
    parameter = parameters(node)[index]
    return guess(parameter, seen, kinds_by_use(ast.parse(text), node, parameter.name))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_draws_plain_data_the_same_for_the_same_seed(kind: str):
    strategy = KINDS[kind](Words(("own",), (77,), (0.125,), (b"own",)))
    drawn = draw(strategy, 30, 5)
    assert drawn == draw(strategy, 30, 5)
    assert all(is_plain(value) for value in drawn)
    assert all(is_plain(draw(edited(value, Words()), 1, 0)[0]) for value in drawn)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("def f(q): return q.split()", ["text", "bytes"]),
        ("def f(q): return q // 7", ["int"]),
        ("def f(q): return q / 2.0", ["int", "float"]),
        ("def f(q): return q == 'a'", ["text"]),
        ("def f(q): return [x for x in q]", ["text", "ints", "texts", "bytes"]),
        ("def g(z): return z - 1\ndef f(q): return g(q)", ["int"]),
        ("def f(q=5): return q", ["int"]),
        ("def f(text): return text", ["text"]),
        ("def f(text=None): return text", ["text", "none"]),
        ("def f(q): return q", []),
    ],
)
def test_a_parameter_is_of_the_kind_that_its_text_tells(text: str, kinds: list[str]):
    assert guessed(text) == kinds


def test_examples_tell_more_than_the_name():
    assert guessed("def f(text): return text", seen=([1, 2],)) == ["ints"]


@pytest.mark.parametrize(
    ("annotation", "types"),
    [
        ("int", {int}),
        ("str | None", {str, type(None)}),
        ("Optional[int]", {int, type(None)}),
        ("'bytes'", {bytes}),
        ("tuple[int, str]", {tuple}),
        ("tuple[int, ...]", {tuple}),
        ("typing.Mapping[str, int]", {dict}),
        ("set[str]", {set}),
        ("Literal['a', 2]", {str, int}),
    ],
)
def test_an_annotation_is_drawn_from(annotation: str, types: set[type]):
    strategy = annotated(ast.parse(annotation, mode="eval").body, Words())
    assert strategy is not None
    assert {type(value) for value in draw(strategy, 40, 1)} == types


@pytest.mark.parametrize("annotation", ["Path", "Callable[[int], str]", "list[Path]", "'not python ('"])
def test_an_annotation_of_what_is_no_plain_data_tells_nothing(annotation: str):
    assert annotated(ast.parse(annotation, mode="eval").body, Words()) is None


def test_constants_of_the_text_are_drawn():
    found = words(ast.parse("def f(x):\n    'docs are too long'\n    return x == 'magic' or x == 41 or x == b'%%'"))
    assert found == Words(("magic",), (41, 42, 40), (), (b"%%",))
    assert any("magic" in text for text in draw(KINDS["text"](found), 100, 0))


def test_calls_of_a_docstring_are_found():
    node = function('''def f(x, y=0):
    """
    >>> data = [1, 2]
    >>> f(data, y=3)
    >>> module.f('a')  # doctest: +SKIP
    >>> f(object())
    >>> f(
    """
''')
    assert calls_in_docstring(node) == [Call(([1, 2],), {"y": 3}), Call(("a",), {})]


def test_draws_end_where_there_are_few_values():
    assert sorted(draw(st.booleans(), 50, 0)) == [False, True]
    assert repr(OMITTED) == "OMITTED"
