"""What makes an update of gradients: an engine holds the optimizer, and knows how replicas share its work.

It reduces gradients over the replicas, clips them by the norm of the whole model and steps. What a loss is, and which
rate a step has, is the trainer's business. :class:`TorchEngine` keeps all of the optimizer's states in every replica;
:mod:`cetd.parallel.deepspeed_engine` spreads them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_

from cetd.parallel.collectives import summed
from cetd.parallel.mesh import Mesh

# AdamW's states of a parameter: tensors of its shape, and the number of its updates.
MOMENTS = ("exp_avg", "exp_avg_sq")
UPDATES = "step"


def updates_device(optimizer: torch.optim.Optimizer, parameter: Tensor) -> torch.device:
    """Where AdamW has the number of a parameter's updates: a fused kernel reads it beside the parameter."""
    return parameter.device if optimizer.defaults.get("fused") else torch.device("cpu")


class Engine(Protocol):
    """Of one process. All processes call the same methods in the same order."""

    forward: Callable[..., Tensor]
    scaler: torch.GradScaler

    def running(self, last: bool) -> AbstractContextManager[None]:
        """The context of a forward and backward pass, the ``last`` of a step or an earlier one."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of ``loss``, of which the mean over replicas is taken."""
        ...

    def update(self, rate: float) -> float:
        """Clip and apply the gradients; returns their norm before clipping."""
        ...

    def moments(self, parameter: nn.Parameter) -> Mapping[str, Tensor]:
        """The optimizer's states of what this process holds of a parameter; empty before its first update."""
        ...

    def restore(self, parameter: nn.Parameter, moments: Mapping[str, Tensor]) -> None:
        """Take over a parameter's present value, and what :meth:`moments` gave for it."""
        ...


class TorchEngine:
    """PyTorch's DistributedDataParallel, and its optimizer."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        clip: float,
        mesh: Mesh,
        cut: Collection[str],
        scaler: torch.GradScaler,
    ) -> None:
        """``cut`` names the parameters of which this process holds a part."""
        self.scaler = scaler
        self._model, self._optimizer, self._clip, self._mesh, self._cut = model, optimizer, clip, mesh, cut
        self._device = next(model.parameters()).device
        self.forward: Callable[..., Tensor] = model
        if mesh.data_group:
            self.forward = DistributedDataParallel(model, process_group=mesh.data_group, gradient_as_bucket_view=True)

    def running(self, last: bool) -> AbstractContextManager[None]:
        replica = self.forward
        return replica.no_sync() if isinstance(replica, DistributedDataParallel) and not last else nullcontext()

    def backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def update(self, rate: float) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self.scaler.unscale_(self._optimizer)
        norm = self._norm()
        clip_grads_with_norm_(self._model.parameters(), self._clip, torch.tensor(norm))
        self.scaler.step(self._optimizer)
        self.scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        return norm

    def moments(self, parameter: nn.Parameter) -> Mapping[str, Tensor]:
        return self._optimizer.state.get(parameter, {})

    def restore(self, parameter: nn.Parameter, moments: Mapping[str, Tensor]) -> None:
        self._optimizer.state[parameter] = {
            name: moment.to(updates_device(self._optimizer, parameter) if name == UPDATES else parameter.device)
            for name, moment in moments.items()
        }

    def _norm(self) -> float:
        """Of the whole model's gradients: what is cut is summed over its holders, the rest counts once."""
        cut, whole = [torch.zeros((), device=self._device)], [torch.zeros((), device=self._device)]
        for name, parameter in self._model.named_parameters():
            assert parameter.grad is not None, name
            (cut if name in self._cut else whole).append(torch.linalg.vector_norm(parameter.grad))
        squares = [torch.stack(norms).square().sum() for norms in (cut, whole)]
        return float((summed(squares[0], self._mesh.tensor_group) + squares[1]).sqrt())
