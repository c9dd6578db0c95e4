"""Training under Ray Train: lost workers and nodes leave no trace in the curve."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from actors.training import Place, _check_nodes, placement, train
from cetd.config import validate
from cetd.config.train import TrainJobConfig
from cetd.errors import InfrastructureError
from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.parallel.mesh import MeshError, make_mesh
from cetd.parallel.processes import run
from cetd.training.preparation import first_model, open_data, prepared
from cetd.training.run import TrainingRun
from cetd.training.trainer import Trainer

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
# More than a worker makes before the driver has seen the kill's step.
STEPS, KILLED_AT = 60, 25
ACROSS_NODES = {"parallel": {"workers": 2, "tensor": 1, "cpus": 2}}


def job(folder: Path, **changes: Any) -> TrainJobConfig:
    tree: dict[str, Any] = {
        "model": {"preset": "tiny-cetd", "vocab_size": 400, "d_model": 32, "d_ff": 50, "n_heads": 3},
        "data": {"micro": {"train": 60, "heldout": 6}, "max_input_tokens": 256, "max_output_tokens": 128},
        "optimizer": {"learning_rate": 2e-3, "warmup_steps": 2},
        "batch_size": 4,
        "max_steps": STEPS,
        "epochs": 99,
        "evaluate_every": 30,
        "checkpoint": {"every": 20},
        "parallel": {"workers": 2, "tensor": 2, "cpus": 0.5},
    }
    return prepared(validate(TrainJobConfig, tree | changes), folder)


def without_ray(rank: int, config: TrainJobConfig, folder: Path) -> None:
    """What :func:`actors.training.work` does, in a process of the test's own."""
    torch.set_num_threads(max(1, int(config.parallel.cpus)))
    data = open_data(config)
    cpu = torch.device("cpu")
    trainer = Trainer(first_model(config), data.train, config, make_mesh(config.parallel.tensor), "fp32", cpu)
    training = TrainingRun(trainer, data.validation, folder, lambda _: None)
    training.train()
    training.close()


def curve(folder: Path) -> dict[int, tuple[float, float]]:
    lines = read_metrics(folder / METRICS_FILE)
    assert len({line["iteration"] for line in lines}) == len(lines), "a step stands there twice"
    return {line["iteration"]: (line["loss"], line.get("validation_loss", 0.0)) for line in lines}


@pytest.mark.usefixtures("local_ray")
def test_a_killed_worker_leaves_no_trace_in_the_curve(tmp_path: Path) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    run(2, without_ray, job(undisturbed), undisturbed)
    killed = []

    def kill(line: dict[str, Any]) -> None:
        if line["iteration"] >= KILLED_AT and not killed:
            killed.append(placement(disturbed)[1].process_id)
            os.kill(killed[0], signal.SIGKILL)

    outcome = train(job(disturbed), disturbed, kill)
    assert killed
    assert placement(disturbed)[1].process_id != killed[0]
    assert (outcome.status, outcome.step) == ("finished", STEPS)
    assert curve(disturbed) == curve(undisturbed)


@pytest.mark.usefixtures("local_ray")
def test_workers_that_fail_again_and_again_end_the_run_with_one_line(tmp_path: Path) -> None:
    def kill(line: dict[str, Any]) -> None:
        os.kill(placement(tmp_path)[0].process_id, signal.SIGKILL)

    config = job(tmp_path, parallel={"workers": 1, "cpus": 0.5, "max_failures": 0})
    with pytest.raises(InfrastructureError, match=r"^training: .*; run the same command again: it resumes$"):
        train(config, tmp_path, kill)


@pytest.mark.usefixtures("local_ray")
def test_a_checkpoint_that_was_cut_short_is_said_in_one_line(tmp_path: Path) -> None:
    config = job(tmp_path, max_steps=4, parallel={"workers": 1, "cpus": 0.5, "max_failures": 0})
    without_ray(0, config, tmp_path)
    file = next((tmp_path / "checkpoints").glob("step-*/part-*"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"part-01-of-01.safetensors: damaged or cut short"):
        train(config.model_copy(update={"max_steps": 8}), tmp_path, lambda _: None)


def test_a_lost_node_leaves_no_trace_in_the_curve(tmp_path: Path) -> None:
    undisturbed = tmp_path / "undisturbed"
    run(2, without_ray, job(undisturbed, **ACROSS_NODES), undisturbed)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.actors.lost_node", tmp_path], cwd=ROOT, check=False, timeout=420
    )
    assert ended.returncode == 0
    assert curve(tmp_path / "disturbed") == curve(undisturbed)


def test_a_group_that_is_spread_over_nodes_is_refused() -> None:
    def place(rank: int, node: str) -> Place:
        return Place(rank, node, 0, "cpu", "fp32", rank // 2, rank % 2)

    _check_nodes([place(0, "a"), place(1, "a"), place(2, "b"), place(3, "b")], 2)
    with pytest.raises(MeshError, match=r"parallel.tensor=2: the group of ranks 2 on a, 3 on b is spread over nodes"):
        _check_nodes([place(0, "a"), place(1, "a"), place(2, "a"), place(3, "b")], 2)
