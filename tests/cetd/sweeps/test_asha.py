"""Asynchronous successive halving: who goes on, and that some candidate always arrives."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from cetd.sweeps.asha import Asha

LOSSES = st.lists(st.floats(0, 9) | st.just(math.inf), min_size=1, max_size=20)


def standing(losses: list[float], rungs: int = 3, reduction: int = 3) -> Asha:
    """All candidates have come to the first rung."""
    asha = Asha(rungs, reduction)
    for number, loss in enumerate(losses):
        asha.begin(f"{number:02d}", 0)
        asha.record(f"{number:02d}", 0, loss)
    return asha


def promoted(asha: Asha) -> list[tuple[str, int]]:
    found = []
    while chosen := asha.promotion():
        asha.begin(*chosen)
        found.append(chosen)
    return found


def test_the_best_third_of_a_rung_goes_on_the_best_first() -> None:
    assert promoted(standing([3.0, 1.0, 2.0, 6.0, 5.0, 4.0, 9.0])) == [("01", 1), ("02", 1)]


def test_nobody_goes_on_before_there_are_enough_to_compare() -> None:
    assert standing([1.0, 2.0]).promotion() is None


def test_a_promotion_to_a_higher_rung_comes_before_one_to_a_lower() -> None:
    asha = standing([float(number) for number in range(9)])
    for number in range(3):
        asha.begin(f"{number:02d}", 1)
        asha.record(f"{number:02d}", 1, 9.0 - number)
    asha.begin("09", 0)
    asha.record("09", 0, -1.0)
    assert promoted(asha) == [("02", 2), ("09", 1)]


def test_a_better_latecomer_goes_on_beside_those_that_went_before() -> None:
    asha = standing([2.0, 3.0, 4.0])
    assert promoted(asha) == [("00", 1)]
    asha.begin("03", 0)
    asha.record("03", 0, 1.0)
    assert promoted(asha) == [("03", 1)]


@given(LOSSES, st.integers(2, 4))
def test_only_the_best_of_a_rung_go_on_each_once_and_no_failure_does(losses: list[float], reduction: int) -> None:
    asha = standing(losses, reduction=reduction)
    chosen = [candidate for candidate, _ in promoted(asha)]
    ranked = sorted((loss, f"{number:02d}") for number, loss in enumerate(losses) if math.isfinite(loss))
    assert chosen == [candidate for _, candidate in ranked][: len(losses) // reduction]


@given(LOSSES, st.integers(2, 4), st.integers(1, 4))
def test_the_last_resort_brings_a_candidate_to_the_last_rung_unless_all_failed(
    losses: list[float], reduction: int, rungs: int
) -> None:
    asha = standing(losses, rungs, reduction)
    while chosen := asha.promotion() or asha.last_resort():
        asha.begin(*chosen)
        asha.record(*chosen, losses[int(chosen[0])])
    finite = [loss for loss in losses if math.isfinite(loss)]
    assert bool(asha.losses[-1]) == (bool(finite) or rungs == 1)
    if finite and rungs > 1:
        assert min(asha.losses[-1].values()) == min(finite), "losses that keep their order: the best arrives"
