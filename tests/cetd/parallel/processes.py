"""Runs a function in several processes that form a gloo process group."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run(processes: int, folder: Path, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What ``function(rank, *arguments)`` returns in each process, by rank; one that fails fails the caller."""
    context = mp.get_context("spawn")
    results = context.SimpleQueue()
    store = folder / f"store-{function.__name__}-{processes}"
    workers = [
        context.Process(target=_enter, args=(rank, processes, store, results, function, arguments))
        for rank in range(processes)
    ]
    for worker in workers:
        worker.start()
    answers: dict[int, Any] = {}
    try:
        for _ in workers:
            rank, answer, failure = results.get()
            assert not failure, f"process {rank}: {failure}"
            answers[rank] = answer
    finally:
        for worker in workers:
            worker.join(timeout=0 if len(answers) < processes else 60)
            worker.kill()
            worker.join()
    return [answers[rank] for rank in range(processes)]


def _enter(
    rank: int, processes: int, store: Path, results: SimpleQueue, function: Callable[..., Any], arguments: tuple
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=processes)
    try:
        results.put((rank, function(rank, *arguments), ""))
    except BaseException:  # noqa: BLE001 - handed to the caller, whichever it is
        results.put((rank, None, traceback.format_exc()))
    dist.barrier()
    dist.destroy_process_group()
