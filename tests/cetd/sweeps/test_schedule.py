"""What is next, and that a killed sweep goes on as it stood."""

from __future__ import annotations

import math
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.sweeps.cells import Segment
from cetd.sweeps.ledger import Event
from cetd.sweeps.proposals import scheduled
from cetd.sweeps.schedule import Schedule
from tests.cetd.sweeps.sweeping import loss_of, planned, swept

PLAN = planned(seeds=2)


def worked(events: list[Event], rng: Random, workers: int, most: int) -> list[Event]:
    """Go on from ``events`` with so many workers that end in any order, for so many further events at most."""
    schedule, made = scheduled(PLAN, events), []
    while len(made) < most:
        while len(schedule.running) < workers and (segment := schedule.next()):
            made.append(Event("begun", segment))
        if not schedule.running:
            break
        segment = rng.choice(sorted(schedule.running, key=str))
        loss = loss_of(PLAN, segment)
        made.append(Event("ended", segment, loss))
        schedule.end(segment, loss)
    return [*events, *made]


def test_one_worker_trains_the_seeds_of_a_cell_and_then_the_next() -> None:
    first = [event.segment for event in swept(PLAN) if event.kind == "ended"][:4]
    assert [one.seed for one in first] == [0, 1, 0, 1]
    assert first[0].cell == first[1].cell != first[2].cell
    assert {one.rung for one in first} == {0}


def test_the_best_cell_comes_to_the_last_rung_for_a_fraction_of_the_grid() -> None:
    ended = [event for event in swept(PLAN) if event.kind == "ended"]
    last = {event.segment.cell for event in ended if event.segment.rung == 2}
    assert next(iter(PLAN.cells)) in last
    steps = sum(event.steps for event in ended)
    assert steps < len(PLAN.cells) * 2 * PLAN.steps[-1] / 3


def test_every_cell_has_come_to_the_first_rung_before_one_goes_on() -> None:
    begun = [event.segment for event in swept(PLAN) if event.kind == "begun"]
    first_promoted = next(place for place, segment in enumerate(begun) if segment.rung)
    assert {segment.cell for segment in begun[:first_promoted]} == set(PLAN.cells)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 999), st.integers(1, 4), st.lists(st.integers(1, 30), max_size=4))
def test_a_sweep_killed_anywhere_trains_nothing_twice_and_keeps_its_rungs(
    seed: int, workers: int, kills: list[int]
) -> None:
    rng, events = Random(seed), []
    for after in kills:
        events = worked(events, rng, workers, after)
        before, again = scheduled(PLAN, events), scheduled(PLAN, events)
        assert before.asha.losses == again.asha.losses
        begun = {event.segment for event in events if event.kind == "begun"}
        open_ = [one for one in begun if one not in before.ended]
        assert {before.next() for _ in open_} == set(open_), "what was cut off is handed out first"
    events = worked(events, rng, workers, 10_000)
    ended = [event.segment for event in events if event.kind == "ended"]
    assert len(set(ended)) == len(ended)
    assert scheduled(PLAN, events).finished
    for cell in PLAN.cells:
        assert {Segment(cell, 0, 0), Segment(cell, 1, 0)} <= set(ended)
    assert any(one.rung == 2 for one in ended)
    for one in ended:
        assert one.rung == 0 or Segment(one.cell, one.seed, one.rung - 1) in ended


def test_a_cell_stands_with_the_mean_of_the_seeds_that_did_not_fail() -> None:
    schedule = Schedule(rungs=2, reduction=2, seeds=3, propose=lambda tried: None if tried else "a")
    segments = [schedule.next() for _ in range(3)]
    assert schedule.next() is None
    for segment, loss in zip(segments, (1.0, math.inf, 3.0), strict=True):
        assert segment
        schedule.end(segment, loss)
    assert schedule.asha.losses[0] == {"a": 2.0}
    assert [schedule.next(), schedule.next(), schedule.next()] == [Segment("a", 0, 1), Segment("a", 2, 1), None]


def test_a_sweep_in_which_all_fails_ends() -> None:
    failing = frozenset(f"{cell}-s{seed}" for cell in PLAN.cells for seed in range(2))
    assert {event.segment.rung for event in swept(PLAN, failing)} == {0}
