"""A sweep under Ray Tune: Tune places the work and shows the table, the ledger decides and remembers.

Each of Tune's trials is one segment: a cell and a seed, trained up to a rung. What is next is a function of the ledger,
which is on disk before Tune hears of it, so nothing of Tune's own state has to survive a kill (its schedulers forget
their rungs on restore).
"""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from actors.sweep_trial import work
from cetd.errors import InfrastructureError
from cetd.sweeps.cells import Plan, Segment, SweepError
from cetd.sweeps.ledger import Event, Ledger
from cetd.sweeps.proposals import scheduled
from cetd.sweeps.schedule import Schedule

log = logging.getLogger("sweep")

TABLE_EVERY_S = 15
# What a trial's own process takes that only starts and watches a Ray Train group.
WATCHING_CPUS = 0.1


def run(plan: Plan, folder: Path, told: Callable[[], object]) -> None:
    """Train what the ledger in ``folder`` leaves to be done, under the Ray that this process is connected to.

    Args:
        told: called when a segment has ended and is in the ledger.

    Raises:
        SweepError: no trial reports the metric.
        InfrastructureError: it was interrupted; the same command goes on.
    """
    ledger = Ledger(folder)
    schedule = scheduled(plan, ledger.read())
    if schedule.finished:
        return
    sweep = _Sweep(plan, schedule, ledger, told)
    # Tune's scratch: the trials' own folders are the record.
    scratch = folder / "tune"
    shutil.rmtree(scratch, ignore_errors=True)
    _quiet()
    trial = plan.config.trial
    tune.Tuner(
        tune.with_resources(tune.with_parameters(work, plan=plan, folder=folder), _resources(plan)),
        tune_config=tune.TuneConfig(
            search_alg=_Next(sweep),
            num_samples=-1,
            max_concurrent_trials=trial.concurrency,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=lambda one: f"{_name(one)}-{one.trial_id}",
        ),
        run_config=tune.RunConfig(
            name="live",
            storage_path=str(scratch),
            verbose=1,
            callbacks=[_Ended(sweep)],
            failure_config=tune.FailureConfig(max_failures=trial.max_failures),
            progress_reporter=tune.CLIReporter(
                parameter_columns=["rung"],
                metric_columns=["tokens", "loss", "validation_loss", "tokens_per_s"],
                max_report_frequency=TABLE_EVERY_S,
            ),
        ),
    ).fit()
    shutil.rmtree(scratch, ignore_errors=True)
    if sweep.unusable:
        raise SweepError(sweep.unusable)
    if not schedule.finished:
        raise InfrastructureError("sweep: interrupted; run the same command again: it resumes")


def wanted(plan: Plan) -> tuple[float, float]:
    """CPUs and GPUs that all trials that run at once set aside together."""
    trial = plan.config.trial
    watching = WATCHING_CPUS if trial.workers > 1 else 0.0
    return (
        trial.concurrency * (trial.workers * trial.cpus + watching),
        trial.concurrency * trial.workers * trial.gpus,
    )


class _Sweep:
    """What Tune's two hooks share: the schedule, the ledger, and which segment a trial of Tune's is."""

    def __init__(self, plan: Plan, schedule: Schedule, ledger: Ledger, told: Callable[[], object]) -> None:
        self.plan, self.schedule, self.unusable = plan, schedule, ""
        self._ledger, self._told = ledger, told
        self._segments: dict[str, Segment] = {}

    def begin(self, trial_id: str) -> Segment | None:
        segment = self.schedule.next()
        if segment:
            self._segments[trial_id] = segment
            self._ledger.append(Event("begun", segment))
        return segment

    def end(self, trial_id: str, result: dict[str, Any]) -> None:
        segment, metric = self._segments.pop(trial_id), self.plan.config.metric
        error = result["error"]
        if not error and not isinstance(result.get(metric), float):
            known = sorted(name for name, value in result.items() if isinstance(value, float) and "time" not in name)
            self.unusable = (
                f"metric={metric}: no trial reports it; reported are {', '.join(known)}; begin anew with --restart"
            )
            return
        before = self.plan.steps[segment.rung - 1] if segment.rung else 0
        steps = max(0, result.get("tokens", 0) // self.plan.tokens_per_step - before)
        loss, seconds = math.inf if error else result[metric], result.get("seconds", 0.0)
        event = Event("ended", segment, loss, seconds, steps, error)
        if error:
            log.warning("%s failed: %s", segment.trial, error)
        else:
            log.info("%s: %s %.4f at %d tokens", segment.trial, metric, loss, self.plan.tokens(segment.rung))
        self._ledger.append(event)
        self.schedule.end(segment, event.loss)
        self._told()


class _Next(Searcher):
    """Tune asks it for every trial."""

    def __init__(self, sweep: _Sweep) -> None:
        super().__init__()
        self._sweep = sweep

    def suggest(self, trial_id: str) -> Any:
        if self._sweep.unusable or self._sweep.schedule.finished:
            return Searcher.FINISHED
        segment = self._sweep.begin(trial_id)
        if segment is None:
            return None
        return {"cell": segment.cell, "seed": segment.seed, "rung": segment.rung}

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        """Nothing: :class:`_Ended` hears of it, with the reason of a failure."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the state."""


class _Ended(tune.Callback):
    """Tune tells it what has become of a trial."""

    def __init__(self, sweep: _Sweep) -> None:
        self._sweep = sweep

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._sweep.end(trial.trial_id, trial.last_result)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        path = trial.error_file
        said = Path(path).read_text(encoding="utf-8", errors="replace").strip() if path else ""
        reason = said.splitlines()[-1] if said else "its process was lost"
        self._sweep.end(trial.trial_id, {**trial.last_result, "error": reason})


def _resources(plan: Plan) -> dict[str, float]:
    trial = plan.config.trial
    if trial.workers > 1:
        return {"cpu": WATCHING_CPUS}
    return {"cpu": trial.cpus} | ({"gpu": trial.gpus} if trial.gpus else {})


def _name(trial: Trial) -> str:
    config = trial.config
    return f"{config['cell']}-s{config['seed']}-rung{config['rung']}"


def _quiet() -> None:
    """Tune's table, but not its loggers' files, a box around every result, and tracebacks of what is told anyway."""
    os.environ.update(RAY_AIR_NEW_OUTPUT="0", TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", RAY_CHDIR_TO_TRIAL_DIR="0")
    for name in ("ray.tune.execution.tune_controller", "ray.tune.tune", "ray.tune.analysis.experiment_analysis"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
