"""Which examples a step learns from: a function of the seed and the step, whoever trains and however often."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from cetd.seeds import derive


def total_steps(examples: int, epochs: float, step_size: int, max_steps: int | None) -> int:
    """Optimizer steps of ``step_size`` examples that make up ``epochs`` passes, ``max_steps`` at most."""
    steps = max(1, math.ceil(examples * epochs / step_size))
    return min(steps, max_steps) if max_steps else steps


def examples_of_step(seed: int, examples: int, step: int, step_size: int) -> list[int]:
    """Indices of the examples of optimizer step ``step``: epochs in random order, one behind the other."""
    positions = range(step * step_size, (step + 1) * step_size)
    return [int(_epoch(seed, examples, position // examples)[position % examples]) for position in positions]


def row_seeds(seed: int, step: int, rows: range) -> list[int]:
    """Seeds of the dropout masks of the examples at places ``rows`` of a step."""
    return [derive("dropout", seed, step, row) for row in rows]


@lru_cache(maxsize=2)
def _epoch(seed: int, examples: int, epoch: int) -> np.ndarray:
    return np.random.default_rng(derive("epoch", seed, epoch)).permutation(examples)
