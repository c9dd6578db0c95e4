"""The reward of one requirements text, from the pass rates of its reconstructions.

Requirements must be understood by *every* reconstruction LLM: disagreement between them costs. Unscored
reconstructions (``None``) are our fault, not the text's: they leave the mean and the spread, and below the quorum
there is no reward at all. Knows nothing of who measured the pass rates, or of groups and baselines.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt

from cetd.config import FeedbackConfig
from cetd.feedback.rollout import Reward


def reward(pass_rates: Sequence[float | None], leakage: float, config: FeedbackConfig) -> Reward | None:
    """``reward_scale * (mean - variance_penalty * spread) - leakage_penalty * leakage`` over the scored pass rates.

    ``spread`` is the population variance or standard deviation, as ``config.spread`` says. The order of the pass
    rates does not matter, to the bit. None where fewer than ``config.quorum`` pass rates are scored.

    Raises:
        ValueError: a pass rate or the leakage lies outside [0, 1].
    """
    scored = [rate for rate in pass_rates if rate is not None]
    for name, share in [("leakage", leakage), *(("pass rate", rate) for rate in scored)]:
        if not 0 <= share <= 1:
            raise ValueError(f"{name}={share}: must lie in [0, 1]")
    if len(scored) < config.quorum:
        return None
    mean = fsum(scored) / len(scored)
    variance = fsum((rate - mean) ** 2 for rate in scored) / len(scored)
    spread = variance if config.spread == "variance" else sqrt(variance)
    value = config.reward_scale * (mean - config.variance_penalty * spread) - config.leakage_penalty * leakage
    return Reward(value=value, mean=mean, spread=spread, leakage=leakage, scored=len(scored))
