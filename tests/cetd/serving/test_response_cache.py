from hypothesis import given
from hypothesis import strategies as st

from cetd.serving.response_cache import ResponseCache
from tests.cetd.serving.clock import Clock

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcdé"), st.binary(max_size=12)),
        st.tuples(st.just("get"), st.sampled_from("abcdé"), st.just(b"")),
        st.tuples(st.just("wait"), st.floats(0, 4), st.just(b"")),
    ),
    max_size=60,
)


@given(STEPS, st.integers(0, 30), st.sampled_from([0.0, 1.0, 3.0]))
def test_it_is_never_above_its_bound_and_never_answers_what_is_too_old_or_was_replaced(steps, max_bytes, ttl_s):
    clock = Clock()
    cache = ResponseCache(ttl_s, max_bytes, clock)
    newest = {}
    for step, key, value in steps:
        if step == "wait":
            clock.now += key
        elif step == "put":
            cache.put(key, value)
            newest[key] = (value, clock.now)
        else:
            found = cache.get(key)
            assert found is None or (found == newest[key][0] and clock.now - newest[key][1] < ttl_s)
        alive = {key: entry.value for key, entry in cache._entries.items()}
        assert cache.size == sum(len(key.encode()) + len(value) for key, value in alive.items()) <= max_bytes


def test_the_least_recently_used_leaves_first_and_is_counted():
    cache = ResponseCache(60, 9, Clock())
    for key in "abc":
        cache.put(key, b"xx")
    assert cache.get("a") == b"xx"
    cache.put("d", b"xx")
    assert [cache.get(key) for key in "abcd"] == [b"xx", None, b"xx", b"xx"]
    assert (cache.hits, cache.misses, cache.evictions) == (4, 1, 1)


def test_a_value_leaves_when_its_time_is_over():
    clock = Clock()
    cache = ResponseCache(300, 100, clock)
    cache.put("a", b"x")
    clock.now = 299.9
    assert cache.get("a") == b"x"
    clock.now = 300
    assert cache.get("a") is None
    assert (cache.size, cache.evictions) == (0, 0)


def test_a_value_above_the_bound_is_not_kept_and_drops_none_but_its_predecessor():
    cache = ResponseCache(300, 10, Clock())
    cache.put("a", b"x")
    cache.put("b", b"x")
    cache.put("b", b"x" * 10)
    assert (cache.get("a"), cache.get("b"), cache.evictions) == (b"x", None, 0)


def test_no_time_keeps_nothing():
    cache = ResponseCache(0, 100, Clock())
    cache.put("a", b"x")
    assert cache.get("a") is None
    assert cache.size == 0


def test_a_key_is_the_content_and_the_version_in_any_order():
    key = ResponseCache.key("cetd:1", {"inputs": ["é\ud800"], "seed": 0})
    assert key == ResponseCache.key("cetd:1", {"seed": 0, "inputs": ["é\ud800"]})
    others = [("cetd:2", {"inputs": ["é\ud800"], "seed": 0}), ("cetd:1", {"inputs": ["é"], "seed": 0})]
    assert len({key, *(ResponseCache.key(*other) for other in others)}) == 3
