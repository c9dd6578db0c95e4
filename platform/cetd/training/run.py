"""A training run from its start, or its newest checkpoint, to its end: steps, evaluations, checkpoints, and stopping.

Knows files and processes, not Ray. Every process makes a :class:`TrainingRun`; the one that leads writes the metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cetd.evaluation.metrics import MetricsLog
from cetd.training.keeper import Keeper, OnCheckpoint
from cetd.training.stopping import Best, DivergedError, LossWatch
from cetd.training.trainer import Examples, StepResult, Trainer

Status = Literal["finished", "paused", "stopped early", "diverged"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``diverged`` carries a line for the user."""

    status: Status
    step: int
    loss: float
    best_step: int = 0
    best_loss: float | None = None
    message: str = ""


class TrainingRun:
    """What a run carries from step to step beside the trainer."""

    def __init__(
        self,
        trainer: Trainer,
        validation: Examples | None,
        folder: Path,
        on_checkpoint: OnCheckpoint,
        told: Callable[[Mapping[str, Any]], object] | None = None,
    ) -> None:
        """Go on from the newest checkpoint in ``folder``; ``told`` gets each line of metrics, of the leading process.

        Raises:
            CheckpointError: the checkpoint is damaged or of another model.
        """
        config = trainer.config
        self.trainer, self.validation, self.config = trainer, validation, config
        self.keeper = Keeper(trainer, folder / "checkpoints", config.checkpoint.keep, on_checkpoint)
        state = self.keeper.restore()
        self.best = Best(**state.get("best", {}))
        self.watch = LossWatch(**state.get("watch", {}))
        self.loss = state.get("loss", float("nan"))
        leads = trainer.mesh.data_rank == 0 and trainer.mesh.tensor_rank == 0
        self._metrics = MetricsLog(folder, purge_from=trainer.step + 1) if leads else None
        self._told = told
        self._begun, self._tokens = time.monotonic(), 0

    def train(self) -> Outcome:
        """Run to the end or the pause, or until evaluations no longer improve or the loss has left its course.

        Raises:
            InfrastructureError: the last checkpoint could not be written.
        """
        trainer, config = self.trainer, self.config
        end = min(config.pause_at or trainer.total_steps, trainer.total_steps)
        while trainer.step < end and not self.best.exhausted(config.early_stop):
            result = trainer.train_step()
            self.loss = result.loss
            try:
                self.watch.check(trainer.step, result.loss, config.loss_watch)
            except DivergedError as error:
                return self._diverged(error)
            self.keeper.poll()
            last = trainer.step == end
            evaluated = self._evaluate() if trainer.step % config.evaluate_every == 0 or last else {}
            self._log(result, evaluated)
            if evaluated.get("improved") or last or trainer.step % config.checkpoint.every == 0:
                self.keeper.save({"best": asdict(self.best), "watch": asdict(self.watch), "loss": self.loss})
        self.keeper.close()
        if trainer.step >= trainer.total_steps:
            return self._outcome("finished")
        return self._outcome("paused" if trainer.step >= end else "stopped early")

    def close(self) -> None:
        if self._metrics:
            self._metrics.close()

    def _evaluate(self) -> dict[str, float]:
        if self.validation is None:
            return {}
        loss = self.trainer.evaluate(self.validation)
        stop = self.config.early_stop
        improved = self.best.evaluated(self.trainer.step, loss, stop.min_delta if stop else 0.0)
        return {"validation_loss": loss, "improved": improved}

    def _log(self, result: StepResult, evaluated: Mapping[str, float]) -> None:
        if self._metrics:
            self._tokens += result.tokens
            rate = self._tokens / (time.monotonic() - self._begun)
            shown = {"iteration": self.trainer.step, "steps": self.trainer.total_steps, **asdict(result), **evaluated}
            if warning := self.keeper.take_warning():
                shown["warning"] = warning
            line = {**shown, "tokens_per_s": rate}
            self._metrics.write(line)
            if self._told:
                self._told(line)

    def _diverged(self, error: DivergedError) -> Outcome:
        self.keeper.finish()
        newest = self.keeper.newest
        good = f"the last good checkpoint is {newest}" if newest else "there is no checkpoint yet"
        remedy = "lower optimizer.learning_rate or optimizer.clip and run the same command again: it resumes there"
        return self._outcome("diverged", f"{error}; {good}; {remedy}")

    def _outcome(self, status: Status, message: str = "") -> Outcome:
        best = self.best.loss if self.best.step else None
        return Outcome(status, self.trainer.step, self.loss, self.best.step, best, message)
