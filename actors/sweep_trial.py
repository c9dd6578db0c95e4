"""A trial of a sweep, as a function of Tune's: the platform's trainer up to a rung, from its last checkpoint on.

With one process the trainer runs in Tune's own, which goes from trial to trial: a Ray Train group per segment would
cost more than a small model's training. With several they are a Ray Train group, as in ``jobs.train``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from ray import tune

from actors import training
from cetd.config.train import TrainJobConfig
from cetd.errors import InfrastructureError
from cetd.evaluation.metrics import METRICS_FILE, read_metrics, scalars
from cetd.parallel.mesh import Mesh
from cetd.sweeps.cells import Plan, Segment
from cetd.training.precision import choose
from cetd.training.preparation import first_model, open_data, prepared
from cetd.training.run import Outcome, TrainingRun
from cetd.training.trainer import Trainer

# Seconds between reports to the live table, beside those of evaluations.
REPORT_EVERY_S = 5.0

Told = Callable[[Mapping[str, Any]], object]


def trials(sweep: Path) -> Path:
    """Where the trials of a sweep have their folders."""
    return sweep / "trials"


def work(config: Mapping[str, Any], plan: Plan, folder: Path) -> None:
    """Train the segment that ``config`` names, and report the plan's metric at its end.

    What goes wrong with the trial itself is reported as ``error``; a process that is lost is Tune's to start again.
    """
    segment = Segment(config["cell"], config["seed"], config["rung"])
    trial, begun = trials(folder) / segment.trial, time.monotonic()
    job = prepared(plan.job(segment), trial)
    told = _Reports(plan)
    try:
        outcome = _alone(job, trial, told) if job.parallel.workers == 1 else training.train(job, trial, told)
        error = outcome.message
    except (ValueError, OSError, InfrastructureError) as failure:
        error = str(failure)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # others may have shares of the same GPU, and this process lives on
    reported = {} if error else _at(trial, plan.steps[segment.rung])
    tune.report(
        {
            **told.last,
            **reported,
            "tokens": told.last.get("tokens", 0) if error else plan.tokens(segment.rung),
            "error": error,
            "seconds": time.monotonic() - begun,
        }
    )


def _alone(config: TrainJobConfig, folder: Path, told: Told) -> Outcome:
    torch.set_num_threads(max(1, int(config.parallel.cpus)))
    device = torch.device("cuda" if config.parallel.gpus and torch.cuda.is_available() else "cpu")
    precision = choose(config.precision, torch.cuda.get_device_capability() if device.type == "cuda" else None)
    data = open_data(config)
    trainer = Trainer(first_model(config), data.train, config, Mesh(), precision, device)
    run = TrainingRun(trainer, data.validation, folder, lambda _: None, told)
    try:
        return run.train()
    finally:
        run.close()


def _at(trial: Path, step: int) -> dict[str, float]:
    """What was measured at a step; it stands in the trial's metrics also where the segment had ended before a kill."""
    lines = [line for line in read_metrics(trial / METRICS_FILE) if line["iteration"] == step]
    return dict(scalars(lines[-1])) if lines else {}


class _Reports:
    """Takes lines of metrics to Tune's table: evaluations, and a sign of life in between."""

    def __init__(self, plan: Plan) -> None:
        self.last: dict[str, Any] = {}
        self._plan, self._next = plan, 0.0

    def __call__(self, line: Mapping[str, Any]) -> None:
        self.last |= {**dict(scalars(line)), "tokens": line["iteration"] * self._plan.tokens_per_step}
        if "validation_loss" in line or time.monotonic() >= self._next:
            self._next = time.monotonic() + REPORT_EVERY_S
            tune.report(dict(self.last))
