"""What a training job is made of, and what is found to be wrong before any worker starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cetd.config import validate
from cetd.config.train import TrainJobConfig
from cetd.data.tokenizer import Tokenizer
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.parallel.mesh import Mesh
from cetd.training.batches import make_batch
from cetd.training.checkpoint import latest
from cetd.training.preparation import check, export, first_model, open_data, prepared
from cetd.training.run import TrainingRun
from cetd.training.trainer import Trainer


def job(**changes: Any) -> TrainJobConfig:
    tree: dict[str, Any] = {
        "model": {"preset": "tiny-cetd", "vocab_size": 400},
        "data": {"micro": {"train": 20, "heldout": 4}, "max_input_tokens": 256, "max_output_tokens": 128},
        "max_steps": 3,
        "batch_size": 4,
    }
    return validate(TrainJobConfig, tree | changes)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> TrainJobConfig:
    """A job whose generated data stand in files."""
    return prepared(job(), tmp_path_factory.mktemp("run"))


def changed(config: TrainJobConfig, **changes: Any) -> TrainJobConfig:
    return validate(TrainJobConfig, config.model_dump() | changes)


def test_generated_data_are_written_once(ready: TrainJobConfig) -> None:
    assert ready.data.train is not None
    written = ready.data.train.stat().st_mtime_ns
    assert prepared(job(), ready.data.train.parents[1]) == ready
    assert ready.data.train.stat().st_mtime_ns == written
    data = open_data(ready)
    assert data.validation is not None
    assert (len(data.train), len(data.validation)) == (40, 8)
    check(ready)


def test_files_are_used_as_given(ready: TrainJobConfig, tmp_path: Path) -> None:
    assert prepared(ready, tmp_path) is ready
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"preset": "tiny-cetd", "vocab_size": 399}}, "it has 400 tokens and model.vocab_size=399"),
        ({"model": {"preset": "tiny-cetd", "vocab_size": 32100}}, "it has 400 tokens and model.vocab_size=32100; set "),
        ({"parallel": {"workers": 5, "tensor": 5}}, "parallel.tensor=5: n_heads=4 leaves a process without any"),
        ({"tokenizer": "/nowhere"}, "tokenizer=/nowhere: no tokenizer.json there"),
        ({"start": "/nowhere"}, "/nowhere: no config.json there; give a Hugging Face folder"),
        ({"data": {"train": "/nowhere"}}, "/nowhere: no such file, or a folder without"),
    ],
)
def test_what_does_not_fit_is_said_before_workers_start(
    ready: TrainJobConfig, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said.replace(".", r"\.")) as refused:
        check(changed(ready, **changes))
    assert "\n" not in str(refused.value)


def test_texts_that_are_too_long_are_said_before_workers_start(ready: TrainJobConfig) -> None:
    data = ready.data.model_dump() | {"max_input_tokens": 5}
    with pytest.raises(ValueError, match=r"row 0: input has \d+ tokens and data.max_input_tokens leaves room for 5"):
        check(changed(ready, data=data))


def test_weights_of_another_shape_name_the_first_tensor_and_both_shapes(ready: TrainJobConfig, tmp_path: Path) -> None:
    huggingface.save(first_model(ready), tmp_path)
    wider = {"preset": "tiny-cetd", "vocab_size": 400, "d_ff": 300}
    with pytest.raises(ValueError, match=r"feed_forward.wi.weight is \[256, 64\] there and \[300, 64\] in model"):
        check(changed(ready, start=tmp_path, model=wider))
    lm = {"preset": "tiny-lm", "vocab_size": 400, "max_positions": 4096}
    with pytest.raises(ValueError, match="a model of the family encoder-decoder, and model is decoder"):
        check(changed(ready, start=tmp_path, model=lm))


def test_training_goes_on_from_given_weights(ready: TrainJobConfig, tmp_path: Path) -> None:
    torch.manual_seed(5)
    given = EncoderDecoder(ready.model)  # type: ignore[arg-type]
    huggingface.save(given, tmp_path)
    model = first_model(changed(ready, start=tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), given.parameters(), strict=True))
    assert model.config.dropout == ready.model.dropout


def test_the_exported_model_is_the_trained_one(ready: TrainJobConfig, tmp_path: Path) -> None:
    data = open_data(ready)
    trainer = Trainer(first_model(ready), data.train, ready, Mesh(), "fp32", torch.device("cpu"))
    run = TrainingRun(trainer, data.validation, tmp_path, lambda _: None)
    run.train()
    run.close()
    newest = latest(tmp_path / "checkpoints")
    assert newest is not None
    export(ready, newest, tmp_path / "model")
    exported = huggingface.load(tmp_path / "model").eval()
    batch = make_batch(ready.model, data.train.examples([0, 1]))
    assert exported(*batch.inputs).equal(trainer.model.eval()(*batch.inputs))
    assert Tokenizer.load(tmp_path / "model").vocab_size == 400
