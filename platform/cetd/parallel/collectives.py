"""The two communications of tensor parallelism, with their gradients (Shoeybi et al. 2019, section 3).

A replicated tensor enters sharded computation by :func:`copy`, and partial sums leave it by :func:`reduce`: what the
one does forward the other does backward. Without a group both are the identity.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

Group = dist.ProcessGroup | None


def copy(tensor: Tensor, group: Group) -> Tensor:
    """The tensor; backward sums the gradients of all processes."""
    return tensor if group is None else _Copy.apply(tensor, group)


def reduce(tensor: Tensor, group: Group) -> Tensor:
    """The sum over all processes; backward passes the gradient on."""
    return tensor if group is None else _Reduce.apply(tensor, group)


def summed(tensor: Tensor, group: Group) -> Tensor:
    """The sum over all processes, as a new tensor and without a gradient."""
    if group is None:
        return tensor
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total, group=group)
    return total


class _Copy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return summed(gradients[0], ctx.group), None


class _Reduce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
        return summed(tensor, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0], None
