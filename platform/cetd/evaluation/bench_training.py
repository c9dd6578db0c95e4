"""Training speed against Hugging Face's models with a plain loop: same shapes, data, optimizer and precision.

Each measurement runs in a process of its own, so that peak memory is its own; the two sides take turns, so that a
machine that is busy for a while is busy for both. Hugging Face runs with each attention implementation that its model
has, and its fastest counts; with ``compiled`` both sides are also tried with torch.compile, and the faster way counts.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from cetd.config import DecoderConfig, EncoderDecoderConfig, preset, validate
from cetd.config.train import TrainJobConfig
from cetd.data.example import Example
from cetd.data.tokenizer import PAD_ID
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.huggingface import reference_config
from cetd.parallel.mesh import Mesh
from cetd.parallel.processes import run
from cetd.training import duration
from cetd.training.batches import IGNORED, make_batch
from cetd.training.optimizer import make_optimizer
from cetd.training.precision import Precision, autocast, choose
from cetd.training.trainer import Trainer

# Trains on the batch and returns its loss.
Step = Callable[[], float]

ATTENTIONS = ("sdpa", "eager")
OURS = "cetd"


@dataclass(frozen=True)
class Shape:
    """A model, and the batch that it trains on; lengths in tokens."""

    model: EncoderDecoderConfig | DecoderConfig
    batch: int
    source: int
    target: int

    @property
    def tokens(self) -> int:
        return self.batch * (self.source + self.target)


@dataclass(frozen=True)
class Measured:
    """One side: seconds of each step, and the peak memory in bytes."""

    side: str
    seconds: tuple[float, ...]
    peak: int


SHAPES = {
    "cetd-512": Shape(
        EncoderDecoderConfig(
            vocab_size=32100,
            d_model=512,
            d_ff=2048,
            d_kv=64,
            n_heads=8,
            encoder_layers=6,
            decoder_layers=6,
            dropout=0.1,
        ),
        batch=8,
        source=512,
        target=128,
    ),
    "lm-512": Shape(
        DecoderConfig(
            vocab_size=32000,
            d_model=512,
            d_ff=1408,
            d_head=64,
            n_heads=8,
            n_kv_heads=8,
            n_layers=8,
            tied_lm_head=True,
            max_positions=1024,
        ),
        batch=8,
        source=256,
        target=256,
    ),
    "cetd-1b": Shape(preset("cetd-1b"), batch=16, source=1024, target=512),
    "lm-1b": Shape(preset("lm-1b"), batch=8, source=1024, target=1024),
}
ON_CPU, ON_GPU = ("cetd-512", "lm-512"), ("cetd-1b", "lm-1b")


def compare(shape: Shape, steps: int, rounds: int, compiled: bool) -> dict[str, Any]:
    """Time both sides on ``shape``, ``rounds`` times ``steps`` steps each after one that is not counted.

    Returns:
        For each side its tokens per second (median step), peak memory in bytes, the way that was fastest, and ``mfu``,
        the share of the device's rate in matrix products that the step's operations take (Chowdhery et al. 2022,
        appendix B; None where the rate is not known, as of CPUs); and ``ratio``, ours over theirs.
    """
    ways = [(side, way) for side in (OURS, *_attentions(shape.model)) for way in (False, True)[: 1 + compiled]]
    measured: dict[tuple[str, bool], list[Measured]] = {way: [] for way in ways}
    for _ in range(rounds):
        for side, with_compile in ways:
            [found] = run(1, _measure, side, shape, steps, with_compile, threads=torch.get_num_threads())
            measured[side, with_compile].append(found)
    ours = _fastest(shape, {way: runs for way, runs in measured.items() if way[0] == OURS})
    theirs = _fastest(shape, {way: runs for way, runs in measured.items() if way[0] != OURS})
    return {"ours": ours, "hugging_face": theirs, "ratio": ours["tokens_per_s"] / theirs["tokens_per_s"]}


def _fastest(shape: Shape, measured: dict[tuple[str, bool], list[Measured]]) -> dict[str, Any]:
    found = []
    for (side, with_compile), runs in measured.items():
        second = median(second for run in runs for second in run.seconds)
        found.append(
            {
                "way": f"{side}{', compiled' if with_compile else ''}",
                "tokens_per_s": shape.tokens / second,
                "step_s": second,
                "peak_bytes": max(run.peak for run in runs),
                "mfu": utilisation(shape, second, _device_name(), _precision()),
            }
        )
    return max(found, key=lambda one: one["tokens_per_s"])


def utilisation(shape: Shape, second: float, device: str, precision: Precision) -> float | None:
    """The share of a device's rate that a step of so many seconds reaches; None where its rate is not known."""
    found = duration.device_named(device)
    if found is None:
        return None
    operations = shape.batch * duration.operations_per_example(shape.model, shape.source, shape.target)
    return duration.seconds(operations, found, precision, gpus=1, utilisation=1.0) / second


def _device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def _precision() -> Precision:
    return choose("auto", torch.cuda.get_device_capability() if torch.cuda.is_available() else None)


def _measure(rank: int, side: str, shape: Shape, steps: int, with_compile: bool) -> Measured:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = _precision()
    if side == OURS:
        step, _ = our_step(shape, Mesh(), device, precision, with_compile)
    else:
        step = their_step(their_model(shape.model, side), shape, device, precision, with_compile)
    step()
    seconds = []
    for _ in range(steps):
        begun = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
    on_cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else on_cpu
    return Measured(side, tuple(seconds), peak)


def our_step(
    shape: Shape, mesh: Mesh, device: torch.device, precision: Precision, with_compile: bool = False
) -> tuple[Step, nn.Module]:
    """This trainer's step, and its share of a model whose weights are the same everywhere."""
    torch.manual_seed(0)
    model = EncoderDecoder(shape.model) if isinstance(shape.model, EncoderDecoderConfig) else Decoder(shape.model)
    if with_compile:
        model.compile()
    trainer = Trainer(model, SameExamples(shape), job(shape), mesh, precision, device)
    return lambda: trainer.train_step().loss, trainer.model


def their_step(
    model: nn.Module, shape: Shape, device: torch.device, precision: Precision, with_compile: bool = False
) -> Step:
    """The loop that one writes by hand around a Hugging Face model."""
    model = model.to(device).train()
    if with_compile:
        model.compile()
    config = job(shape).optimizer
    optimizer = make_optimizer(model, config)
    given = their_inputs(shape, device)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with autocast(precision, device):
            loss = model(**given).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        return loss.item()

    return step


def their_inputs(shape: Shape, device: torch.device) -> dict[str, Tensor]:
    """What a Hugging Face model's forward takes for the examples of ``shape``."""
    batch = make_batch(shape.model, SameExamples(shape).examples(range(shape.batch))).to(device)
    if isinstance(shape.model, EncoderDecoderConfig):
        return {"input_ids": batch.inputs[0], "attention_mask": batch.inputs[1].long(), "labels": batch.targets}
    # It shifts the labels itself.
    silent = torch.full_like(batch.targets[:, :1], IGNORED)
    return {"input_ids": batch.inputs[0], "labels": torch.cat([silent, batch.targets[:, :-1]], dim=1)}


def their_model(config: EncoderDecoderConfig | DecoderConfig, attention: str) -> nn.Module:
    """Hugging Face's model of the same shape, with weights that are the same in every process."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    fields: dict[str, Any] = reference_config(config) | {"pad_token_id": PAD_ID, "decoder_start_token_id": PAD_ID}
    theirs = AutoConfig.for_model(fields.pop("model_type"), **fields)
    torch.manual_seed(0)
    kind = AutoModelForSeq2SeqLM if isinstance(config, EncoderDecoderConfig) else AutoModelForCausalLM
    return kind.from_config(theirs, attn_implementation=attention)


def _attentions(config: EncoderDecoderConfig | DecoderConfig) -> list[str]:
    """The implementations that Hugging Face's model of the family has."""
    found = []
    for attention in ATTENTIONS:
        try:
            with torch.device("meta"):
                their_model(config, attention)
        except (ValueError, ImportError):
            continue
        found.append(attention)
    return found


class SameExamples:
    """The same full-length examples at every step."""

    def __init__(self, shape: Shape) -> None:
        lengths = shape.batch, shape.source + shape.target
        drawn = torch.randint(3, shape.model.vocab_size, lengths, generator=torch.Generator().manual_seed(0)).tolist()
        self._all = [Example(tuple(row[: shape.source]), tuple(row[shape.source :])) for row in drawn]

    def __len__(self) -> int:
        return len(self._all)

    def examples(self, indices: Sequence[int]) -> list[Example]:
        return [self._all[index] for index in indices]


def job(shape: Shape) -> TrainJobConfig:
    """The training job that both sides do."""
    lengths = {"max_input_tokens": shape.source, "max_output_tokens": shape.target}
    tree = {
        "model": shape.model.model_dump(),
        "tokenizer": "unused",
        "data": {"train": "unused", **lengths},
        "batch_size": shape.batch,
        "max_steps": 1_000_000,
        "epochs": 1_000_000,
        "optimizer": {"learning_rate": 1e-4, "weight_decay": 0.01},
    }
    return validate(TrainJobConfig, tree)
