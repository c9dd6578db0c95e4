"""Weights & Biases and MLflow beside TensorBoard, through Ray's integrations.

Opened by the driver, which sees each line of metrics once whatever becomes of the workers. The trackers' names of a run
stand in its folder, so that a run that goes on is one run there too. Keys come from the trackers' own variables
(WANDB_API_KEY, MLFLOW_TRACKING_TOKEN) and are never written.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from cetd import durable
from cetd.config.train import TrainJobConfig
from cetd.evaluation.metrics import scalars

log = logging.getLogger("train")

NAMES = "tracking.json"

Told = Callable[[Mapping[str, Any]], None]


@contextmanager
def tracking(config: TrainJobConfig, folder: Path) -> Iterator[Told]:
    """Takes each line of metrics to the trackers that ``config`` names.

    Raises:
        ValueError: a tracker cannot be reached or lets nobody in.
    """
    path = folder / NAMES
    names = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    trackers: list[Told] = []
    with ExitStack() as opened:
        if config.tracking.wandb_project:
            trackers.append(opened.enter_context(_wandb(config, folder, names)))
        if config.tracking.mlflow_uri:
            trackers.append(opened.enter_context(_mlflow(config, names)))
        if names:
            durable.write_text(path, json.dumps(names))
        yield lambda line: _tell(trackers, line)


def _tell(trackers: list[Told], line: Mapping[str, Any]) -> None:
    for tracker in trackers:
        tracker(line)


@contextmanager
def _wandb(config: TrainJobConfig, folder: Path, names: dict[str, str]) -> Iterator[Told]:
    import wandb
    from ray.air.integrations.wandb import setup_wandb

    names.setdefault("wandb", uuid.uuid4().hex)
    try:
        run = setup_wandb(
            config.model_dump(mode="json"),
            rank_zero_only=False,
            project=config.tracking.wandb_project,
            trial_id=names["wandb"],
            trial_name=config.run.name,
            dir=str(folder),
        )
    except (ValueError, wandb.Error) as error:
        remedy = "set WANDB_API_KEY, or WANDB_MODE=offline to keep it in the run's folder"
        raise ValueError(f"tracking.wandb_project={config.tracking.wandb_project}: {_line(error)}; {remedy}") from error
    try:
        yield lambda line: run.log(dict(scalars(line)), step=line["iteration"])
    finally:
        run.finish()


@contextmanager
def _mlflow(config: TrainJobConfig, names: dict[str, str]) -> Iterator[Told]:
    import mlflow
    from mlflow.exceptions import MlflowException
    from ray.air.integrations.mlflow import setup_mlflow

    # By default a server that does not answer is waited for by minutes, at each line again.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    uri, experiment = config.tracking.mlflow_uri or "", config.tracking.mlflow_experiment
    try:
        if "mlflow" in names:  # Ray goes on with a run that is active
            mlflow.set_tracking_uri(uri)
            mlflow.set_experiment(experiment)
            mlflow.start_run(run_id=names["mlflow"])
        setup_mlflow(
            {} if "mlflow" in names else config.model_dump(mode="json"),
            tracking_uri=uri,
            experiment_name=experiment,
            create_experiment_if_not_exists=True,
            run_name=config.run.name,
            rank_zero_only=False,
        )
    except MlflowException as error:
        raise ValueError(
            f"tracking.mlflow_uri={uri}: {_line(error)}; name a server that answers, or unset it"
        ) from error
    run = mlflow.active_run()
    assert run is not None
    names["mlflow"] = run.info.run_id
    lost = False

    def told(line: Mapping[str, Any]) -> None:
        nonlocal lost
        if lost:
            return
        try:
            mlflow.log_metrics(dict(scalars(line)), step=line["iteration"])
        except MlflowException as error:
            # The run's own record is its folder: training neither ends nor waits because a tracker is gone.
            lost = True
            log.warning("MLflow has no steps from %d on: %s", line["iteration"], _line(error))

    try:
        yield told
    finally:
        with suppress(MlflowException):  # said above
            mlflow.end_run()


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
