"""Which arithmetic a device trains in."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["fp32", "fp16", "bf16"]

_TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def choose(wanted: Literal["auto", "fp32", "fp16", "bf16"], capability: tuple[int, int] | None) -> Precision:
    """The precision for a device of a CUDA compute capability; None is a CPU.

    Pascal (6.x) has fp16 arithmetic at 1/64 of fp32 (NVIDIA, CUDA C++ Programming Guide, arithmetic throughput) and no
    bf16, so auto takes fp32 there.

    Raises:
        ValueError: the device has no such arithmetic.
    """
    if wanted == "auto":
        if capability is None or capability < (7, 0):
            return "fp32"
        return "bf16" if capability >= (8, 0) else "fp16"
    if wanted == "bf16" and capability is not None and capability < (8, 0):
        shown = ".".join(map(str, capability))
        raise ValueError(f"precision=bf16: a device of compute capability {shown} has none; use fp32")
    if wanted == "fp16" and capability is None:
        raise ValueError("precision=fp16: a CPU trains in fp32 or bf16; use one of them")
    return wanted


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context that forward passes run in."""
    enabled = precision != "fp32"
    return torch.autocast(device.type, dtype=_TYPES.get(precision, torch.bfloat16), enabled=enabled)
