"""How a server bears requests at twice the rate that it can answer: who is taken is answered in time, memory is flat.

What it can answer is measured first, with as many clients as it has places: it is full then, and refuses next to
nobody. Clients stand for other machines: the server's processes step back behind them.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cetd.errors import InfrastructureError
from cetd.evaluation import load_generator
from cetd.evaluation.load_generator import Load, by_interval, infer, summary
from cetd.evaluation.server_process import Server, running

log = logging.getLogger(__name__)

OVER = 2.0
# At most so many times the p95 of the full server; at most so many times the memory of the overload's first interval.
SLOWER, MEMORY = 1.5, 1.1
MAX_NEW_TOKENS = 32
_FULL_S = 30.0
# Of the server's processes, Unix's.
_NICENESS = 5
_WARM_UP = 2
# What the course of the overload is told in.
_INTERVALS = 5


def overload(server: Server, sources: Sequence[str], clients: int, seconds: float) -> dict[str, Any]:
    """Fill the server with ``clients``, then offer it twice what it answered, for ``seconds``.

    Returns:
        ``full`` and ``over``, the summaries of both loads (see :func:`load_generator.summary`); requests per second,
        ``offered`` and really ``sent``; ``memory``, bytes at the end of each interval; ``by_interval``; and the
        ``targets``, of each what was ``found``, the ``target``, and whether it is ``met``.

    Raises:
        InfrastructureError: the server does not start, or answers nothing.
    """
    numbers, ask = itertools.count(), infer(sources, MAX_NEW_TOKENS)
    behind = replace(server, command=("nice", "-n", str(_NICENESS), *server.command))
    with running(behind) as usage:
        load_generator.run(load_generator.apply(server.url, ask, numbers, clients, requests=_WARM_UP * clients))
        full = summary(
            load_generator.run(load_generator.apply(server.url, ask, numbers, clients, seconds=min(_FULL_S, seconds)))
        )
        if not full["requests"]:
            raise InfrastructureError(f"{server.name} answers nothing: see {server.log}")
        rate = OVER * full["requests_per_s"]
        log.info("%d clients: %.0f requests/s; offering %.0f", clients, full["requests_per_s"], rate)
        memory, loads = [], []
        for _ in range(_INTERVALS):
            loads.append(
                load_generator.run(load_generator.arrive(server.url, ask, numbers, rate, seconds / _INTERVALS))
            )
            memory.append(usage.now())
            log.info("%s, %.0f MiB", summary(loads[-1])["errors"], memory[-1] / 2**20)
    replies = [one for load in loads for one in load.replies]
    over = summary(Load(replies, sum(load.seconds for load in loads), sum(load.cpu_s for load in loads)))
    if not over["requests"]:
        raise InfrastructureError(f"{server.name} answers nothing under overload: see {server.log}")
    slower = over["latency_ms"]["p95"] / full["latency_ms"]["p95"]
    grown = memory[-1] / memory[0]
    return {
        "clients": clients,
        "full": full,
        "offered": rate,
        "sent": len(replies) / seconds,
        "over": over,
        "by_interval": [by_interval(load, load.seconds)[0] for load in loads],
        "memory": memory,
        "targets": {
            "p95": {"found": slower, "target": SLOWER, "met": slower <= SLOWER},
            "memory": {"found": grown, "target": MEMORY, "met": grown <= MEMORY},
        },
    }
