"""Advantages of the rollouts of one group, and the shuffle of the control run.

A rollout without a reward (``None``) has no advantage and leaves the baseline. A group that cannot tell its rollouts
apart (fewer than two rewards, or all equal) teaches nothing: its advantages are exactly 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt
from typing import Literal, TypeVar

from cetd.seeds import derive

Kind = Literal["grpo", "grpo-no-std", "rloo", "none"]
T = TypeVar("T")

EPSILON = 1e-6


def advantages(rewards: Sequence[float | None], kind: Kind) -> list[float | None]:
    """Advantages of one group, parallel to ``rewards``; None stays None.

    - ``grpo``: (reward - mean) / (population standard deviation + 1e-6) (Shao et al. 2024, DeepSeekMath, 4.1.2);
    - ``grpo-no-std``: reward - mean (Liu et al. 2025, "Dr. GRPO");
    - ``rloo``: reward - mean of the *other* rewards (Ahmadian et al. 2024);
    - ``none``: the reward itself, without a baseline, whatever the others are.
    """
    if kind == "none":
        return list(rewards)
    scored = [reward for reward in rewards if reward is not None]
    if len(scored) < 2 or min(scored) == max(scored):
        return [None if reward is None else 0.0 for reward in rewards]
    mean = fsum(scored) / len(scored)
    factor = _factor(scored, mean, kind)
    return [None if reward is None else (reward - mean) * factor for reward in rewards]


def _factor(scored: Sequence[float], mean: float, kind: Kind) -> float:
    match kind:
        case "grpo":
            deviation = sqrt(fsum((reward - mean) ** 2 for reward in scored) / len(scored))
            return 1 / (deviation + EPSILON)
        case "rloo":
            # reward - (sum - reward) / (n - 1) = n / (n - 1) * (reward - mean)
            return len(scored) / (len(scored) - 1)
        case _:
            return 1.0


def shuffle(rewards: Sequence[T | None], seed: int) -> list[T | None]:
    """Permute the rewards of a whole batch (every group of an iteration) over its scored rollouts.

    The control run's answer to "does the policy learn from the rewards, or from being trained?". The permutation
    depends on ``seed`` and the number of scored rollouts only; None keeps its place.
    """
    places = [place for place, reward in enumerate(rewards) if reward is not None]
    order = sorted(range(len(places)), key=lambda rank: derive(seed, "shuffle", rank))
    shuffled = list(rewards)
    for place, rank in zip(places, order, strict=True):
        shuffled[place] = rewards[places[rank]]
    return shuffled
