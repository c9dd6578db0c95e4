"""DeepSpeed's engine beside the plain one: the same curve, and checkpoints that either goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cetd.config import ConfigError
from cetd.config.train import TrainJobConfig
from cetd.parallel.mesh import Mesh
from cetd.parallel.processes import run
from cetd.training.trainer import Trainer
from tests.cetd.training.training import Mapped, curve, job, model_of, train

STEPS = 50


def zero(stage: int, offload: bool, workers: int = 1, tensor: int = 1, **changes: Any) -> TrainJobConfig:
    engine = {"engine": "deepspeed", "deepspeed": {"stage": stage, "offload": offload}}
    return job(**engine, parallel={"workers": workers, "tensor": tensor}, **changes)


def in_process(rank: int, jobs: list[tuple[TrainJobConfig, Path]]) -> None:
    for config, folder in jobs:
        train(config, folder)


@pytest.mark.parametrize(
    ("workers", "settings"),
    [
        (1, [(1, True, 1), (2, False, 1)]),
        (2, [(1, False, 1), (2, True, 1), (1, True, 2)]),
        (4, [(2, True, 2)]),
    ],
)
def test_fifty_steps_have_the_curve_of_the_torch_engine(
    workers: int, settings: list[tuple[int, bool, int]], tmp_path: Path
) -> None:
    shared: dict[str, Any] = {"max_steps": STEPS, "evaluate_every": 25, "accumulation": 2, "checkpoint": {"every": 50}}
    train(job(**shared), tmp_path / "plain")
    jobs = [
        (zero(stage, offload, workers, tensor, **shared), tmp_path / f"zero-{stage}-{offload}-{tensor}")
        for stage, offload, tensor in settings
    ]
    run(workers, in_process, jobs)
    for _, folder in jobs:
        for figure in ("loss", "validation_loss", "grad_norm"):
            expected = curve(tmp_path / "plain", figure)
            assert curve(folder, figure) == pytest.approx(expected, rel=1e-4), (folder.name, figure)
        assert len(curve(folder)) == STEPS


def test_engines_go_on_from_each_others_checkpoints(tmp_path: Path) -> None:
    train(job(), tmp_path / "plain")
    handed = tmp_path / "handed"
    train(job(max_steps=4), handed)
    run(2, in_process, [(zero(2, True, workers=2, max_steps=8), handed)])
    run(3, in_process, [(job(parallel={"workers": 3, "tensor": 3}), handed)])
    assert curve(handed) == pytest.approx(curve(tmp_path / "plain"), rel=1e-4)


def test_without_a_compiler_offload_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "/bin/false")
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))  # where nothing is compiled yet
    with pytest.raises(RuntimeError, match=r"ValueError: deepspeed.offload=true: .* Install a C\+\+ compiler, or set"):
        run(1, in_process, [(zero(1, True), tmp_path / "run")])


def test_fp16_is_refused_before_and_after_the_device_is_known() -> None:
    with pytest.raises(ConfigError, match=r"precision=fp16: not with engine=deepspeed; use fp32"):
        zero(1, True, precision="fp16")
    config = zero(1, True)
    with pytest.raises(ValueError, match=r"engine=deepspeed: not with precision=fp16"):
        Trainer(model_of(config), Mapped(8), config, Mesh(), "fp16", torch.device("cpu"))
