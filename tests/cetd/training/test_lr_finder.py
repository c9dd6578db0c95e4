"""The learning-rate range test."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from cetd.training.lr_finder import FIRST_RATE, LAST_RATE, suggestion, sweep
from tests.cetd.training.training import job, trainer_of


def test_the_suggestion_is_where_the_loss_falls_fastest() -> None:
    rates = [10 ** (-6 + step / 10) for step in range(50)]
    points = [(rate, 3 - 2 / (1 + math.exp(-4 * (math.log10(rate) + 3.5)))) for rate in rates]
    # The moving mean lags a little behind.
    assert 10**-3.5 <= suggestion(points) <= 10**-2.5


def test_a_loss_that_falls_nowhere_suggests_nothing() -> None:
    with pytest.raises(ValueError, match="the loss falls nowhere in 20 steps"):
        suggestion([(10 ** (-step / 5), 2.0) for step in range(20, 0, -1)])
    with pytest.raises(ValueError, match="falls nowhere in 2 steps"):
        suggestion([(1e-3, 2.0), (1e-2, 1.0)])


def test_the_rate_of_a_real_model_is_swept_until_it_diverges() -> None:
    points = sweep(trainer_of(job()), steps=60)
    rates = [rate for rate, _ in points]
    assert rates[0] == FIRST_RATE
    assert all(later > earlier for earlier, later in pairwise(rates))
    assert rates[-1] <= LAST_RATE
    assert 1e-5 < suggestion(points) < 1.0
