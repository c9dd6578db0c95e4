"""Log-probabilities of given tokens: the code that trains, and that generation's records are measured against."""

from __future__ import annotations

import torch
from torch import Tensor

from cetd.models.encoder_decoder import EncoderDecoder


def token_log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    """Log-probability (batch, target), in fp32, of each of ``targets`` (batch, target) under ``logits``."""
    logits = logits.float()
    chosen = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return chosen - logits.logsumexp(-1)


def sequence_log_probs(
    model: EncoderDecoder,
    input_ids: Tensor,
    attention_mask: Tensor,
    targets: Tensor,
    target_mask: Tensor,
    *,
    rows: Tensor | None = None,
    start_id: int = 0,
) -> Tensor:
    """Log-probability of each target token given those before it; 0 where ``target_mask`` is false.

    Args:
        input_ids, attention_mask: (apps, source).
        targets, target_mask: (batch, target); the decoder reads them shifted right behind ``start_id``.
        rows: (batch,) index of each target's app, so that the encoder runs once per app; None where they pair up.

    Returns:
        (batch, target).
    """
    states = model.encode(input_ids, attention_mask)
    if rows is not None:
        states, attention_mask = states[rows], attention_mask[rows]
    start = torch.full_like(targets[:, :1], start_id)
    logits = model.decode(torch.cat([start, targets[:, :-1]], dim=1), states, attention_mask)
    return token_log_probs(logits, targets).masked_fill(~target_mask.bool(), 0.0)
