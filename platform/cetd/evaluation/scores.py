"""Figures of a set of rollouts: what the progress display, the metrics and the summary say about them.

Unscored reconstructions and rollouts without a reward leave every mean; a mean of nothing is None, never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

from cetd.feedback.rollout import Rollout
from cetd.sandbox.outcome import Unscored


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of what is there; None where nothing is. The order does not matter, to the bit."""
    present = [value for value in values if value is not None]
    return fsum(present) / len(present) if present else None


def mean_reward(rollouts: Iterable[Rollout]) -> float | None:
    """Mean reward of the rollouts that have one."""
    return mean(rollout.reward.value for rollout in rollouts if rollout.reward)


def mean_leakage(rollouts: Iterable[Rollout]) -> float | None:
    """Mean leakage of the rollouts that have a reward."""
    return mean(rollout.reward.leakage for rollout in rollouts if rollout.reward)


def mean_tokens(rollouts: Iterable[Rollout]) -> float | None:
    """Mean length of the requirements in tokens."""
    return mean(len(rollout.sample.tokens) for rollout in rollouts)


def pass_rates(rollouts: Sequence[Rollout]) -> dict[str, float | None]:
    """Mean pass rate of each LLM over its scored reconstructions, in the order in which the LLMs appear."""
    rates: dict[str, list[float | None]] = {}
    for rollout in rollouts:
        for one in rollout.reconstructions:
            rates.setdefault(one.llm, []).append(one.pass_rate)
    return {llm: mean(values) for llm, values in rates.items()}


def unscored(rollouts: Iterable[Rollout]) -> int:
    """Reconstructions that infrastructure left without a score."""
    return sum(isinstance(one.outcome, Unscored) for rollout in rollouts for one in rollout.reconstructions)


def cached_share(rollouts: Iterable[Rollout]) -> float | None:
    """Share of reconstructions that the reward cache answered."""
    return mean(float(one.cached) for rollout in rollouts for one in rollout.reconstructions)
