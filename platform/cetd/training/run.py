"""A training run from its start, or its newest checkpoint, to its end: steps, evaluations, checkpoints, and stopping.

Knows files and processes, not Ray. Every process calls :func:`train`; the one that leads writes the metrics.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from cetd.evaluation.metrics import MetricsLog
from cetd.training.keeper import Keeper, OnCheckpoint
from cetd.training.stopping import Best, DivergedError, LossWatch
from cetd.training.trainer import Examples, StepResult, Trainer

log = logging.getLogger(__name__)

# Seconds between lines of progress.
LINE_EVERY_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``diverged`` carries a line for the user."""

    status: Literal["finished", "stopped early", "diverged"]
    step: int
    loss: float
    best_step: int = 0
    best_loss: float | None = None
    message: str = ""


class TrainingRun:
    """What a run carries from step to step beside the trainer."""

    def __init__(
        self, trainer: Trainer, validation: Examples | None, folder: Path, on_checkpoint: OnCheckpoint
    ) -> None:
        config = trainer.config
        self.trainer, self.validation, self.config = trainer, validation, config
        self.keeper = Keeper(trainer, folder / "checkpoints", config.checkpoint.keep, on_checkpoint)
        state = self.keeper.restore()
        self.best = Best(**state.get("best", {}))
        self.watch = LossWatch(**state.get("watch", {}))
        leads = trainer.mesh.data_rank == 0 and trainer.mesh.tensor_rank == 0
        self._metrics = MetricsLog(folder, purge_from=trainer.step + 1) if leads else None
        self._begun, self._tokens, self._next_line = time.monotonic(), 0, 0.0

    def train(self) -> Outcome:
        """Run to the end, or until evaluations no longer improve or the loss has left its course.

        Raises:
            InfrastructureError: the last checkpoint could not be written.
        """
        trainer, config = self.trainer, self.config
        result: StepResult | None = None
        while trainer.step < trainer.total_steps and not self.best.exhausted(config.early_stop):
            result = trainer.train_step()
            try:
                self.watch.check(trainer.step, result.loss, config.loss_watch)
            except DivergedError as error:
                return self._diverged(error, result)
            self.keeper.poll()
            last = trainer.step == trainer.total_steps
            improved = self._evaluate() if trainer.step % config.evaluate_every == 0 or last else False
            self._log(result, last)
            if improved or last or trainer.step % config.checkpoint.every == 0:
                self.keeper.save({"best": asdict(self.best), "watch": asdict(self.watch)})
        self.keeper.close()
        status = "finished" if trainer.step == trainer.total_steps else "stopped early"
        return self._outcome(status, result.loss if result else float("nan"))

    def close(self) -> None:
        if self._metrics:
            self._metrics.close()

    def _evaluate(self) -> bool:
        """Whether there was an evaluation that is the best so far."""
        if self.validation is None:
            return False
        loss = self.trainer.evaluate(self.validation)
        stop = self.config.early_stop
        improved = self.best.evaluated(self.trainer.step, loss, stop.min_delta if stop else 0.0)
        if self._metrics:
            self._metrics.write({"iteration": self.trainer.step, "validation_loss": loss})
            shown = ", the best so far" if improved else ""
            log.info("step %d: validation loss %.4f%s", self.trainer.step, loss, shown)
        return improved

    def _log(self, result: StepResult, last: bool) -> None:
        if self._metrics is None:
            return
        self._tokens += result.tokens
        now = time.monotonic()
        rate = self._tokens / (now - self._begun)
        self._metrics.write({"iteration": self.trainer.step, **asdict(result), "tokens_per_s": rate})
        if last or now >= self._next_line:
            self._next_line = now + LINE_EVERY_S
            log.info(
                "step %d of %d: loss %.4f, gradient norm %.3g, learning rate %.3g, %.0f tokens/s",
                self.trainer.step,
                self.trainer.total_steps,
                result.loss,
                result.grad_norm,
                result.learning_rate,
                rate,
            )

    def _diverged(self, error: DivergedError, result: StepResult) -> Outcome:
        self.keeper.finish()
        newest = self.keeper.newest
        good = f"the last good checkpoint is {newest}" if newest else "there is no checkpoint yet"
        message = f"{error}; {good}; lower optimizer.learning_rate or optimizer.clip"
        return self._outcome("diverged", result.loss, message)

    def _outcome(
        self, status: Literal["finished", "stopped early", "diverged"], loss: float, message: str = ""
    ) -> Outcome:
        best = self.best.loss if self.best.step else None
        return Outcome(status, self.trainer.step, loss, self.best.step, best, message)
