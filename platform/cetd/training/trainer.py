"""The trainer: supervised training of both model families on any number of processes.

Every process runs the same code; a process group of one is no process group at all. What a step learns from, its
dropout masks and its learning rate are functions of the seed and the step, so the loss curve does not depend on how
many processes there are, how a model is spread over them, or how often training was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler

from cetd.config.train import TrainJobConfig
from cetd.data.example import Example
from cetd.data.packed import PackedRow
from cetd.models.decoder import Decoder
from cetd.models.dropout import seeded
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.parallel.collectives import summed
from cetd.parallel.engine import Engine, TorchEngine
from cetd.parallel.mesh import Mesh
from cetd.parallel.sharding import shard_model
from cetd.parallel.shards import Shard, shares
from cetd.training.batches import Batch, make_batch, summed_loss
from cetd.training.optimizer import adamw_settings, learning_rate, make_optimizer, parameter_groups
from cetd.training.order import examples_of_step, row_seeds, total_steps
from cetd.training.precision import Precision, autocast


class Examples(Protocol):
    """What is trained on, by index."""

    def __len__(self) -> int: ...

    def examples(self, indices: Sequence[int]) -> list[Example] | list[PackedRow]: ...


@dataclass(frozen=True)
class StepResult:
    """What came of an optimizer step. ``loss`` is the mean over the learned tokens, by their examples' weights."""

    loss: float
    tokens: int
    grad_norm: float
    learning_rate: float


class Trainer:
    """One process's part of a model, its optimizer, and the step."""

    def __init__(
        self,
        model: EncoderDecoder | Decoder,
        data: Examples,
        config: TrainJobConfig,
        mesh: Mesh,
        precision: Precision,
        device: torch.device,
    ) -> None:
        """Take the model over: it is cut to this process's part and moved to ``device``.

        Raises:
            MeshError: the tensor-parallel degree is more than the model's heads, units or tokens.
            ValueError: the precision is fp16, and the engine DeepSpeed.
        """
        self.config, self.mesh, self.device, self.data = config, mesh, device, data
        self.precision: Precision = precision
        self.first = shares(model.config, mesh.tensor, mesh.tensor_rank).vocabulary.first
        self.cut = shard_model(model, mesh)
        self.model = model.to(device).train()
        for stack in (model.encoder, model.decoder) if isinstance(model, EncoderDecoder) else (model,):
            stack.recompute = config.recompute_activations
        self.engine = _engine(self.model, config, mesh, self.cut, precision)
        self.step_size = config.batch_size * config.accumulation
        self.total_steps = total_steps(len(data), config.epochs, self.step_size, config.max_steps)
        self.step = 0

    def train_step(self, rate: float | None = None) -> StepResult:
        """One optimizer step over ``batch_size x accumulation`` examples; ``rate`` replaces the schedule's."""
        indices = examples_of_step(self.config.run.seed, len(self.data), self.step, self.step_size)
        batches = [self._batch(indices, part) for part in range(self.config.accumulation)]
        tokens = self._total(sum(batch.tokens for batch, _ in batches))
        loss = torch.zeros((), device=self.device)
        for number, (batch, rows) in enumerate(batches, start=1):
            loss += self._backward(batch, rows, tokens, last=number == len(batches))
        rate = learning_rate(self.step, self.total_steps, self.config.optimizer) if rate is None else rate
        norm = self.engine.update(rate)
        self.step += 1
        return StepResult(self._total(loss.item()) / tokens, int(tokens), norm, rate)

    @torch.no_grad()
    def evaluate(self, data: Examples) -> float:
        """Mean loss over the learned tokens of ``data``."""
        self.model.eval()
        loss = tokens = 0.0
        size = self.config.batch_size // self.mesh.data
        mine = range(self.mesh.data_rank, len(data), self.mesh.data)
        for start in range(0, len(mine), size):
            batch = self._made(data.examples(list(mine[start : start + size])))
            with autocast(self.precision, self.device):
                loss += summed_loss(self.model, batch, self.first, self.mesh.tensor_group).item()
            tokens += batch.tokens
        self.model.train()
        return self._total(loss) / self._total(tokens)

    def _batch(self, indices: Sequence[int], part: int) -> tuple[Batch, Tensor]:
        """This replica's rows of the ``part``-th forward pass of a step, and the seeds of their dropout masks."""
        size = self.config.batch_size // self.mesh.data
        start = part * self.config.batch_size + self.mesh.data_rank * size
        rows = range(start, start + size)
        seeds = row_seeds(self.config.run.seed, self.step, rows)
        return self._made(self.data.examples([indices[row] for row in rows])), torch.tensor(seeds, device=self.device)

    def _made(self, examples: Sequence[Example] | Sequence[PackedRow]) -> Batch:
        return make_batch(self.model.config, examples).to(self.device)

    def _backward(self, batch: Batch, rows: Tensor, tokens: float, last: bool) -> Tensor:
        """Add the gradients of a forward pass; returns its summed loss."""
        with self.engine.running(last), seeded(self.model, rows):
            with autocast(self.precision, self.device):
                loss = summed_loss(self.engine.forward, batch, self.first, self.mesh.tensor_group)
            # Engines take the mean over replicas where the sum is wanted.
            self.engine.backward(loss * self.mesh.data / tokens)
        return loss.detach()

    def _total(self, number: float) -> float:
        """Sum over the replicas."""
        if self.mesh.data_group is None:
            return number
        return float(summed(torch.tensor(number, dtype=torch.float64, device=self.device), self.mesh.data_group))


def _engine(
    model: EncoderDecoder | Decoder, config: TrainJobConfig, mesh: Mesh, cut: Mapping[str, Shard], precision: Precision
) -> Engine:
    clip = config.optimizer.clip
    if config.engine == "torch":
        scaler = _scaler(next(model.parameters()).device, mesh, precision)
        return TorchEngine(model, make_optimizer(model, config.optimizer), clip, mesh, cut, scaler)
    if precision == "fp16":
        raise ValueError("engine=deepspeed: not with precision=fp16; use precision=fp32, or engine=torch")
    from cetd.parallel.deepspeed_engine import DeepSpeedEngine

    groups, settings = parameter_groups(model, config.optimizer), adamw_settings(config.optimizer)
    passes = config.batch_size // mesh.data, config.accumulation
    return DeepSpeedEngine(model, groups, settings, clip, mesh, cut, config.deepspeed, passes)


def _scaler(device: torch.device, mesh: Mesh, precision: Precision) -> torch.GradScaler:
    """The loss scaling of fp16. Replicas see the same gradients; shares of a model do not, and agree on overflows."""
    fp16 = precision == "fp16"
    if mesh.tensor_group is None:
        return torch.GradScaler(device.type, enabled=fp16)
    return ShardedGradScaler(device.type, enabled=fp16, process_group=mesh.tensor_group)


def all_agree(flag: bool, device: torch.device) -> bool:
    """Whether ``flag`` is true in every process."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return flag
    votes = torch.tensor(int(flag), device=device)
    dist.all_reduce(votes, dist.ReduceOp.MIN)
    return bool(votes)
