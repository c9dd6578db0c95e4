"""How servers of the same weights bear up under load: throughput, latency, time to first token, memory, endurance.

Servers have their turns one after the other and are asked the same: micro-apps' sources, so that lengths are real, each
with an ending of its own, so that no cache has the answer. Clients, servers and whatever else this machine does share
its cores: the load average before and after is part of the report.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cetd.config import FeedbackJobConfig, MicroAppsConfig
from cetd.data.microapps import generate
from cetd.data.tokenizer import CONTROL_TOKENS
from cetd.errors import InfrastructureError
from cetd.evaluation import load_generator
from cetd.evaluation.load_generator import (
    OK,
    Load,
    Sender,
    by_interval,
    get,
    infer,
    milliseconds,
    requirements,
    summary,
)
from cetd.evaluation.server_process import Server, Usage, running
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.seeds import derive
from cetd.training.making import make_tokenizer

log = logging.getLogger(__name__)

CONCURRENCY = (1, 4, 8, 16, 32)
MAX_NEW_TOKENS = 32
SOURCES = 512
# Where throughput is compared, and what is sustained.
BUSY = 16
# At least so many times the other's throughput at BUSY; at least so many times the throughput of the fewest clients
# with the most; and at most so many milliseconds with one client.
SPEED_UP, GROWTH, P95_MS = 4.0, 6.0, 50.0
_MINUTE_S = 60.0
_NEXT_TO_NOTHING_MS = 0.01
# Requests per client that are not timed.
_WARM_UP = 2


@dataclass(frozen=True)
class Side:
    """A server, and whether it streams ``POST /v1/requirements``."""

    server: Server
    streams: bool


# Makes a side when its turn comes: of ports that are free now, one may be taken by then.
Maker = Callable[[], Side]


def compare(ours: Maker, other: Maker, seconds: float, minutes: float, beside: Sequence[Maker] = ()) -> dict[str, Any]:
    """Put both under the same load, ``seconds`` at each concurrency, and ours for ``minutes`` at :data:`BUSY`.

    Those ``beside`` them are measured for half the time, and no target is theirs.

    Returns:
        The figures of each side by its name, under ``sides`` (see :func:`measure`); the ``targets`` (see
        :func:`targets`); and the machine's ``load`` before and after.

    Raises:
        InfrastructureError: a server does not start, or does not answer any more.
    """
    asked = sources()
    load = [os.getloadavg()[0]]
    turns = [(ours, seconds, minutes), (other, seconds, 0.0), *((make, seconds / 2, 0.0) for make in beside)]
    sides: dict[str, Any] = {}
    for make, of_seconds, of_minutes in turns:
        side = make()
        sides[side.server.name] = measure(side, asked, of_seconds, of_minutes)
    load.append(os.getloadavg()[0])
    return {
        "concurrency": CONCURRENCY,
        "seconds": seconds,
        "minutes": minutes,
        "max_new_tokens": MAX_NEW_TOKENS,
        "load": load,
        "sides": sides,
        "targets": targets(*(side["levels"] for side in list(sides.values())[:2])),
    }


def sources() -> list[str]:
    """What servers are asked: source texts of as many micro-apps."""
    return [app.source_text for app in generate(MicroAppsConfig(train=SOURCES, heldout=1)).train]


def measure(side: Side, sources: Sequence[str], seconds: float, minutes: float) -> dict[str, Any]:
    """Start a server, put it under load and end it.

    Returns:
        ``levels``, the summary (see :func:`load_generator.summary`) at each concurrency, with ``processor_ms``, the
        server's processor time per request by process, and ``streamed``, the summary of streams, where there are any;
        ``overhead``; ``sustained``; ``memory`` in bytes: when ready, and the ``peak``.
    """
    with running(side.server) as usage:
        log.info("%s answers at %s", side.server.name, side.server.url)
        ready, numbers = usage.now(), itertools.count()
        ask = infer(sources, MAX_NEW_TOKENS)
        levels: dict[str, Any] = {}
        for concurrency in CONCURRENCY:
            _load(side, ask, numbers, concurrency, requests=_WARM_UP * concurrency)
            before = usage.processor_s()
            level = summary(_load(side, ask, numbers, concurrency, seconds=seconds))
            level["processor_ms"] = _per_request(before, usage.processor_s(), level["requests"])
            if side.streams:
                stream = requirements(sources, MAX_NEW_TOKENS)
                level["streamed"] = summary(_load(side, stream, numbers, concurrency, seconds=seconds / 2))
            log.info("%s, %d clients: %.1f requests/s", side.server.name, concurrency, level["requests_per_s"])
            levels[str(concurrency)] = level
        return {
            "levels": levels,
            "overhead": _overhead(side, ask, numbers, seconds),
            "sustained": _sustained(side, ask, numbers, minutes, usage) if minutes else None,
            "memory": {"ready": ready, "peak": usage.peak},
        }


def targets(ours: dict[str, Any], other: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """How the figures at each concurrency stand to what is aimed at.

    Returns:
        The ``speed_up`` over the other at :data:`BUSY`, the ``growth`` of throughput from the fewest clients to the
        most, and ``p95_ms`` with one client: of each what was ``found``, the ``target``, and whether it is ``met``.
    """
    few, many, busy = str(min(CONCURRENCY)), str(max(CONCURRENCY)), str(BUSY)
    speed_up = ours[busy]["requests_per_s"] / other[busy]["requests_per_s"]
    growth = ours[many]["requests_per_s"] / ours[few]["requests_per_s"]
    p95 = ours[few]["latency_ms"]["p95"]
    return {
        "speed_up": {"found": speed_up, "target": SPEED_UP, "met": speed_up >= SPEED_UP},
        "growth": {"found": growth, "target": GROWTH, "met": growth >= GROWTH},
        "p95_ms": {"found": p95, "target": P95_MS, "met": p95 <= P95_MS},
    }


def random_model(config: FeedbackJobConfig, folder: Path) -> Path:
    """Write a policy of the configuration's shape into ``folder``, with its tokenizer and with weights that are drawn.

    For speed it does not matter what it writes, as long as it is text: no control token is ever likely, so that each
    text has all the tokens that it may have.

    Raises:
        ValueError: the apps are not generated here.
    """
    if not isinstance(config.apps, MicroAppsConfig):
        raise ValueError(f"apps.kind={config.apps.kind}: the tokenizer is made from micro-apps")
    tokenizer = make_tokenizer(config.apps, config.tokenizer_vocab)
    torch.manual_seed(derive("random policy", config.run.seed))
    model = EncoderDecoder(config.policy.model.model_copy(update={"vocab_size": tokenizer.vocab_size}))
    with torch.no_grad():
        head = model.embedding if model.lm_head is None else model.lm_head
        head.weight[[tokenizer.id_of(token) for token in CONTROL_TOKENS]] = 0
    huggingface.save(model, folder)
    tokenizer.save(folder)
    return folder


def limit(level: dict[str, Any], processors: int) -> float:
    """Requests per second at which server and clients would keep all processors busy, at what they cost here."""
    return 1000 * processors / (sum(level["processor_ms"].values()) + level["client_ms"])


def _per_request(before: dict[str, float], after: dict[str, float], requests: int) -> dict[str, float]:
    """Milliseconds by process, the largest first, less what is next to nothing."""
    spent = {name: 1000 * (seconds - before.get(name, 0.0)) / requests for name, seconds in after.items()}
    return {
        name: spent[name] for name in sorted(spent, key=lambda one: -spent[one]) if spent[name] > _NEXT_TO_NOTHING_MS
    }


def _overhead(side: Side, ask: Sender, numbers: Iterator[int], seconds: float) -> dict[str, Any]:
    """With one client: what no model works on takes, and a request takes beyond what its answer says it took."""
    health = _load(side, get("/health"), numbers, 1, seconds=seconds / 4)
    asked = _load(side, ask, numbers, 1, seconds=seconds / 2)
    beyond = [one.latency_s - one.server_s for one in asked.replies if one.status == OK and one.server_s is not None]
    return {"health_ms": summary(health)["latency_ms"], "beyond_the_model_ms": milliseconds(beyond)}


def _sustained(side: Side, ask: Sender, numbers: Iterator[int], minutes: float, usage: Usage) -> dict[str, Any]:
    start = usage.now()
    load = _load(side, ask, numbers, BUSY, seconds=minutes * _MINUTE_S)
    return {**summary(load), "by_minute": by_interval(load, _MINUTE_S), "memory": {"start": start, "end": usage.now()}}


def _load(side: Side, send: Sender, numbers: Iterator[int], concurrency: int, **end: Any) -> Load:
    load = load_generator.run(load_generator.apply(side.server.url, send, numbers, concurrency, **end))
    if not any(reply.status == OK for reply in load.replies):
        raise InfrastructureError(
            f"{side.server.name} does not answer any more ({concurrency} clients; requests by status: "
            f"{summary(load)['errors']}): see {side.server.log}"
        )
    return load
