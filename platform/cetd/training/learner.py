"""The learner's arithmetic: one policy update from a batch of rollouts.

Knows nothing of Ray, files or versions. With several data-parallel workers each takes its share of the rows and
the gradients are summed, normalised by the whole batch, so that the update is the one of a single worker.
"""

from __future__ import annotations

import torch
import torch.distributed as dist

from cetd.config import FeedbackConfig, LearnerConfig
from cetd.feedback import losses
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.log_probs import sequence_log_probs
from cetd.training.batch import Batch, pad
from cetd.training.optimizer import learning_rate, make_optimizer


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
        size = len(batch.targets) // self.config.minibatches
        statistics: dict[str, float] = {}
        for start in range(0, len(batch.targets), size):
            for name, value in self._step(batch, range(start, min(start + size, len(batch.targets)))).items():
                statistics[name] = statistics.get(name, 0.0) + value / self.config.minibatches
        return statistics

    def _step(self, batch: Batch, part: range) -> dict[str, float]:
        mine = list(part)[self.rank :: self.config.workers]
        tokens = sum(len(batch.targets[i]) for i in part)
        apps = sorted({batch.rows[i] for i in mine})
        sources, source_mask = pad([batch.sources[app] for app in apps], 0, torch.long)
        rows = torch.tensor([apps.index(batch.rows[i]) for i in mine])
        targets, mask = pad([batch.targets[i] for i in mine], 0, torch.long)
        old_log_probs, _ = pad([batch.log_probs[i] for i in mine], 0.0, torch.float32)
        advantages = torch.tensor([batch.advantages[i] for i in mine])

        self.optimizer.zero_grad(set_to_none=False)
        log_probs = sequence_log_probs(self.model, sources, source_mask, targets, mask, rows=rows)
        if self.feedback.loss == "clipped":
            loss, statistics = losses.clipped(
                log_probs, old_log_probs, advantages, mask, self.feedback.clip_ratio, denominator=tokens
            )
        else:
            loss = losses.reward_weighted(log_probs, advantages, mask, denominator=tokens)
            statistics = {}
        if self.reference is not None:
            with torch.no_grad():
                reference = sequence_log_probs(self.reference, sources, source_mask, targets, mask, rows=rows)
            divergence = losses.k3(log_probs, reference, mask, denominator=tokens)
            loss = loss + self.feedback.kl_weight * divergence
            statistics["kl_to_start"] = float(divergence.detach())
        loss.backward()
        self._sum_over_workers()
        rate = learning_rate(self.steps, self.total_steps, self.config.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip)
        self.optimizer.step()
        self.steps += 1
        return {**statistics, "loss": float(loss.detach()), "grad_norm": float(norm), "learning_rate": rate}

    def _sum_over_workers(self) -> None:
        if self.config.workers == 1:
            return
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))
