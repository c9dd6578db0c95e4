"""The learning-rate range test (Smith 2017): the loss while the rate rises, and the rate that it suggests."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cetd.training.trainer import Trainer

FIRST_RATE, LAST_RATE, STEPS = 1e-7, 1.0, 100
# The test is over once the loss is so many times its least value.
DIVERGED = 4.0
# A fall that is less than this, relative to the first loss, is none.
ROUNDING = 1e-6
# Weight of the past in the moving mean that the noise is taken out with.
_MEMORY = 0.9

# (learning rate, loss)
Point = tuple[float, float]


def sweep(trainer: Trainer, steps: int = STEPS) -> list[Point]:
    """Train while the rate rises from 1e-7 to 1 by equal factors, until the loss diverges; the model is spent."""
    points: list[Point] = []
    for step in range(steps):
        rate = FIRST_RATE * (LAST_RATE / FIRST_RATE) ** (step / (steps - 1))
        loss = trainer.train_step(rate).loss
        if not math.isfinite(loss):
            break
        points.append((rate, loss))
        if smoothed(points)[-1] > DIVERGED * min(smoothed(points)):
            break
    return points


def suggestion(points: Sequence[Point]) -> float:
    """The rate at which the smoothed loss falls fastest per factor of the rate.

    Raises:
        ValueError: there are fewer than three points, or the loss falls nowhere.
    """
    losses = smoothed(points)
    falls = [(losses[i + 1] - losses[i - 1], points[i][0]) for i in range(1, len(points) - 1)]
    steepest = min(falls, default=(0.0, 0.0))
    if not losses or steepest[0] > -ROUNDING * losses[0]:
        raise ValueError(f"lr_finder: the loss falls nowhere in {len(points)} steps; is there enough data?")
    return steepest[1]


def smoothed(points: Sequence[Point]) -> list[float]:
    """The moving mean of the losses, freed of its start at nothing (as Adam's moments are)."""
    mean, means = 0.0, []
    for count, (_, loss) in enumerate(points, start=1):
        mean = _MEMORY * mean + (1 - _MEMORY) * loss
        means.append(mean / (1 - _MEMORY**count))
    return means
