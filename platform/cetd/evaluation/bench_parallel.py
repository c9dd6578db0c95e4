"""Tensor parallelism against DeepSpeed's AutoTP on Hugging Face's T5: weights, communication, speed, deviation.

Both sides train the same shape on the same data with the same optimizer, each against itself in one process. DeepSpeed
shards T5's layers, unevenly too, and keeps the vocabulary whole on every process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cetd.config import EncoderDecoderConfig
from cetd.evaluation.bench_training import Shape, Step, job, our_step, their_inputs, their_model, their_step
from cetd.models.parameters import parameter_table
from cetd.parallel.deepspeed_engine import imported
from cetd.parallel.mesh import make_mesh
from cetd.parallel.processes import run
from cetd.training.optimizer import make_optimizer
from cetd.training.precision import Precision, choose

Side = Literal["cetd", "deepspeed"]
SIDES: tuple[Side, ...] = ("cetd", "deepspeed")
FULL = 4  # bytes of a number in fp32

# 20 heads, as cetd-5b-dims has; 3 divides neither them nor the vocabulary.
SHAPE = Shape(
    EncoderDecoderConfig(
        vocab_size=32_100, d_model=320, d_ff=1280, d_kv=16, n_heads=20, encoder_layers=4, decoder_layers=4
    ),
    batch=4,
    source=256,
    target=64,
)


@dataclass(frozen=True)
class Measured:
    """One process: bytes of its weights, bytes that it communicates in a step, seconds of each step, its losses."""

    weights: int
    sent: int
    seconds: tuple[float, ...]
    losses: tuple[float, ...]


def compare(shape: Shape, degree: int, steps: int, rounds: int) -> dict[str, Any]:
    """Train both sides on ``degree`` processes and on one, ``rounds`` times ``steps`` steps after one not timed.

    Returns:
        ``whole``, the bytes of the model's weights; ``least``, see :func:`least_bytes`; and for each side the bytes of
        ``weights`` of each process, those that one ``sent`` per step, ``tokens_per_s`` (median step), and the largest
        relative ``deviation`` of a step's loss from that of one process, without dropout and with a rate of 0.1.
    """
    assert isinstance(shape.model, EncoderDecoderConfig)
    dropping = replace(shape, model=shape.model.model_copy(update={"dropout": 0.1}))
    taken: dict[Side, list[list[Measured]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            taken[side].append(run(degree, _measure, side, shape, steps))
    return {
        "whole": FULL * parameter_table(shape.model).total,
        "least": least_bytes(shape),
        **{side: _summary(side, taken[side], shape, dropping, degree, steps) for side in SIDES},
    }


def least_bytes(shape: Shape) -> int:
    """The least that a process communicates in a step where weights are cut as in Shoeybi et al. 2019.

    A block's output is summed once forward and the gradient of its input once backward, for the encoder's states once
    for all of the decoder; a vocabulary that is cut adds both embeddings forward, the head's input backward, and three
    numbers per token of the loss.
    """
    model = shape.model
    assert isinstance(model, EncoderDecoderConfig)
    source, target = shape.batch * shape.source, shape.batch * shape.target
    layers = source * 2 * 2 * model.encoder_layers + target * 3 * 2 * model.decoder_layers
    return FULL * (model.d_model * (layers + 2 * source + 2 * target) + 3 * target)


def _summary(
    side: Side, taken: list[list[Measured]], shape: Shape, dropping: Shape, degree: int, steps: int
) -> dict[str, Any]:
    processes = taken[0]
    second = median(second for processes in taken for second in processes[0].seconds)
    [alone] = run(1, _measure, side, shape, steps)
    [alone_dropping] = run(1, _measure, side, dropping, steps)
    together_dropping = run(degree, _measure, side, dropping, steps)[0]
    return {
        "weights": [process.weights for process in processes],
        "sent": processes[0].sent,
        "tokens_per_s": shape.tokens / second,
        "step_s": second,
        "deviation": _deviation(processes[0], alone),
        "deviation_with_dropout": _deviation(together_dropping, alone_dropping),
    }


def _deviation(several: Measured, one: Measured) -> float:
    return max(abs(loss - expected) / expected for loss, expected in zip(several.losses, one.losses, strict=True))


def _measure(rank: int, side: Side, shape: Shape, steps: int) -> Measured:
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", rank) if on_gpu else torch.device("cpu")
    precision = choose("auto", torch.cuda.get_device_capability() if on_gpu else None)
    make = _ours if side == "cetd" else _deepspeeds
    step, weights = make(shape, device, precision)
    counter = _Counter()
    with counter:
        losses = [step()]
    seconds = []
    for _ in range(steps):
        dist.barrier()
        begun = time.perf_counter()
        losses.append(step())
        seconds.append(time.perf_counter() - begun)
    return Measured(weights, counter.sent, tuple(seconds), tuple(losses))


def _ours(shape: Shape, device: torch.device, precision: Precision) -> tuple[Step, int]:
    degree = dist.get_world_size()
    step, model = our_step(shape, make_mesh(degree, device.type), device, precision)
    return step, _bytes(model)


def _deepspeeds(shape: Shape, device: torch.device, precision: Precision) -> tuple[Step, int]:
    model = their_model(shape.model, "sdpa")
    if dist.get_world_size() == 1:
        return their_step(model, shape, device, precision), _bytes(model)
    model = model.to(device).train()
    config = job(shape).optimizer
    engine, _, _, _ = imported(device).initialize(
        model=model,
        optimizer=make_optimizer(model, config),
        config={
            "train_micro_batch_size_per_gpu": shape.batch,
            "gradient_clipping": config.clip,
            "zero_optimization": {"stage": 0},
            "tensor_parallel": {"autotp_size": dist.get_world_size()},
        },
    )
    given = their_inputs(shape, device)

    def step() -> float:
        loss = engine(**given).loss
        engine.backward(loss)
        engine.step()
        return loss.item()

    return step, _bytes(model)


def _bytes(model: torch.nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())


class _Counter(TorchDispatchMode):
    """Adds up the bytes of the tensors that collectives are called with."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "c10d":
            tensors = [args[0]] if isinstance(args[0], Tensor) else args[0]
            self.sent += sum(one.numel() * one.element_size() for one in tensors if isinstance(one, Tensor))
        return func(*args, **(kwargs or {}))
