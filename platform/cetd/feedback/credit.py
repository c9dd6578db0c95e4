"""From the rollouts of an iteration to the learner's batch: advantages by group, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from cetd import seeds
from cetd.config import FeedbackConfig
from cetd.feedback.advantages import advantages, shuffle
from cetd.feedback.batch import Batch
from cetd.feedback.rollout import Rollout


def credit(rollouts: Sequence[Rollout], config: FeedbackConfig, run_seed: int, iteration: int) -> list[Rollout]:
    """Rollouts with their advantage and status, ordered by (app, sample); below the quorum they have none.

    In the control run (``shuffle_rewards``) advantages come from permuted rewards; the record keeps the true ones.
    """
    ordered = sorted(rollouts, key=lambda rollout: (rollout.sample.app_id, rollout.sample.sample))
    values = [rollout.reward.value if rollout.reward else None for rollout in ordered]
    if config.shuffle_rewards:
        values = shuffle(values, seeds.derive(run_seed, iteration, "shuffle"))
    credited = []
    pairs = zip(ordered, values, strict=True)
    for _, group in groupby(pairs, key=lambda pair: pair[0].sample.app_id):
        members = list(group)
        scores = advantages([value for _, value in members], config.advantage)
        for (rollout, _), score in zip(members, scores, strict=True):
            status = "dropped_quorum" if score is None else "trained"
            credited.append(replace(rollout, advantage=score, status=status))
    return credited


def to_batch(rollouts: Sequence[Rollout], sources: Mapping[str, list[int]], iteration: int) -> Batch:
    """The batch of the rollouts that count; ``sources`` gives the tokens that the policy read, by app."""
    counted = [rollout for rollout in rollouts if rollout.advantage is not None]
    apps = sorted({rollout.sample.app_id for rollout in counted})
    return Batch(
        iteration=iteration,
        sources=[sources[app] for app in apps],
        rows=[apps.index(rollout.sample.app_id) for rollout in counted],
        targets=[list(rollout.sample.tokens) for rollout in counted],
        log_probs=[list(rollout.sample.log_probs) for rollout in counted],
        advantages=[rollout.advantage for rollout in counted if rollout.advantage is not None],
    )
