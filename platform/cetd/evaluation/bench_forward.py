"""Seconds and memory of one forward pass of each CET-D size, in the precision that the device trains in.

Weights are not drawn: what they are does not matter for time. A size that does not fit in the memory that is free is
left out and said to be.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from cetd.config import EncoderDecoderConfig
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.parameters import on_meta, parameter_table
from cetd.parallel.processes import run
from cetd.training.precision import autocast, choose

FULL = 4  # bytes of a number in fp32
# Of the free memory, left for what is not weights.
_ROOM = 1.1


@dataclass(frozen=True)
class Forward:
    """One size: seconds of a pass (median), and the peak memory in bytes."""

    seconds: float
    peak: int


def forward_pass(config: EncoderDecoderConfig, source: int, target: int, passes: int) -> Forward | None:
    """Time ``passes`` of one row of ``source`` input and ``target`` output tokens, after one that is not timed.

    In a process of its own; None where the weights do not fit in the memory that is free.
    """
    if FULL * parameter_table(config).total * _ROOM > _free():
        return None
    [found] = run(1, _timed, config, source, target, passes, threads=torch.get_num_threads())
    return found


def _free() -> int:
    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@torch.no_grad()
def _timed(rank: int, config: EncoderDecoderConfig, source: int, target: int, passes: int) -> Forward:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = choose("auto", torch.cuda.get_device_capability() if device.type == "cuda" else None)
    model = on_meta(config).to_empty(device=device).eval()
    assert isinstance(model, EncoderDecoder)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 1e-3)  # what happens to stand there could be denormal numbers, which are slow
    tokens = torch.ones(1, source, dtype=torch.long, device=device)
    written = torch.ones(1, target, dtype=torch.long, device=device)
    seconds = []
    for _ in range(passes + 1):
        begun = time.perf_counter()
        with autocast(precision, device):
            logits = model(tokens, tokens.bool(), written)
        assert torch.isfinite(logits[0, -1, 0].float())  # waits for the device, too
        seconds.append(time.perf_counter() - begun)
    on_cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Forward(median(seconds[1:]), torch.cuda.max_memory_allocated() if device.type == "cuda" else on_cpu)
