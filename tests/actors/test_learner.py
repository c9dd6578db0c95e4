"""The learner under Ray Train: two workers make the update of one, and a new group goes on from a checkpoint."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from actors.learner import LearnerClient, LearnerSetup, Save, Update
from cetd.config import EncoderDecoderConfig, FeedbackConfig, LearnerConfig, OptimizerConfig
from cetd.feedback.batch import Batch
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training import checkpoint

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]

UPDATES = 3


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    huggingface.save(
        EncoderDecoder(
            EncoderDecoderConfig(vocab_size=40, d_model=32, d_ff=48, d_kv=8, encoder_layers=1, decoder_layers=1)
        ),
        folder,
    )
    return folder


def batch(iteration: int) -> Batch:
    rng = np.random.default_rng(iteration)
    targets = [[*rng.integers(3, 40, rng.integers(1, 6)).tolist(), 1] for _ in range(8)]
    log_probs = [[-3.6] * len(target) for target in targets]
    sources = [rng.integers(3, 40, 5).tolist() for _ in range(2)]
    return Batch(iteration, sources, [0] * 4 + [1] * 4, targets, log_probs, rng.standard_normal(8).tolist())


def setup(start: Path, storage: Path, workers: int, first_sequence: int = 0) -> LearnerSetup:
    return LearnerSetup(
        config=LearnerConfig(workers=workers, optimizer=OptimizerConfig(learning_rate=1e-2, clip=1.0)),
        feedback=FeedbackConfig(clip_ratio=100),
        run_seed=0,
        start=start,
        checkpoints=storage / "checkpoints",
        total_steps=10,
        keep=2,
        first_sequence=first_sequence,
    )


async def weights_after(given: LearnerSetup, storage: Path, iterations: list[int], save: bool = False) -> dict:
    version = 0
    learner = LearnerClient(given, storage)
    try:
        first = await learner.start()
        for iteration in iterations:
            answer = await learner.send(Update(batch(iteration)))
            version = answer.version
            assert answer.metrics["grad_norm"] > 0
        if save:
            answer = await learner.send(Save({"before": len(iterations)}))
            assert (answer.failure, answer.version) == ("", version)
        assert version == first.version + len(iterations)
        tensors = await learner.weights()
        return {name: tensor.copy() for name, tensor in tensors.items()}
    finally:
        await learner.close()
        assert not any(thread.name == "trainer" for thread in threading.enumerate()), "it would outlive Ray"


def test_two_workers_make_the_updates_of_one(start: Path, tmp_path: Path) -> None:
    one, two = (
        asyncio.run(weights_after(setup(start, tmp_path / str(n), n), tmp_path / str(n), list(range(UPDATES))))
        for n in (1, 2)
    )
    began = huggingface.load(start).state_dict()
    for name, tensor in one.items():
        np.testing.assert_allclose(two[name], tensor, rtol=1e-3, atol=1e-4, err_msg=name)
    assert any(not np.allclose(tensor, began[name].numpy(), atol=1e-3) for name, tensor in one.items())


def test_a_new_group_goes_on_from_the_checkpoint_to_the_bit(start: Path, tmp_path: Path) -> None:
    whole = asyncio.run(weights_after(setup(start, tmp_path / "a", 1), tmp_path / "a", [0, 1, 2]))
    asyncio.run(weights_after(setup(start, tmp_path / "b", 1), tmp_path / "b", [0, 1], save=True))
    newest = checkpoint.latest(tmp_path / "b" / "checkpoints")
    assert newest is not None
    state = checkpoint.read_state(newest)
    assert (state.version, state.cursor) == (2, {"before": 2})
    resumed = setup(start, tmp_path / "b", 1, first_sequence=state.sequence)
    rest = asyncio.run(weights_after(resumed, tmp_path / "b", [2]))
    assert all((rest[name] == tensor).all() for name, tensor in whole.items())
