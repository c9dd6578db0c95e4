import math

from hypothesis import given
from hypothesis import strategies as st

from cetd.serving.rate_limit import RateLimit
from tests.cetd.serving.clock import Clock

# Steps of the clock that it holds exactly, so that a window is as long as the test says.
GAPS = st.lists(st.integers(0, 4096).map(lambda ticks: ticks / 1024), min_size=1, max_size=80)


@given(GAPS, st.integers(1, 900), st.integers(1, 8), st.booleans())
def test_no_window_admits_more_than_the_burst_and_its_rate(gaps, rpm, burst, own):
    clock = Clock(1000.0)
    limit = RateLimit(60 if own else rpm, burst, clock)
    admitted = []
    for gap in gaps:
        clock.now += gap
        for _ in range(burst + 1):
            if limit.take("a", rpm if own else None) == 0:
                admitted.append(clock.now)
    for first, begins in enumerate(admitted):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= burst + rpm / 60 * (admitted[last] - begins)


@given(st.integers(1, 900), st.integers(1, 8))
def test_who_waits_as_long_as_told_is_admitted_and_who_waits_less_is_not(rpm, burst):
    clock = Clock()
    limit = RateLimit(rpm, burst, clock)
    assert all(limit.take("a") == 0 for _ in range(burst))
    wait = limit.take("a")
    assert 60 / rpm <= wait <= 60 / rpm + 2e-9
    clock.now = wait - 1e-6
    assert limit.take("a") > 0
    clock.now = wait + 1e-8
    assert limit.take("a") == 0


def test_a_rest_fills_the_bucket_up_to_the_burst_only():
    clock = Clock()
    limit = RateLimit(60, 3, clock)
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 1]
    clock.now = 3600
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 1]


def test_names_have_buckets_and_rates_of_their_own():
    limit = RateLimit(60, 1, Clock())
    assert limit.take("a") == 0
    assert limit.take("b", 6) == 0
    assert (limit.take("a"), limit.take("b", 6)) == (1, 10)


def test_full_buckets_are_forgotten_and_others_are_not_for_a_newcomer():
    clock = Clock()
    limit = RateLimit(60, 2, clock, most_names=2)
    assert (limit.take("a"), limit.take("b"), limit.take("b")) == (0, 0, 0)
    # a is full again after 1 s, b after 2.
    assert math.isclose(limit.take("c"), 1)
    clock.now = 1
    assert (limit.take("c"), len(limit)) == (0, 2)
    assert (limit.take("b"), limit.take("b")) == (0, 1)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), max_size=80))
def test_there_are_never_more_buckets_than_allowed(steps):
    clock = Clock()
    limit = RateLimit(60, 2, clock, most_names=5)
    for name, gap in steps:
        clock.now += gap
        limit.take(str(name))
        assert len(limit) <= 5
