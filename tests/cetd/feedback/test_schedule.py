"""The staleness bound, held for every order in which rollouts arrive."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.feedback.schedule import Decision, Schedule


def carry_out(schedule: Schedule, decision: Decision | None) -> None:
    assert decision is not None
    if decision.action == "train":
        schedule.begin(decision)
    schedule.end(decision)


def test_synchronous_mode_is_one_after_the_other() -> None:
    schedule = Schedule(iterations=3, max_staleness=0)
    for iteration in range(3):
        assert schedule.dispatch() == iteration
        assert schedule.dispatch() is None, "the next waits for the update"
        assert schedule.decide() is None, "nothing has arrived"
        schedule.arrive(iteration)
        decision = schedule.decide()
        assert decision == Decision(iteration, "train", 0)
        carry_out(schedule, decision)
    assert schedule.finished
    assert schedule.version == 3


def test_back_pressure_bounds_what_is_in_flight() -> None:
    schedule = Schedule(iterations=9, max_staleness=2)
    assert [schedule.dispatch() for _ in range(4)] == [0, 1, 2, None]


def test_an_iteration_overtaken_too_often_is_dropped() -> None:
    schedule = Schedule(iterations=9, max_staleness=1)
    assert schedule.dispatch() == 0
    for overtaking in (1, 2):
        assert schedule.dispatch() == overtaking
        schedule.arrive(overtaking)
        decision = schedule.decide()
        assert decision is not None
        carry_out(schedule, decision)
    schedule.arrive(0)
    assert schedule.decide() == Decision(0, "drop", 2)


def test_nothing_is_decided_while_an_update_runs() -> None:
    schedule = Schedule(iterations=3, max_staleness=1)
    for _ in range(2):
        iteration = schedule.dispatch()
        assert iteration is not None
        schedule.arrive(iteration)
    decision = schedule.decide()
    assert decision is not None
    schedule.begin(decision)
    assert schedule.decide() is None


@given(st.integers(1, 30), st.integers(0, 4), st.integers(0, 10**6))
def test_every_iteration_ends_once_and_none_is_trained_on_too_late(iterations: int, staleness: int, seed: int) -> None:
    rng = random.Random(seed)
    schedule = Schedule(iterations, staleness)
    flying: list[int] = []
    ended: list[int] = []
    while not schedule.finished:
        while (iteration := schedule.dispatch()) is not None:
            flying.append(iteration)
        assert len(flying) <= staleness + 1
        if flying and rng.random() < 0.8:
            schedule.arrive(flying.pop(rng.randrange(len(flying))))
        while decision := schedule.decide():
            assert (decision.action == "train") == (decision.staleness <= staleness)
            carry_out(schedule, decision)
            ended.append(decision.iteration)
        if rng.random() < 0.2:  # killed: what was in flight is drawn again
            schedule = Schedule.from_cursor(schedule.cursor(), iterations, staleness)
            flying = []
    assert sorted(ended) == list(range(iterations))


def test_restored_rollouts_are_trained_on_without_being_drawn_again() -> None:
    schedule = Schedule(iterations=4, max_staleness=1, version=2, ended=[0, 1])
    schedule.restore(2, version=2)
    assert schedule.dispatch() == 3
    assert schedule.decide() == Decision(2, "train", 0)


@pytest.mark.parametrize("ended", [[], [0, 1, 2], [0, 3], [5]])
def test_the_cursor_round_trips(ended: list[int]) -> None:
    schedule = Schedule(8, 2, version=len(ended), ended=ended)
    again = Schedule.from_cursor(schedule.cursor(), 8, 2)
    assert (again.ended, again.version) == (set(ended), len(ended))
