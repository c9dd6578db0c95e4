"""When to stop: evaluations that no longer improve, losses that are no numbers or have left their course.

Pure state machines whose state is plain numbers, so that a resumed run decides as an uninterrupted one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

from cetd.config.train import EarlyStopConfig, LossWatchConfig


class DivergedError(ValueError):
    """Training has lost its way; the message is one line for the user."""


@dataclass
class Best:
    """The best evaluation so far, and how many have passed since."""

    loss: float = math.inf
    step: int = 0
    since: int = 0

    def evaluated(self, step: int, loss: float, min_delta: float = 0.0) -> bool:
        """Take an evaluation into account; whether it is the best."""
        if loss < self.loss - min_delta:
            self.loss, self.step, self.since = loss, step, 0
            return True
        self.since += 1
        return False

    def exhausted(self, config: EarlyStopConfig | None) -> bool:
        return config is not None and self.since >= config.patience


@dataclass
class LossWatch:
    """Watches the loss of every step."""

    recent: list[float] = field(default_factory=list)
    spikes: int = 0

    def check(self, step: int, loss: float, config: LossWatchConfig) -> None:
        """Take a step's loss into account.

        Raises:
            DivergedError: it is no number, or the last ``config.steps`` were all above ``config.factor`` x the median.
        """
        if not math.isfinite(loss):
            raise DivergedError(f"step {step}: the loss is {loss}")
        usual = median(self.recent) if len(self.recent) == config.window else math.inf
        self.spikes = self.spikes + 1 if loss > config.factor * usual else 0
        if self.spikes >= config.steps:
            raise DivergedError(
                f"step {step}: the loss is {loss:.4g}, for {config.steps} steps above {config.factor:g} x {usual:.4g}"
            )
        if not self.spikes:
            self.recent = [*self.recent, loss][-config.window :]
