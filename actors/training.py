"""Supervised training under Ray Train: places the workers, restarts lost ones, and tells how it goes.

A lost worker or node ends the group; Ray Train starts it again and it goes on from the newest checkpoint, with the
curve of a run that lost none. Arithmetic and files are :mod:`cetd.training`'s.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
import torch.distributed as dist
from ray.exceptions import RayError
from ray.train.torch import TorchTrainer, get_device
from ray.train.v2.api.exceptions import TrainingFailedError, WorkerGroupError

from cetd import durable
from cetd.config.train import TrainJobConfig
from cetd.errors import InfrastructureError
from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.parallel.mesh import Mesh, MeshError, make_mesh
from cetd.training.lr_finder import Point, sweep
from cetd.training.precision import Precision, choose
from cetd.training.preparation import first_model, open_data
from cetd.training.run import Outcome, TrainingRun
from cetd.training.trainer import Trainer

log = logging.getLogger("train")

OUTCOME, PLACEMENT, SWEEP = "outcome.json", "placement.json", "lr-finder.json"
POLL_S = 0.5


@dataclass(frozen=True)
class Place:
    """Where a worker is, and what it holds."""

    rank: int
    node: str
    process_id: int
    device: str
    precision: Precision
    replica: int
    share: int


def train(config: TrainJobConfig, folder: Path, told: Callable[[dict[str, Any]], object]) -> Outcome:
    """Train, or go on, under the Ray that this process is connected to; ``told`` gets each line of metrics.

    Raises:
        ValueError: something that the user can mend; the line says what.
        InfrastructureError: workers failed more often than ``parallel.max_failures``; the same command resumes.
    """
    for name in (OUTCOME, PLACEMENT):
        (folder / name).unlink(missing_ok=True)
    # Ray Train's own memory of an earlier attempt: here the checkpoints themselves are the record.
    (folder / "checkpoints" / "checkpoint_manager_snapshot.json").unlink(missing_ok=True)
    for line in _fitted(_trainer(config, folder), folder):
        told(line)
    return Outcome(**json.loads((folder / OUTCOME).read_text(encoding="utf-8")))


def find_rate(config: TrainJobConfig, folder: Path) -> list[Point]:
    """The loss at rising learning rates, see :func:`cetd.training.lr_finder.sweep`; raises as :func:`train` does."""
    for _ in _fitted(_trainer(config, folder), folder):
        pass
    return [(rate, loss) for rate, loss in json.loads((folder / SWEEP).read_text(encoding="utf-8"))]


def placement(folder: Path) -> list[Place]:
    """Which worker sits where, once they are up; empty before that."""
    path = folder / PLACEMENT
    return [Place(**place) for place in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


def work(setup: dict[str, Any]) -> None:
    """What each worker runs."""
    config: TrainJobConfig = setup["config"]
    folder: Path = setup["folder"]
    torch.set_num_threads(max(1, int(config.parallel.cpus)))
    device = get_device()
    assert isinstance(device, torch.device)
    mesh = make_mesh(config.parallel.tensor, device.type)
    precision = choose(config.precision, torch.cuda.get_device_capability(device) if device.type == "cuda" else None)
    places = _places(mesh, device, precision)
    leads = ray.train.get_context().get_world_rank() == 0
    if leads:
        durable.write_text(folder / PLACEMENT, json.dumps([asdict(place) for place in places]))
    _check_nodes(places, config.parallel.tensor)
    data = open_data(config)
    trainer = Trainer(first_model(config), data.train, config, mesh, precision, device)
    if config.lr_finder:
        points = sweep(trainer)
        if leads:
            durable.write_text(folder / SWEEP, json.dumps(points))
        return
    run = TrainingRun(trainer, data.validation, folder, lambda written: _report(written, leads))
    try:
        outcome = run.train()
    finally:
        run.close()
    if leads:
        durable.write_text(folder / OUTCOME, json.dumps(asdict(outcome)))


def _trainer(config: TrainJobConfig, folder: Path) -> TorchTrainer:
    parallel = config.parallel
    resources = {"CPU": parallel.cpus} | ({"GPU": parallel.gpus} if parallel.gpus else {})
    return TorchTrainer(
        work,
        train_loop_config={"config": config, "folder": folder},
        scaling_config=ray.train.ScalingConfig(
            num_workers=parallel.workers,
            use_gpu=bool(parallel.gpus),
            resources_per_worker=resources,
            # Node after node, so that the consecutive ranks of a tensor-parallel group share one.
            placement_strategy="PACK",
        ),
        run_config=ray.train.RunConfig(
            name="checkpoints",
            storage_path=str(folder),
            failure_config=ray.train.FailureConfig(max_failures=parallel.max_failures),
        ),
    )


def _places(mesh: Mesh, device: torch.device, precision: Precision) -> list[Place]:
    """Of all workers, by rank."""
    context = ray.get_runtime_context()
    rank = ray.train.get_context().get_world_rank()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    mine = Place(rank, context.get_node_id(), os.getpid(), name, precision, mesh.data_rank, mesh.tensor_rank)
    if not dist.is_initialized():
        return [mine]
    places: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(places, mine)
    return places


def _check_nodes(places: list[Place], tensor: int) -> None:
    """A tensor-parallel group communicates in every layer: across nodes it would crawl.

    Raises:
        MeshError: a group is spread over nodes.
    """
    for first in range(0, len(places), tensor):
        group = places[first : first + tensor]
        if len({place.node for place in group}) > 1:
            ranks = ", ".join(f"{place.rank} on {place.node[:8]}" for place in group)
            raise MeshError(
                f"parallel.tensor={tensor}: the group of ranks {ranks} is spread over nodes; use a degree that divides "
                "the workers of each node, or raise parallel.cpus or parallel.gpus so that a node takes whole groups"
            )


def _report(written: Path, leads: bool) -> None:
    ray.train.report(
        {},
        checkpoint=ray.train.Checkpoint.from_directory(str(written)) if leads else None,
        checkpoint_upload_mode=ray.train.CheckpointUploadMode.NO_UPLOAD,
    )


def _fitted(trainer: TorchTrainer, folder: Path) -> Iterator[dict[str, Any]]:
    """Fit, and yield the lines of metrics as they are written; those of an earlier attempt are left out."""
    failures: list[Exception] = []
    thread = threading.Thread(target=_fit, args=(trainer, failures), name="trainer")
    path = folder / METRICS_FILE
    seen = max((line["iteration"] for line in read_metrics(path)), default=0) if path.exists() else 0
    thread.start()
    while thread.is_alive():
        thread.join(POLL_S)
        lines = [line for line in read_metrics(path) if line["iteration"] > seen] if path.exists() else []
        yield from lines
        seen = lines[-1]["iteration"] if lines else seen
    if failures:
        raise failures[0]


def _fit(trainer: TorchTrainer, failures: list[Exception]) -> None:
    try:
        trainer.fit()
    except WorkerGroupError as error:
        failures.append(_mendable(error) or _lost(error))
    except (TrainingFailedError, RayError) as error:
        failures.append(_lost(error))


def _mendable(error: WorkerGroupError) -> Exception | None:
    """What a worker raised for the user."""
    for failure in error.worker_failures.values():
        cause: BaseException | None = failure
        while cause is not None:
            if isinstance(cause, (ValueError, OSError, InfrastructureError)):
                return cause
            cause = getattr(cause, "cause", None) or cause.__cause__
    return None


def _lost(error: Exception) -> InfrastructureError:
    last = str(error).strip().splitlines()[-1]
    return InfrastructureError(f"training: {last}; run the same command again: it resumes")
