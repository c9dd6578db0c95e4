import math
from statistics import fmean, pstdev, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.config import FeedbackConfig
from cetd.feedback.rewards import reward

RATES = st.lists(st.none() | st.floats(0, 1), max_size=6)
SHARE = st.floats(0, 1)
CONFIG = st.builds(
    FeedbackConfig,
    reward_scale=st.floats(0.1, 10),
    variance_penalty=st.floats(0, 2),
    leakage_penalty=st.floats(0, 2),
    spread=st.sampled_from(["variance", "std"]),
    quorum=st.integers(1, 4),
)


def test_formula_by_hand():
    config = FeedbackConfig(reward_scale=2.0, variance_penalty=0.5, leakage_penalty=0.25)
    got = reward([1.0, 0.5, None], leakage=0.4, config=config)
    assert got is not None
    assert (got.mean, got.spread, got.leakage, got.scored) == (0.75, 0.0625, 0.4, 2)
    assert got.value == pytest.approx(2 * (0.75 - 0.5 * 0.0625) - 0.25 * 0.4)


def test_spread_can_be_the_standard_deviation():
    got = reward([1.0, 0.5], 0.0, FeedbackConfig(spread="std", variance_penalty=1.0))
    assert got is not None
    assert got.spread == pytest.approx(0.25)
    assert got.value == pytest.approx(0.5)


@given(RATES, SHARE, CONFIG)
def test_unscored_pass_rates_leave_mean_and_spread(rates, leakage, config):
    scored = [rate for rate in rates if rate is not None]
    got = reward(rates, leakage, config)
    if len(scored) < config.quorum:
        assert got is None
        return
    assert got is not None
    assert got == reward(scored, leakage, config)
    assert got.scored == len(scored)
    assert got.mean == pytest.approx(fmean(scored), abs=1e-12)
    spread = pvariance(scored) if config.spread == "variance" else pstdev(scored)
    assert got.spread == pytest.approx(spread, abs=1e-7)


@given(RATES, SHARE, CONFIG)
def test_order_of_the_llms_does_not_matter_to_the_bit(rates, leakage, config):
    assert reward(rates, leakage, config) == reward(rates[::-1], leakage, config)


@given(RATES, SHARE, SHARE, CONFIG)
def test_more_leakage_never_pays(rates, one, other, config):
    less, more = reward(rates, min(one, other), config), reward(rates, max(one, other), config)
    if less is not None and more is not None:
        assert more.value <= less.value


@given(st.floats(0, 1), st.integers(2, 5), CONFIG)
def test_agreement_costs_nothing(rate, llms, config):
    got = reward([rate] * max(llms, config.quorum), 0.0, config)
    assert got is not None
    assert got.value == pytest.approx(config.reward_scale * rate, abs=1e-6)


@pytest.mark.parametrize(("rates", "leakage"), [([1.1, 0.5], 0.0), ([-0.1, 0.5], 0.0), ([0.5, 0.5], math.nan)])
def test_shares_outside_the_unit_interval_are_refused(rates, leakage):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        reward(rates, leakage, FeedbackConfig())
