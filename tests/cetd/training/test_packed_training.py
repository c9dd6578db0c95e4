"""Training on packed rows: a document knows nothing of its neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cetd.config import ConfigError, DecoderConfig, validate
from cetd.config.train import TrainJobConfig
from cetd.data.packed import Packed, PackedRow
from cetd.models.decoder import Decoder
from cetd.parallel.mesh import make_mesh
from cetd.parallel.processes import run
from cetd.training.batches import IGNORED, make_batch, summed_loss
from cetd.training.checkpoint import latest
from cetd.training.preparation import check, first_model, open_data, prepared
from cetd.training.run import Outcome, TrainingRun
from cetd.training.trainer import Trainer
from tests.cetd.packing import make_packed
from tests.cetd.training.training import curve

MODEL = {"family": "decoder", "vocab_size": 350, "d_model": 32, "d_ff": 48, "d_head": 8, "n_layers": 2}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed(tmp_path_factory.mktemp("packed"))


def job(packed: Path, **changes: Any) -> TrainJobConfig:
    tree: dict[str, Any] = {
        "model": MODEL,
        "data": {"packed": str(packed), "validation_rows": 6},
        "batch_size": 8,
        "max_steps": 12,
        "epochs": 9,
        "evaluate_every": 6,
        "checkpoint": {"every": 6, "keep": 9},
        "optimizer": {"learning_rate": 1e-2},
    }
    return validate(TrainJobConfig, tree | changes)


def train(config: TrainJobConfig, folder: Path, rank: int = 0) -> Outcome:
    config = prepared(config, folder)
    data, mesh = open_data(config), make_mesh(config.parallel.tensor)
    trainer = Trainer(first_model(config), data.train, config, mesh, "fp32", torch.device("cpu"))
    training = TrainingRun(trainer, data.validation, folder, lambda _: None)
    try:
        return training.train()
    finally:
        training.close()


def in_process(rank: int, config: TrainJobConfig, folder: Path) -> None:
    train(config, folder, rank)


def test_logits_of_a_packed_row_are_those_of_each_document_alone(packed: Path) -> None:
    torch.manual_seed(0)
    model = Decoder(DecoderConfig.model_validate(MODEL | {"n_heads": 4, "n_kv_heads": 2}))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(5)  # far from uniform
    rows = Packed(packed, "train").examples([0, 1])
    tokens = torch.from_numpy(np.stack([row.tokens for row in rows])).long()
    documents = torch.from_numpy(np.stack([row.documents for row in rows])).long()
    together = model(tokens, documents)
    for row in range(2):
        for number in range(1, int(documents[row].max()) + 1):
            places = documents[row] == number
            alone = model(tokens[row][places][None])
            torch.testing.assert_close(together[row][places][None], alone, rtol=1e-4, atol=1e-4)


def test_the_loss_is_that_of_the_documents_one_by_one(packed: Path) -> None:
    torch.manual_seed(0)
    model = Decoder(DecoderConfig.model_validate(MODEL))
    row = Packed(packed, "train").examples([3])[0]
    together = make_batch(model.config, [row])
    alone = []
    for number in range(1, int(row.documents.max()) + 1):
        places = row.documents == number
        alone.append(make_batch(model.config, [PackedRow(row.tokens[places], row.documents[places])]))
    assert together.tokens == sum(batch.tokens for batch in alone)
    losses = [summed_loss(model, batch).item() for batch in alone]
    assert summed_loss(model, together).item() == pytest.approx(sum(losses), rel=1e-5)


def test_first_tokens_and_padding_carry_no_loss() -> None:
    row = PackedRow(np.array([5, 6, 7, 8, 0, 0], np.int32), np.array([1, 1, 2, 2, 0, 0], np.int32))
    batch = make_batch(DecoderConfig(), [row])
    assert batch.targets.tolist() == [[6, IGNORED, 8, IGNORED, IGNORED]]


def test_a_run_on_packed_data_learns_and_goes_on_after_a_pause_to_the_bit(packed: Path, tmp_path: Path) -> None:
    whole = train(job(packed, max_steps=24), tmp_path / "whole")
    losses = curve(tmp_path / "whole", "validation_loss")
    assert (whole.status, list(losses)) == ("finished", [6, 12, 18, 24])
    assert losses[24] < 0.8 * losses[6]
    paused = train(job(packed, max_steps=24, pause_at=9), tmp_path / "parts")
    assert (paused.status, paused.step) == ("paused", 9)
    checkpoint = latest(tmp_path / "parts" / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.name == "step-000009"
    assert train(job(packed, max_steps=24, pause_at=9), tmp_path / "parts") == paused
    finished = train(job(packed, max_steps=24), tmp_path / "parts")
    assert (finished.status, finished.loss) == ("finished", whole.loss)
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")


def test_the_curve_is_that_of_one_process_when_two_hold_the_model(packed: Path, tmp_path: Path) -> None:
    train(job(packed), tmp_path / "one")
    run(2, in_process, job(packed, parallel={"workers": 2, "tensor": 2}), tmp_path / "two")
    for figure in ("loss", "validation_loss"):
        assert curve(tmp_path / "two", figure) == pytest.approx(curve(tmp_path / "one", figure), rel=1e-4)


def test_paths_become_absolute_as_workers_stand_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = prepared(job(Path("runs/packed")), tmp_path)
    assert (made.data.packed, made.tokenizer) == (tmp_path / "runs/packed", tmp_path / "runs/packed/tokenizer")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"preset": "tiny-cetd"}}, "packed tokens are for decoder-only models and model is encoder-decoder"),
        ({"model": MODEL | {"positions": "learned"}}, "use model.positions=rotary with data.packed"),
        ({"tokenizer": "/nowhere"}, "tokenizer=/nowhere: data.packed brings its own; unset it"),
        ({"reward_weighting": {}}, "reward_weighting: packed tokens have no pass rates"),
        ({"data": {"packed": "/x", "train": "/y"}}, "train, micro and packed: give one of them"),
        ({"data": {"packed": "/x", "validation": "/y"}}, "validation=/y: packed brings its own; unset it"),
        ({"data": {"micro": {}, "validation_rows": 4}}, "validation_rows=4: for data.packed, which is unset"),
    ],
)
def test_fields_that_do_not_go_with_packed_data_are_refused(packed: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        job(packed, **changes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"packed": "/nowhere"}}, "data.packed=/nowhere: no packed.json there; make it with `python"),
        ({"model": MODEL | {"vocab_size": 349}}, "it has 350 tokens and model.vocab_size=349"),
        ({"model": MODEL | {"max_positions": 32}}, "rows of 64 tokens exceed model.max_positions=32"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_workers_start(
    packed: Path, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        check(prepared(job(packed, **changes), tmp_path))
