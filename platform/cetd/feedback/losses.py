"""Policy losses over the tokens of requirements texts.

All tensors are ``(batch, target)``, the mask true on tokens that the policy drew (end-of-sequence included). Every
loss is a *sum* divided by a ``denominator`` that the caller counts over the whole optimizer step (tokens or sequences):
so the losses of data-parallel workers and of accumulated parts add up to the loss of the undivided batch. What stands
at masked positions never matters, not even an infinity.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Ratios beyond e^20 are a broken run, not an estimate: bounded, they stay finite and give no gradient.
LARGEST_LOG_RATIO = 20.0


def clipped(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    clip_ratio: float,
    *,
    denominator: float,
) -> tuple[Tensor, dict[str, float]]:
    """The clipped surrogate of PPO (Schulman et al. 2017, eq. 7), per token.

    Args:
        log_probs: (batch, target), of the policy in training; carries the gradient.
        old_log_probs: (batch, target), as recorded when the tokens were drawn.
        advantages: (batch,) one per sequence, or (batch, target).
        mask: (batch, target), bool.
        clip_ratio: ratios are clipped to 1 ± this.
        denominator: tokens or sequences of the whole optimizer step.

    Returns:
        The scalar loss, and for the log ``clip_fraction`` (share of tokens whose gradient the clip removed),
        ``mean_ratio`` (1 where the policy is the one that drew) and ``kl`` (k3 estimate of KL(old || new) per
        token). They are divided by ``denominator`` and add up as the loss does; means per token where it counts tokens.
    """
    mask = mask.bool()
    advantages = _per_token(advantages, log_probs)
    log_ratio = _log_ratio(log_probs, old_log_probs.detach(), mask)
    ratio = log_ratio.exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - clip_ratio, 1 + clip_ratio) * advantages)
    loss = -_masked_sum(surrogate, mask) / _checked(denominator)
    with torch.no_grad():
        cut = ((ratio > 1 + clip_ratio) & (advantages > 0)) | ((ratio < 1 - clip_ratio) & (advantages < 0))
        sums = {
            "clip_fraction": _masked_sum(cut.to(ratio.dtype), mask),
            "mean_ratio": _masked_sum(ratio, mask),
            "kl": _masked_sum(ratio - 1 - log_ratio, mask),
        }
    return loss, {name: float(total) / denominator for name, total in sums.items()}


def reward_weighted(
    log_probs: Tensor, weights: Tensor, mask: Tensor, *, denominator: float, scale: float = 1.0
) -> Tensor:
    """``-scale * sum(weight * log_prob) / denominator``: likelihood weighted by reward or advantage.

    Args:
        log_probs: (batch, target).
        weights: (batch,) or (batch, target): rewards or advantages.
        mask: (batch, target), bool.
        denominator: tokens or sequences of the whole optimizer step.
        scale: factor on the loss; leave at 1 where the rewards carry ``reward_scale`` already.
    """
    weighted = log_probs.masked_fill(~mask.bool(), 0.0) * _per_token(weights, log_probs)
    return -scale * _masked_sum(weighted, mask) / _checked(denominator)


def k3(log_probs: Tensor, reference_log_probs: Tensor, mask: Tensor, *, denominator: float) -> Tensor:
    """Estimate of KL(policy || reference) from the policy's own draws: ``exp(d) - 1 - d``, d = reference - policy.

    Unbiased, never negative, of low variance (Schulman 2020, "Approximating KL divergence", the third estimator).
    All tensors are (batch, target); ``denominator`` as everywhere here.
    """
    difference = _log_ratio(reference_log_probs.detach(), log_probs, mask.bool())
    return _masked_sum(difference.exp() - 1 - difference, mask) / _checked(denominator)


def _log_ratio(above: Tensor, below: Tensor, mask: Tensor) -> Tensor:
    difference = above.masked_fill(~mask, 0.0) - below.masked_fill(~mask, 0.0)  # (batch, target)
    return difference.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)


def _masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask.bool(), 0.0).sum()


def _per_token(weights: Tensor, log_probs: Tensor) -> Tensor:
    weights = weights.detach()
    return (weights.unsqueeze(-1) if weights.dim() == 1 else weights).expand_as(log_probs)  # (batch, target)


def _checked(denominator: float) -> float:
    if not denominator > 0:
        raise ValueError(f"denominator={denominator}: must be the positive token or sequence count of the whole step")
    return denominator
