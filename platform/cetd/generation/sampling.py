"""Drawing tokens from logits: temperature, top-k, top-p, and a seed per row.

A row's draw depends on its seed, its step and its logits only, never on the rows beside it, so a retry in another batch
repeats it. The uniform numbers come from a counter-based generator, evaluated for all rows at once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cetd.config import SamplingConfig

# SplitMix64 (Steele, Lea and Flood 2014): increment and the two multipliers, as signed 64-bit integers.
_INCREMENT = 0x9E3779B97F4A7C15 - 2**64
_MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
_SHIFTS = (30, 27, 31)


def uniform(seeds: Tensor, step: int | Tensor) -> Tensor:
    """One number in [0, 1) per row, fp64 (rows,), from int64 ``seeds`` (rows,): output ``step`` of SplitMix64."""
    state = seeds + torch.full_like(seeds, _INCREMENT) * (step + 1)  # wraps around, as it should
    for shift, multiplier in zip(_SHIFTS, (*_MULTIPLIERS, 1), strict=True):
        state = (state ^ _shifted(state, shift)) * multiplier
    return _shifted(state, 11).double() * 2.0**-53


def draw(logits: Tensor, sampling: SamplingConfig, seeds: Tensor, step: int | Tensor) -> Tensor:
    """Token (rows,) for each row of ``logits`` (rows, vocabulary); the likeliest at temperature 0.

    ``step`` counts the tokens drawn before, of all rows or of each (rows,).
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = truncate(logits / sampling.temperature, sampling)
    cumulative = logits.softmax(-1).double().cumsum(-1)
    # Scaled by the total, which rounding leaves a little off 1, so that the last likely token ends the range.
    point = uniform(seeds, step) * cumulative[:, -1]
    return torch.searchsorted(cumulative, point.unsqueeze(-1), right=True).squeeze(-1).clamp(max=logits.shape[-1] - 1)


def truncate(logits: Tensor, sampling: SamplingConfig) -> Tensor:
    """``logits`` (rows, vocabulary) with what top-k and top-p leave out at minus infinity.

    Top-p (Holtzman et al. 2020) keeps the smallest set of likeliest tokens whose mass reaches ``top_p``, at least one.
    """
    if sampling.top_k and sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if sampling.top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        mass = ordered.softmax(-1)
        outside = mass.cumsum(-1) - mass >= sampling.top_p  # mass before the token
        logits = logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
    return logits


def _shifted(value: Tensor, places: int) -> Tensor:
    """Logical shift right: torch's is arithmetic."""
    return (value >> places) & (2 ** (64 - places) - 1)
