"""AdamW and its learning-rate schedules.

The rate is a pure function of the step, so a resumed run needs nothing but the step to go on.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from cetd.config import OptimizerConfig


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over the model's parameters; on a GPU the kernel that makes no tensors of its own."""
    fused = next(model.parameters()).is_cuda
    return torch.optim.AdamW(parameter_groups(model, config), fused=fused, **adamw_settings(config))


def parameter_groups(model: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """The parameters to be trained; weight decay applies to matrices and tables, never to norms."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def adamw_settings(config: OptimizerConfig) -> dict[str, Any]:
    """What AdamW is made with, beside its parameters."""
    return {"lr": config.learning_rate, "betas": config.betas, "eps": config.eps}


def learning_rate(step: int, total: int, config: OptimizerConfig) -> float:
    """The rate of the ``step``-th update of ``total`` (from 0): linear warm-up, then the schedule's decay."""
    peak, floor = config.learning_rate, config.min_learning_rate
    if step < config.warmup_steps:
        return peak * (step + 1) / config.warmup_steps
    decaying = max(1, total - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / decaying)
    match config.schedule:
        case "constant":
            return peak
        case "linear":
            return peak + (floor - peak) * progress
        case "cosine":
            return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2


def apply_gradients(optimizer: torch.optim.Optimizer, step: int, total: int, config: OptimizerConfig) -> float:
    """One update with the step's rate and clipped gradients; returns the gradient norm before clipping."""
    rate = learning_rate(step, total, config)
    for group in optimizer.param_groups:
        group["lr"] = rate
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, config.clip)
    optimizer.step()
    return float(norm)
