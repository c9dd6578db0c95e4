from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.data.recorded.parameters import Call, call, parameters, parse_call, values_of
from cetd.data.recorded.values import CLOSE_SOURCE, close, is_plain, parse, text_of
from tests.cetd.data.recorded.functions import function

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.binary()
)
hashable = st.recursive(scalars, lambda inner: st.tuples(inner) | st.frozensets(inner, max_size=3), max_leaves=5)
plain = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(hashable, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(plain)
@settings(max_examples=150, deadline=None)
def test_every_plain_value_comes_back_from_its_text(value: object):
    assert is_plain(value)
    back = parse(text_of(value))
    assert type(back) is type(value)
    assert back == value
    assert text_of(back) == text_of(value)
    assert close(back, value)


@given(st.lists(plain, max_size=3), st.dictionaries(st.sampled_from("abc"), plain, max_size=3))
@settings(max_examples=50, deadline=None)
def test_every_call_comes_back_from_its_text(positional: list[object], named: dict[str, object]):
    made = Call(tuple(positional), named)
    assert parse_call(made.text) == made


def test_sets_are_written_in_one_order_and_can_be_empty():
    assert text_of({"b", "a"}) == "{'a', 'b'}"
    assert text_of((set(), frozenset(), frozenset({1}))) == "(set(), frozenset(), frozenset({1}))"


def test_what_is_no_plain_data_is_told():
    class Text(str):
        pass

    for value in (object(), Text(), float("nan"), float("inf"), [Text()], {1: object()}, range(3), bytearray()):
        assert not is_plain(value)


def test_floats_may_differ_a_little_and_nothing_else_may():
    assert close([0.1 + 0.2, {"a": 1.0}], [0.3, {"a": 1}])
    assert not close([0.31], [0.3])
    assert not close((0.3,), [0.3])
    assert not close(None, 0.3)
    namespace: dict = {}
    exec(CLOSE_SOURCE, namespace)
    assert namespace["close"](0.1 + 0.2, 0.3)


def test_options_are_passed_by_name_where_they_can_be():
    def text(source: str, *values: object) -> str:
        found = parameters(function(source))
        made = call(found, values)
        assert values_of(found, made) == list(values)
        return made.text

    assert text("def f(x, y=1): ...", "a", 2) == "'a', y=2"
    assert text("def f(x, y=1, /): ...", "a", 2) == "'a', 2"
    assert text("def f(x, y=1, *rest, z): ...", "a", 2, (3,), 4) == "'a', 2, 3, z=4"
    assert text("def f(*rest): ...", ()) == ""
