"""From rollouts to the learner's batch."""

import pytest

from cetd.config import FeedbackConfig
from cetd.feedback.credit import credit, to_batch
from cetd.feedback.rollout import Reward, Rollout, Sample


def rollout(app: str, sample: int, value: float | None) -> Rollout:
    drawn = Sample(app, 4, sample, 1, 3, "text", (5 + sample, 1), (-0.5, -0.1 * (sample + 1)))
    reward = None if value is None else Reward(value, value, 0.0, 0.0, 2)
    return Rollout(drawn, (), reward)


ROLLOUTS = [
    rollout("b", 0, 1.0),
    rollout("a", 1, 0.0),
    rollout("a", 0, 1.0),
    rollout("b", 1, None),
    rollout("a", 2, 0.5),
]


def test_advantages_are_within_the_group_and_what_has_no_reward_leaves_the_batch() -> None:
    credited = credit(ROLLOUTS, FeedbackConfig(advantage="grpo-no-std"), 0, 4)
    shown = [(r.sample.app_id, r.sample.sample, r.advantage, r.status) for r in credited]
    assert shown == [
        ("a", 0, 0.5, "trained"),
        ("a", 1, -0.5, "trained"),
        ("a", 2, 0.0, "trained"),
        ("b", 0, 0.0, "trained"),
        ("b", 1, None, "dropped_quorum"),
    ]


def test_the_batch_pairs_targets_with_their_source() -> None:
    batch = to_batch(credit(ROLLOUTS, FeedbackConfig(), 0, 4), {"a": [7, 8], "b": [9]}, 4)
    assert batch.sources == [[7, 8], [9]]
    assert batch.rows == [0, 0, 0, 1]
    assert batch.targets == [[5, 1], [6, 1], [7, 1], [5, 1]]
    assert batch.log_probs[1] == [-0.5, -0.2]
    assert len(batch.advantages) == 4


def test_the_control_run_permutes_what_is_learnt_from_but_not_the_record() -> None:
    many = [rollout(app, sample, float(sample)) for app in "abcd" for sample in range(4)]
    config = FeedbackConfig(advantage="none", shuffle_rewards=True)
    credited = credit(many, config, 0, 4)
    learnt = [r.advantage for r in credited]
    recorded = [r.reward.value for r in credited if r.reward]
    assert sorted(filter(None, learnt)) == sorted(filter(None, recorded))
    assert learnt != recorded
    assert learnt == [r.advantage for r in credit(many, config, 0, 4)]
    assert learnt != [r.advantage for r in credit(many, config, 1, 4)]


def test_an_iteration_without_rewards_makes_an_empty_batch() -> None:
    credited = credit([rollout("a", 0, None)], FeedbackConfig(), 0, 4)
    assert to_batch(credited, {}, 4).targets == []
    assert [r.status for r in credited] == ["dropped_quorum"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_arrival_does_not_matter(order: int) -> None:
    assert credit(ROLLOUTS[::order], FeedbackConfig(), 0, 4) == credit(ROLLOUTS, FeedbackConfig(), 0, 4)
