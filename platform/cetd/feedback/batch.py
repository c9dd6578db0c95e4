"""The learner's batch: rollouts of one iteration as tokens, and how ragged rows become tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Rollouts of one iteration as the learner needs them; tokens by row.

    ``sources[rows[i]]`` is what the policy read for ``targets[i]``; ``log_probs[i]`` and ``advantages[i]`` go with it.
    """

    iteration: int
    sources: list[list[int]]
    rows: list[int]
    targets: list[list[int]]
    log_probs: list[list[float]]
    advantages: list[float]


def pad(sequences: list[list[int]] | list[list[float]], value: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(batch, longest) of ``dtype`` filled up with ``value``, and the mask of the real entries."""
    longest = max(len(sequence) for sequence in sequences)
    padded = torch.full((len(sequences), longest), value, dtype=dtype)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        padded[row, : len(sequence)] = torch.tensor(sequence, dtype=dtype)
        mask[row, : len(sequence)] = True
    return padded, mask
