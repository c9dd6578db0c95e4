"""From a training job's configuration to what is trained: the model with its first weights, the tokenizer, the data.

:func:`check` finds what can be known to be wrong before any worker starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from cetd.config import DecoderConfig, EncoderDecoderConfig, Section
from cetd.config.train import TrainJobConfig
from cetd.data import microapps
from cetd.data.packed import TOKENIZER, Packed, read_about
from cetd.data.pairs import Pairs, write_pairs
from cetd.data.supervised import policy_pairs
from cetd.data.tokenizer import Tokenizer
from cetd.models import huggingface
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.huggingface import CheckpointError
from cetd.parallel.shards import shares
from cetd.training import sharded_checkpoint
from cetd.training.making import make_tokenizer

# A vocabulary may be padded to a round number; more rows without a token than this are another tokenizer's.
_PADDING = 256


def prepared(config: TrainJobConfig, folder: Path) -> TrainJobConfig:
    """The job with files in place of what is generated, which is written into the run's ``folder`` once.

    Paths become absolute: workers have a working directory of their own.

    Raises:
        ValueError: the vocabulary is too small, or there are not so many apps.
    """
    config = _absolute(config)
    if config.data.packed:
        return config.model_copy(update={"tokenizer": config.data.packed / TOKENIZER})
    apps = config.data.micro
    if apps is None:
        return config
    made = {"train": folder / "data" / "train.parquet", "validation": folder / "data" / "validation.parquet"}
    tokenizer = config.tokenizer or folder / "data" / "tokenizer"
    if not all(path.exists() for path in made.values()):
        if config.tokenizer is None:
            make_tokenizer(apps, config.model.vocab_size).save(tokenizer)
        generated = microapps.generate(apps)
        write_pairs(made["validation"], policy_pairs(generated.heldout, apps.seed, mixture=False))
        write_pairs(made["train"], policy_pairs(generated.train, apps.seed, mixture=False))
    data = config.data.model_copy(update=made | {"micro": None})
    return config.model_copy(update={"data": data, "tokenizer": tokenizer})


@dataclass(frozen=True)
class Data:
    """What is learned from, and what evaluations are on."""

    train: Pairs | Packed
    validation: Pairs | Packed | None


def open_data(config: TrainJobConfig) -> Data:
    """Open the data with the job's tokenizer.

    Raises:
        ValueError: no tokenizer there, or data that cannot be trained on; the line names the file and the remedy.
    """
    if config.data.packed:
        packed, length = config.data.packed, config.data.row_length
        return Data(Packed(packed, "train", length), Packed(packed, "validation", length, config.data.validation_rows))
    assert config.data.train, "prepared() fills it"
    tokenizer = _tokenizer(config)
    train = Pairs(config.data.train, config.data, tokenizer, config.reward_weighting)
    validation = Pairs(config.data.validation, config.data, tokenizer) if config.data.validation else None
    return Data(train, validation)


def check(config: TrainJobConfig) -> None:
    """What can be known before workers start.

    Raises:
        ValueError: the tokenizer, the data, the weights or the tensor-parallel degree do not fit; one line.
    """
    shares(config.model, config.parallel.tensor, 0)
    if config.data.packed:
        read_about(config.data.packed)  # before the tokenizer in it is looked for
    tokens = _tokenizer(config).vocab_size
    if not tokens <= config.model.vocab_size <= tokens + _PADDING:
        raise ValueError(
            f"tokenizer={config.tokenizer}: it has {tokens} tokens and model.vocab_size={config.model.vocab_size}; set "
            f"model.vocab_size={tokens}, or give the model's own tokenizer"
        )
    if config.start:
        _check_start(config.start, config.model)
    data = open_data(config)
    for opened in (data.train, data.validation):
        if isinstance(opened, Pairs):
            opened.check_lengths()
        elif opened:
            assert isinstance(config.model, DecoderConfig), "the configuration refuses others"
            opened.check(config.model)


def first_model(config: TrainJobConfig) -> EncoderDecoder | Decoder:
    """The model before its first step: weights from ``start``, else drawn from the run's seed.

    Raises:
        CheckpointError: ``start`` cannot be read.
    """
    torch.manual_seed(config.run.seed)
    model = _made(config.model)
    if config.start:
        model.load_state_dict(huggingface.load(config.start).state_dict())
    return model


def export(config: TrainJobConfig, checkpoint: Path, folder: Path) -> None:
    """Write a checkpoint's model and its tokenizer in Hugging Face layout.

    Raises:
        OSError: the disk is full.
    """
    with torch.device("meta"):
        model = _made(config.model)
    model.to_empty(device="cpu")
    sharded_checkpoint.load(checkpoint, model, {})
    huggingface.save(model, folder)
    _tokenizer(config).save(folder)


def _absolute(config: TrainJobConfig) -> TrainJobConfig:
    def changed(section: Section, *names: str) -> dict[str, Path]:
        paths = {name: path for name in names if (path := getattr(section, name)) and not path.is_absolute()}
        return {name: path.absolute() for name, path in paths.items()}

    data, ours = changed(config.data, "train", "validation", "packed"), changed(config, "start", "tokenizer")
    if not data and not ours:
        return config
    return config.model_copy(update={**ours, "data": config.data.model_copy(update=data)})


def _check_start(folder: Path, config: EncoderDecoderConfig | DecoderConfig) -> None:
    """The first tensor whose shape differs is named, with both shapes."""
    given = huggingface.read_config(folder)
    if type(given) is not type(config):
        raise CheckpointError(
            f"start={folder}: it holds a model of the family {given.family}, and model is {config.family}"
        )
    with torch.device("meta"):
        theirs, ours = _made(given).state_dict(), _made(config).state_dict()
    for name in sorted(theirs.keys() | ours.keys()):
        shapes = [list(state[name].shape) if name in state else "absent" for state in (theirs, ours)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(f"start={folder}: tensor {name} is {shapes[0]} there and {shapes[1]} in model")


def _tokenizer(config: TrainJobConfig) -> Tokenizer:
    assert config.tokenizer, "prepared() fills it"
    return Tokenizer.load(config.tokenizer)


def _made(config: EncoderDecoderConfig | DecoderConfig) -> EncoderDecoder | Decoder:
    return EncoderDecoder(config) if isinstance(config, EncoderDecoderConfig) else Decoder(config)
