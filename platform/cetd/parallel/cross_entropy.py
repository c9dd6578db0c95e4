"""Cross-entropy of logits whose vocabulary is spread over processes: no process ever holds a full row.

Three numbers per token are communicated forward (largest logit, sum of exponentials, target's logit), none backward.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from cetd.parallel.collectives import Group, summed


def cross_entropy(logits: Tensor, targets: Tensor, first: int, group: Group) -> Tensor:
    """Negative log-likelihood (tokens,) in fp32 of ``targets`` (tokens,).

    Args:
        logits: (tokens, share of the vocabulary); the share begins with token ``first``.
        group: the processes that hold the other shares; None where the share is the whole.
    """
    if group is None:
        return functional.cross_entropy(logits.float(), targets, reduction="none")
    return _CrossEntropy.apply(logits.float(), targets, first, group)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, first: int, group: dist.ProcessGroup) -> Tensor:
        largest = logits.max(-1).values
        dist.all_reduce(largest, dist.ReduceOp.MAX, group)
        exponentials = (logits - largest[:, None]).exp()
        here = (targets >= first) & (targets < first + logits.shape[1])
        column = (targets - first).masked_fill(~here, 0)[:, None]
        target = logits.gather(1, column)[:, 0].masked_fill(~here, 0.0)
        total, target = summed(torch.stack([exponentials.sum(-1), target]), group)
        ctx.save_for_backward(exponentials.div_(total[:, None]), column, here)
        return total.log() + largest - target

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        probabilities, column, here = ctx.saved_tensors
        chosen = here[:, None].to(probabilities.dtype).neg()
        return probabilities.scatter_add(1, column, chosen) * gradients[0][:, None], None, None, None
