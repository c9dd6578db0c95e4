"""When training stops."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.config.train import EarlyStopConfig, LossWatchConfig
from cetd.training.stopping import Best, DivergedError, LossWatch

WATCH = LossWatchConfig(window=4, factor=3.0, steps=2)


def test_patience_counts_evaluations_that_do_not_fall_enough() -> None:
    best, stop = Best(), EarlyStopConfig(patience=2, min_delta=0.1)
    told = [best.evaluated(step, loss, stop.min_delta) for step, loss in enumerate([2.0, 1.95, 1.5, 1.45, 1.41])]
    assert told == [True, False, True, False, False]
    assert (best.loss, best.step, best.exhausted(stop)) == (1.5, 2, True)
    assert not best.exhausted(None)


@given(st.lists(st.floats(0.01, 10), min_size=1))
def test_the_best_is_the_least_of_all(losses: list[float]) -> None:
    best = Best()
    for step, loss in enumerate(losses):
        best.evaluated(step, loss)
    assert (best.loss, best.step) == (min(losses), losses.index(min(losses)))
    assert best.since == len(losses) - 1 - best.step


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_the_run_at_once(loss: float) -> None:
    with pytest.raises(DivergedError, match="step 7: the loss is"):
        LossWatch().check(7, loss, WATCH)


def test_spikes_in_a_row_end_the_run_and_a_single_one_does_not() -> None:
    watch = LossWatch()
    for step, loss in enumerate([1.0, 1.0, 1.0, 1.0, 9.0, 1.0, 9.0]):
        watch.check(step, loss, WATCH)
    with pytest.raises(DivergedError, match="for 2 steps above 3 x 1"):
        watch.check(7, 9.0, WATCH)


def test_nothing_is_a_spike_before_the_window_is_full() -> None:
    watch = LossWatch()
    for step, loss in enumerate([1.0, 50.0, 50.0, 50.0]):
        watch.check(step, loss, WATCH)


@given(st.lists(st.floats(1.0, 2.9), max_size=40))
def test_losses_that_stay_within_the_factor_never_end_a_run(losses: list[float]) -> None:
    watch = LossWatch()
    for step, loss in enumerate(losses):
        watch.check(step, loss, WATCH)
    assert len(watch.recent) == min(len(losses), WATCH.window)
