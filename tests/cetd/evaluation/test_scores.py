from dataclasses import replace

import pytest

from cetd.evaluation import scores
from cetd.sandbox.outcome import TimedOut, Unscored
from tests.cetd.evaluation.runs import rollout, scored


def test_unscored_reconstructions_leave_the_pass_rates():
    rollouts = [
        rollout("a", 0, 0, [scored(6), Unscored("dead"), TimedOut(2.0)]),
        rollout("b", 0, 0, [scored(3), Unscored("dead"), scored(6)]),
    ]
    assert scores.pass_rates(rollouts) == {"small": 0.75, "medium": None, "large": 0.5}
    assert scores.unscored(rollouts) == 2


def test_rollouts_below_the_quorum_leave_the_mean_reward():
    good, lost = rollout("a", 0, 0, [scored(6)] * 3), rollout("b", 0, 0, [Unscored("dead")] * 3)
    assert lost.reward is None
    assert scores.mean_reward([good, lost]) == pytest.approx(1.0)
    assert scores.mean_leakage([good, lost]) == 0.0


def test_mean_of_nothing_is_none():
    assert scores.mean_reward([]) is None
    assert scores.mean_reward([rollout("b", 0, 0, [Unscored("dead")] * 3)]) is None
    assert scores.cached_share([]) is None
    assert scores.pass_rates([]) == {}


def test_lengths_and_cache_share():
    one = rollout("a", 0, 0, [scored(6), scored(6)])
    half = replace(one, reconstructions=(replace(one.reconstructions[0], cached=True), one.reconstructions[1]))
    assert scores.cached_share([half]) == 0.5
    assert scores.mean_tokens([half]) == 3
