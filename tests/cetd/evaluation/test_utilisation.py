import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.evaluation.utilisation import StageClock

INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)).map(lambda pair: (pair[0], sum(pair))))


def clock(*intervals, stage="test"):
    made = StageClock()
    for number, (start, end) in enumerate(intervals):
        made.add(stage, f"w{number % 2}", start, end)
    return made


def test_overlapping_workers_of_a_stage_count_once():
    made = clock((0, 4), (2, 6), (8, 9))
    assert made.busy_seconds("test") == 7
    assert made.worker_seconds("test") == {"w0": 5, "w1": 4}
    assert made.busy_seconds("update") == 0


def test_efficiency_is_the_share_of_the_busiest_stage():
    made = clock((0, 9))
    made.add("update", "learner", 5, 10)
    assert made.shares(10) == {"generate": 0, "reconstruct": 0, "test": 0.9, "update": 0.5}
    assert made.efficiency(10) == 0.9
    assert made.efficiency(0) == 0


def test_window_leaves_out_what_lies_before_the_steady_state():
    made = clock((0, 4), (6, 10))
    assert made.busy_seconds("test", since=3) == 5
    assert made.busy_seconds("test", since=3, until=7) == 2
    assert made.busy_seconds("test", since=4, until=6) == 0
    assert made.efficiency(5, since=5, until=10) == 0.8


@given(INTERVALS, st.integers(-5, 60), st.integers(-5, 60))
def test_busy_time_is_the_measure_of_the_union(intervals, one, other):
    since, until = min(one, other), max(one, other)
    seconds = {t for start, end in intervals for t in range(start, end)}
    assert clock(*intervals).busy_seconds("test") == len(seconds)
    assert clock(*intervals).busy_seconds("test", since, until) == len([t for t in seconds if since <= t < until])


@given(INTERVALS, st.randoms())
def test_order_of_arrival_does_not_matter(intervals, shuffler):
    expected = clock(*intervals).busy_seconds("test")
    shuffler.shuffle(intervals)
    assert clock(*intervals).busy_seconds("test") == expected


def test_hundred_thousand_late_intervals_are_cheap():
    made, draw = StageClock(), random.Random(0)
    for step in range(100_000):
        start = step * 0.01 - draw.random()
        made.add("test", "w", start, start + 0.005)
    assert 300 < made.busy_seconds("test") < 500


def test_unknown_stage_and_backward_interval_are_refused():
    with pytest.raises(ValueError, match="known stages are generate, reconstruct, test, update"):
        StageClock().add("tests", "w", 0, 1)
    with pytest.raises(ValueError, match="must not end before it starts"):
        StageClock().add("test", "w", 1, 0)
    with pytest.raises(ValueError, match="known stages"):
        StageClock().worker_seconds("tests")
