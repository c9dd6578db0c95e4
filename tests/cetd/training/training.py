"""A training job small enough for a test, with data that can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cetd.config import DecoderConfig, validate
from cetd.config.train import TrainJobConfig
from cetd.data.example import Example
from cetd.data.tokenizer import EOS_ID
from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.parallel.mesh import make_mesh
from cetd.training.run import Outcome, TrainingRun
from cetd.training.trainer import Trainer

MODELS: dict[str, dict[str, Any]] = {
    "encoder-decoder": {
        "family": "encoder-decoder",
        "vocab_size": 48,
        "d_model": 24,
        "d_ff": 29,
        "d_kv": 8,
        "n_heads": 5,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "dropout": 0.1,
    },
    "decoder": {"family": "decoder", "vocab_size": 48, "d_model": 24, "d_ff": 29, "d_head": 8, "n_heads": 5}
    | {"n_kv_heads": 5, "n_layers": 1, "dropout": 0.1},
}


class Mapped:
    """Each token of a prompt has a counterpart in the completion."""

    def __init__(self, size: int, first: int = 0) -> None:
        self.size, self.first = size, first

    def __len__(self) -> int:
        return self.size

    def examples(self, indices: Sequence[int]) -> list[Example]:
        return [self._example(self.first + index) for index in indices]

    def _example(self, index: int) -> Example:
        prompt = tuple(3 + (7 * index + 5 * place) % 20 for place in range(1 + index % 5))
        return Example(prompt, (*(token + 20 for token in prompt), EOS_ID))


def job(family: str = "encoder-decoder", **changes: Any) -> TrainJobConfig:
    tree: dict[str, Any] = {
        "model": MODELS[family],
        "tokenizer": "unused",
        "data": {"train": "unused", "validation": "unused", "max_input_tokens": 64, "max_output_tokens": 64},
        "batch_size": 8,
        "max_steps": 12,
        "epochs": 100,
        "evaluate_every": 6,
        "checkpoint": {"every": 4, "keep": 9},
        "optimizer": {"learning_rate": 3e-3, "warmup_steps": 3},
    }
    return validate(TrainJobConfig, tree | changes)


def model_of(config: TrainJobConfig) -> EncoderDecoder | Decoder:
    torch.manual_seed(config.run.seed)
    return Decoder(config.model) if isinstance(config.model, DecoderConfig) else EncoderDecoder(config.model)


def trainer_of(config: TrainJobConfig) -> Trainer:
    mesh = make_mesh(config.parallel.tensor)
    return Trainer(model_of(config), Mapped(50), config, mesh, "fp32", torch.device("cpu"))


def curve(folder: Path, figure: str = "loss") -> dict[int, float]:
    """What a run wrote of ``figure``, by step."""
    lines = read_metrics(folder / METRICS_FILE)
    return {line["iteration"]: line[figure] for line in lines if figure in line}


def train(config: TrainJobConfig, folder: Path) -> Outcome:
    """Train in this process and those it shares a process group with."""
    run = TrainingRun(trainer_of(config), Mapped(20, first=50), folder, lambda _: None)
    try:
        return run.train()
    finally:
        run.close()
