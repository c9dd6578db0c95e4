"""Runs a function in several processes of this machine that form a process group: for tests and benchmarks.

Training proper gets its processes from Ray Train.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

# The last process may take this long to leave the group once all have answered.
LEAVING_S = 60.0


def run(processes: int, function: Callable[..., Any], *arguments: Any, threads: int = 1) -> list[Any]:
    """What ``function(rank, *arguments)`` returns in each of so many fresh processes, by rank.

    Raises:
        RuntimeError: one of them raised, and the message has its traceback; or it was killed.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="cetd-group-") as folder:
        workers, readers = [], []
        for rank in range(processes):
            reader, writer = context.Pipe(duplex=False)
            given = (rank, processes, Path(folder) / "store", threads, writer, function, arguments)
            worker = context.Process(target=_enter, args=given)
            worker.start()
            writer.close()  # so that the reader sees the end of a process that is killed
            workers.append(worker)
            readers.append(reader)
        answers: dict[int, Any] = {}
        try:
            while len(answers) < processes:
                waited = [reader for rank, reader in enumerate(readers) if rank not in answers]
                for reader in wait(waited):
                    rank = readers.index(reader)
                    answers[rank] = _answer(rank, readers[rank])
        finally:
            for worker in workers:
                worker.join(timeout=LEAVING_S if len(answers) == processes else 0)
                worker.kill()
                worker.join()
    return [answers[rank] for rank in range(processes)]


def _answer(rank: int, reader: Connection) -> Any:
    try:
        answer, failure = reader.recv()
    except EOFError:
        raise RuntimeError(f"process {rank} ended without an answer; was it killed for its memory?") from None
    if failure:
        raise RuntimeError(f"process {rank}: {failure}")
    return answer


def _enter(
    rank: int,
    processes: int,
    store: Path,
    threads: int,
    answers: Connection,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    torch.set_num_threads(threads)
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, init_method=f"file://{store}", rank=rank, world_size=processes)
    try:
        answers.send((function(rank, *arguments), ""))
    except BaseException:  # noqa: BLE001 - handed to the caller, whichever it is
        answers.send((None, traceback.format_exc()))
        return
    dist.barrier()
    dist.destroy_process_group()
