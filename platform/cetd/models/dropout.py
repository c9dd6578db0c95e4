"""Dropout whose masks are a function of (row, site, unit) instead of a generator's state.

As in T5X (Roberts et al. 2022) the positions of a row share a mask. So masks are small, and attention keeps its fused
kernel: to drop a weight for all queries is to drop the value. However rows and units are spread over processes, and
however often a layer is computed again, the masks are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Finalizer and increment of SplitMix64 (Steele et al. 2014), as signed 64-bit numbers.
_MIX = (-0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)
_STEP = -0x61C8864680B583EB
_BITS = 1 << 31


class Dropout(nn.Module):
    """Drops units of (batch, position, unit); training mode only.

    ``first`` is the index of the first unit held here, where a layer's units are spread over processes.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.site = 0
        self.first = 0
        self.rows: Tensor | None = None  # (batch,) seeds; None draws them from torch's generator

    def forward(self, hidden: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return hidden
        units = torch.arange(self.first, self.first + hidden.shape[-1], device=hidden.device)
        return hidden * self._kept(hidden, units)[:, None, :]

    def _kept(self, hidden: Tensor, units: Tensor) -> Tensor:
        """(batch, *units): 0 where a unit is dropped, else what keeps the mean."""
        rows = torch.randint(1 << 62, hidden.shape[:1]) if self.rows is None else self.rows
        rows = rows.to(hidden.device).view(-1, *[1] * units.ndim)
        drawn = _mix(_mix(_mix(rows) + self.site) + _STEP * units) & (_BITS - 1)
        return (drawn >= int(self.rate * _BITS)).to(hidden.dtype) / (1 - self.rate)


class ValueDropout(Dropout):
    """Drops attention weights for all queries at once: values (batch, head, key, size), units being (head, key)."""

    def forward(self, hidden: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return hidden
        heads = torch.arange(self.first, self.first + hidden.shape[1], device=hidden.device)
        keys = torch.arange(hidden.shape[2], device=hidden.device)
        return hidden * self._kept(hidden, (heads[:, None] << 32) + keys)[..., None]


def number_sites(model: nn.Module) -> None:
    """Give every dropout of a model its own masks."""
    for site, dropout in enumerate(_sites(model)):
        dropout.site = site


@contextmanager
def seeded(model: nn.Module, rows: Tensor) -> Iterator[None]:
    """Masks of the body's forward passes, and of what backward computes again, follow from ``rows`` (batch,), int64."""
    for dropout in _sites(model):
        dropout.rows = rows
    try:
        yield
    finally:
        for dropout in _sites(model):
            dropout.rows = None


def _sites(model: nn.Module) -> Iterator[Dropout]:
    return (module for module in model.modules() if isinstance(module, Dropout))


def _mix(state: Tensor) -> Tensor:
    """SplitMix64's finalizer, elementwise; shifts are made logical by masking the sign's copies away."""
    state = (state ^ ((state >> 30) & ((1 << 34) - 1))) * _MIX[0]
    state = (state ^ ((state >> 27) & ((1 << 37) - 1))) * _MIX[1]
    return state ^ ((state >> 31) & ((1 << 33) - 1))
