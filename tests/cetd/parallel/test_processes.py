"""Functions in a process group: their answers, and what goes wrong in one of them."""

from __future__ import annotations

import os
import signal

import pytest
import torch
import torch.distributed as dist

from cetd.parallel.processes import run


def summed_ranks(rank: int, offset: int) -> tuple[int, int]:
    total = torch.tensor(rank + offset)
    dist.all_reduce(total)
    return rank, int(total)


def killed(rank: int) -> None:
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()


def failing(rank: int) -> None:
    if rank == 0:
        raise ValueError("no such thing")
    dist.barrier()


def test_answers_come_by_rank_from_one_group() -> None:
    assert run(2, summed_ranks, 10) == [(0, 21), (1, 21)]


def test_a_process_that_fails_or_is_killed_fails_its_caller_while_the_others_wait_for_it() -> None:
    with pytest.raises(RuntimeError, match=r"process 0: (.|\n)*no such thing"):
        run(2, failing)
    with pytest.raises(RuntimeError, match=r"process [01](.|\n)*(ended without an answer|closed|reset)"):
        run(2, killed)
