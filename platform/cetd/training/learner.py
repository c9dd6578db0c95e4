"""The learner's arithmetic: one policy update from a batch of rollouts.

Knows nothing of Ray, files or versions. With several data-parallel workers each takes its share of the rows and
the gradients are summed, normalised by the whole batch, so that the update is the one of a single worker.
"""

from __future__ import annotations

import math

import torch
import torch.distributed as dist
from torch import Tensor

from cetd.config import FeedbackConfig, LearnerConfig
from cetd.feedback import losses
from cetd.feedback.batch import Batch, pad
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.log_probs import sequence_log_probs
from cetd.training.optimizer import apply_gradients, learning_rate, make_optimizer


class Learner:
    """A policy, its optimizer, and the update."""

    def __init__(
        self,
        model: EncoderDecoder,
        reference: EncoderDecoder | None,
        config: LearnerConfig,
        feedback: FeedbackConfig,
        total_steps: int,
        rank: int = 0,
    ) -> None:
        self.model, self.reference = model, reference
        self.config, self.feedback = config, feedback
        self.total_steps = total_steps
        self.rank = rank
        self.steps = 0
        self.optimizer = make_optimizer(model, config.optimizer)

    def update(self, batch: Batch, seed: int) -> dict[str, float]:
        """One pass over the batch; ``seed`` fixes the dropout masks. Returns the statistics of the update."""
        torch.manual_seed(seed)
        self.model.train()
        size = math.ceil(len(batch.targets) / self.config.minibatches)
        statistics: dict[str, float] = {}
        for start in range(0, len(batch.targets), size):
            for name, value in self._step(batch, range(start, min(start + size, len(batch.targets)))).items():
                statistics[name] = statistics.get(name, 0.0) + value / self.config.minibatches
        return statistics

    def gradients(self, batch: Batch, part: range) -> dict[str, float]:
        """Set the gradients of this worker's share of the rows ``part``, normalised by the tokens of all of them.

        Statistics are means over the tokens that were learned from, see :meth:`_telling`.
        """
        telling = self._telling(batch, part)
        mine = telling[self.rank :: self.config.workers]
        tokens = sum(len(batch.targets[i]) for i in part)
        self.optimizer.zero_grad(set_to_none=True)
        if not mine:
            return {}
        apps = sorted({batch.rows[i] for i in mine})
        sources, source_mask = self._pad([batch.sources[app] for app in apps], torch.long)
        rows = torch.tensor([apps.index(batch.rows[i]) for i in mine], device=sources.device)
        targets, mask = self._pad([batch.targets[i] for i in mine], torch.long)
        old_log_probs, _ = self._pad([batch.log_probs[i] for i in mine], torch.float32)
        advantages = torch.tensor([batch.advantages[i] for i in mine], device=sources.device)

        log_probs = sequence_log_probs(self.model, sources, source_mask, targets, mask, rows=rows)
        loss, statistics = self._loss(log_probs, old_log_probs, advantages, mask, tokens)
        learned_from = sum(len(batch.targets[i]) for i in telling)
        statistics = {name: value * tokens / learned_from for name, value in statistics.items()}
        if self.reference is not None:
            with torch.no_grad():
                reference = sequence_log_probs(self.reference, sources, source_mask, targets, mask, rows=rows)
            divergence = losses.k3(log_probs, reference, mask, denominator=tokens)
            loss = loss + self.feedback.kl_weight * divergence
            statistics["kl_to_start"] = float(divergence.detach())
        loss.backward()
        return {"loss": float(loss.detach()), **statistics}

    def _telling(self, batch: Batch, part: range) -> list[int]:
        """Rows that have a gradient: without a penalty towards the start, those whose advantage is not 0.

        The longer a run lasts, the more groups there are whose samples all earn the same. Where no row is left, all
        are taken, so that an update never lacks its statistics.
        """
        if self.reference is not None:
            return list(part)
        return [i for i in part if batch.advantages[i]] or list(part)

    def _loss(
        self, log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, mask: Tensor, tokens: int
    ) -> tuple[Tensor, dict[str, float]]:
        match self.feedback.loss:
            case "clipped":
                clip = self.feedback.clip_ratio
                return losses.clipped(log_probs, old_log_probs, advantages, mask, clip, denominator=tokens)
            case "reward-weighted":
                return losses.reward_weighted(log_probs, advantages, mask, denominator=tokens), {}

    def _step(self, batch: Batch, part: range) -> dict[str, float]:
        statistics = self.gradients(batch, part)
        self._sum_over_workers()
        norm = apply_gradients(self.optimizer, self.steps, self.total_steps, self.config.optimizer)
        rate = learning_rate(self.steps, self.total_steps, self.config.optimizer)
        self.steps += 1
        return {**statistics, "grad_norm": norm, "learning_rate": rate}

    def _pad(self, sequences: list[list[int]] | list[list[float]], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        padded, mask = pad(sequences, 0, dtype)
        device = self.model.embedding.weight.device
        return padded.to(device), mask.to(device)

    def _sum_over_workers(self) -> None:
        if self.config.workers == 1:
            return
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters])
        dist.all_reduce(flat)
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.view_as(parameter)
