"""Training runs: one curve however many processes there are and however often the run was interrupted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from cetd.config.train import TrainJobConfig
from cetd.parallel.mesh import make_mesh
from cetd.parallel.processes import run
from cetd.training.checkpoint import latest
from cetd.training.trainer import Trainer
from tests.cetd.training.training import Mapped, curve, job, model_of, train, trainer_of


def in_process(rank: int, jobs: list[tuple[TrainJobConfig, Path]]) -> None:
    for config, folder in jobs:
        train(config, folder)


def spread(workers: int, tensor: int) -> dict[str, Any]:
    return {"parallel": {"workers": workers, "tensor": tensor}}


@pytest.mark.parametrize("family", ["encoder-decoder", "decoder"])
def test_the_loss_falls_and_is_recorded(family: str, tmp_path: Path) -> None:
    outcome = train(job(family, max_steps=60, evaluate_every=20), tmp_path)
    losses = curve(tmp_path)
    assert (outcome.status, outcome.step, list(losses)) == ("finished", 60, list(range(1, 61)))
    assert sum(losses[step] for step in range(56, 61)) < 0.8 * sum(losses[step] for step in range(1, 6))
    assert outcome.best_loss == min(curve(tmp_path, "validation_loss").values())


@pytest.mark.parametrize("family", ["encoder-decoder", "decoder"])
@pytest.mark.parametrize(("workers", "tensor"), [(2, 1), (2, 2), (3, 3)])
def test_the_curve_does_not_depend_on_the_processes(family: str, workers: int, tensor: int, tmp_path: Path) -> None:
    train(job(family), tmp_path / "one")
    run(workers, in_process, [(job(family, **spread(workers, tensor)), tmp_path / "several")])
    for figure in ("loss", "validation_loss", "grad_norm"):
        assert curve(tmp_path / "several", figure) == pytest.approx(curve(tmp_path / "one", figure), rel=1e-4)


def test_accumulation_makes_the_updates_of_a_larger_batch(tmp_path: Path) -> None:
    train(job(batch_size=8), tmp_path / "whole")
    train(job(batch_size=2, accumulation=4), tmp_path / "parts")
    assert curve(tmp_path / "parts") == pytest.approx(curve(tmp_path / "whole"), rel=1e-4)


def test_recomputed_activations_change_nothing(tmp_path: Path) -> None:
    train(job(), tmp_path / "kept")
    train(job(recompute_activations=True), tmp_path / "recomputed")
    assert curve(tmp_path / "recomputed") == pytest.approx(curve(tmp_path / "kept"), rel=1e-5)


def test_an_interrupted_run_has_the_curve_of_an_uninterrupted_one_to_the_bit(tmp_path: Path) -> None:
    train(job(), tmp_path / "whole")
    train(job(checkpoint={"every": 5, "keep": 9}), tmp_path / "resumed")
    for later in (tmp_path / "resumed" / "checkpoints").glob("step-*"):
        if later.name > "step-000005":
            later.rename(tmp_path / later.name)
    train(job(checkpoint={"every": 5, "keep": 9}), tmp_path / "resumed")
    assert curve(tmp_path / "resumed") == curve(tmp_path / "whole")


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 2), (2, 1)])
def test_a_run_goes_on_with_another_tensor_parallel_degree(before: int, after: int, tmp_path: Path) -> None:
    first, rest = job(**spread(before, before), max_steps=8), job(**spread(after, after))
    train(job(), tmp_path / "whole")
    for workers, config in ((before, first), (after, rest)):
        if workers == 1:
            train(config, tmp_path / "moved")
        else:
            run(workers, in_process, [(config, tmp_path / "moved")])
    steps = curve(tmp_path / "moved")
    assert list(steps) == list(range(1, 13))
    assert steps == pytest.approx(curve(tmp_path / "whole"), rel=1e-4)


def test_early_stopping_ends_the_run_and_keeps_the_best(tmp_path: Path) -> None:
    config = job(
        max_steps=40,
        evaluate_every=2,
        early_stop={"patience": 2, "min_delta": 10.0},
        checkpoint={"every": 40, "keep": 1},
    )
    outcome = train(config, tmp_path)
    # The first evaluation beats nothing at all; none after it falls by 10.
    assert (outcome.status, outcome.step, outcome.best_step) == ("stopped early", 6, 2)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000002"]


def test_a_loss_that_is_no_number_ends_the_run_and_names_the_last_good_checkpoint(tmp_path: Path) -> None:
    train(job(max_steps=4), tmp_path)
    newest = latest(tmp_path / "checkpoints")
    config = job(optimizer={"learning_rate": 1e30, "warmup_steps": 0, "clip": 1e30})
    outcome = train(config, tmp_path)
    assert outcome.status == "diverged"
    assert "the loss is nan" in outcome.message or "the loss is inf" in outcome.message
    assert f"the last good checkpoint is {newest}" in outcome.message


def fp16_in_process(rank: int, tensor: int) -> list[tuple[float, bool, float]]:
    """Loss, whether it overflowed, and scale of each step, from a scale that is too large for fp16."""
    config = job(**spread(tensor, tensor), optimizer={"learning_rate": 3e-3})
    trainer = Trainer(model_of(config), Mapped(50), config, make_mesh(tensor), "fp16", torch.device("cpu"))
    scaler = trainer.engine.scaler
    scaler.load_state_dict(scaler.state_dict() | {"scale": 2.0**30})
    steps = [(trainer.train_step(), scaler.get_scale()) for _ in range(24)]
    return [(step.loss, not math.isfinite(step.grad_norm), scale) for step, scale in steps]


def test_shares_of_a_model_agree_on_the_overflows_of_fp16() -> None:
    [alone] = run(1, fp16_in_process, 1)
    first, second = run(2, fp16_in_process, 2)
    assert first == second
    assert 1 < first[-1][2] == alone[-1][2] < 2**30
    assert [overflowed for _, overflowed, _ in first][:2] == [True, True]
    assert not first[-1][1]
    assert [loss for loss, _, _ in first] == pytest.approx([loss for loss, _, _ in alone], rel=1e-2)
    assert first[-1][0] < first[0][0]


def test_every_gradient_is_finite_and_not_zero() -> None:
    trainer = trainer_of(job())
    gradients: dict[str, torch.Tensor] = {}
    for name, parameter in trainer.model.named_parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda one, name=name: gradients.update({name: one.grad.clone()})  # type: ignore[union-attr]
        )
    trainer.train_step()
    for name, _ in trainer.model.named_parameters():
        assert torch.isfinite(gradients[name]).all(), name
        assert gradients[name].abs().max() > 0, name
