from collections import Counter
from statistics import fmean, pstdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cetd.feedback.advantages import EPSILON, advantages, shuffle

REWARDS = st.lists(st.none() | st.floats(-3, 3), max_size=10)
KINDS = ["grpo", "grpo-no-std", "rloo", "none"]
BASELINED = st.sampled_from(KINDS[:3])


def scored(values):
    return [value for value in values if value is not None]


def test_grpo_divides_by_the_deviation():
    assert advantages([0.0, 1.0], "grpo") == pytest.approx([-0.5 / (0.5 + EPSILON), 0.5 / (0.5 + EPSILON)])


def test_grpo_no_std_subtracts_the_mean():
    assert advantages([0.0, 0.5, 1.0], "grpo-no-std") == pytest.approx([-0.5, 0.0, 0.5])


def test_rloo_baseline_is_the_mean_of_the_others():
    assert advantages([0.0, 0.5, 1.0], "rloo") == pytest.approx([-0.75, 0.0, 0.75])


@given(REWARDS)
def test_none_keeps_the_rewards(rewards):
    assert advantages(rewards, "none") == rewards


@given(REWARDS, BASELINED)
def test_unscored_rollout_has_no_advantage_and_leaves_the_group_baseline(rewards, kind):
    got = advantages(rewards, kind)
    assert [value is None for value in got] == [reward is None for reward in rewards]
    assert scored(got) == advantages(scored(rewards), kind)


@given(REWARDS, BASELINED)
def test_advantages_of_a_group_sum_to_zero(rewards, kind):
    got = scored(advantages(rewards, kind))
    assert sum(got) == pytest.approx(0, abs=1e-6)


@given(st.floats(-3, 3), st.integers(0, 6), BASELINED)
def test_group_without_spread_teaches_nothing(value, size, kind):
    assert advantages([value] * size + [None], kind) == [0.0] * size + [None]


@given(REWARDS, BASELINED, st.floats(0.5, 2), st.floats(-1, 1))
def test_order_within_the_group_is_kept(rewards, kind, scale, shift):
    values = scored(rewards)
    got = scored(advantages(values, kind))
    for (low, a), (high, b) in zip(
        sorted(zip(values, got, strict=True)), sorted(zip(values, got, strict=True))[1:], strict=False
    ):
        assert low <= high
        assert a <= b


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=10))
def test_grpo_has_unit_deviation(rewards):
    assume(pstdev(rewards) > 0.01)
    got = scored(advantages(rewards, "grpo"))
    assert fmean(got) == pytest.approx(0, abs=1e-6)
    assert pstdev(got) == pytest.approx(1, abs=1e-3)


@given(REWARDS, st.integers(0, 2**63 - 1))
def test_shuffle_permutes_the_scored_and_moves_no_none(rewards, seed):
    got = shuffle(rewards, seed)
    assert Counter(got) == Counter(rewards)
    assert [value is None for value in got] == [reward is None for reward in rewards]
    assert got == shuffle(rewards, seed)


def test_shuffle_depends_on_the_seed_and_moves_nearly_everything():
    rewards = list(range(128))
    first, second = shuffle(rewards, 1), shuffle(rewards, 2)
    assert first != second
    assert sum(a == b for a, b in zip(first, rewards, strict=True)) < 10
