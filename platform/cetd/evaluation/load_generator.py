"""Puts an HTTP server under load and times each request: clients that send their next request when one is answered, or
requests that come at a rate of their own, answered or not.

One process and one event loop hold all clients. What a request costs here is CPU time that a server on the same machine
does not have: 0.4 to 0.5 ms, measured with 1 to 32 clients on two busy cores against a server that answers from memory;
each summary has its own figure as ``client_ms``. Bodies follow from a request's number alone, so that two servers are
asked the same.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import uvloop

OK = 200
# Status of a request without a whole answer: no connection, out of time, a stream that broke off.
NO_ANSWER = 0
PERCENTILES = (50, 95, 99)
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request; times in seconds, ``began_s`` since the load began.

    ``server_s`` is the time that the answer itself says it took, and None where it says nothing.
    """

    began_s: float
    latency_s: float
    status: int
    tokens: int = 0
    first_token_s: float | None = None
    server_s: float | None = None


@dataclass(frozen=True)
class Load:
    """Replies in the order in which they ended, the seconds from the first request to the last answer, and ``cpu_s``,
    the CPU time that the clients took."""

    replies: list[Reply]
    seconds: float
    cpu_s: float


@dataclass(frozen=True)
class Answer:
    """What a request's sender has seen of it."""

    status: int
    body: dict[str, Any]
    first_token_s: float | None = None


# Sends the request of a number and reads its answer to the end.
Sender = Callable[[aiohttp.ClientSession, int], Awaitable[Answer]]


# ------------------------------------------------------------------------------------------------ requests


def distinct(inputs: Sequence[str], number: int) -> str:
    """The input of a request: one of ``inputs`` in turn, with an ending that no other number has."""
    return f"{inputs[number % len(inputs)]}# {number}\n"


def infer(inputs: Sequence[str], max_new_tokens: int) -> Sender:
    """``POST /infer`` of one input, each request another."""

    async def send(session: aiohttp.ClientSession, number: int) -> Answer:
        asked = {"inputs": [distinct(inputs, number)], "max_new_tokens": max_new_tokens}
        async with session.post("/infer", json=asked) as answer:
            return Answer(answer.status, _parsed(await answer.read()))

    return send


def requirements(inputs: Sequence[str], max_new_tokens: int) -> Sender:
    """``POST /v1/requirements`` of one source as a stream of server-sent events, each request another."""

    async def send(session: aiohttp.ClientSession, number: int) -> Answer:
        options = {"max_new_tokens": max_new_tokens}
        asked = {"source": distinct(inputs, number), "options": options, "stream": True}
        began, first, event = time.perf_counter(), None, b""
        async with session.post("/v1/requirements", json=asked) as answer:
            if answer.status != OK:
                return Answer(answer.status, {})
            async for line in answer.content:
                if line.startswith(b"event: "):
                    event = line.removeprefix(b"event: ").strip()
                    if event == b"token" and first is None:
                        first = time.perf_counter() - began
                elif line.startswith(b"data: ") and event == b"done":
                    return Answer(OK, _parsed(line.removeprefix(b"data: ")), first)
        return Answer(NO_ANSWER, {})

    return send


def get(path: str) -> Sender:
    """``GET`` of a path."""

    async def send(session: aiohttp.ClientSession, number: int) -> Answer:
        async with session.get(path) as answer:
            await answer.read()
            return Answer(answer.status, {})

    return send


# ------------------------------------------------------------------------------------------------ the load


def run(load: Coroutine[Any, Any, Load]) -> Load:
    """Have a load applied, in an event loop that takes less time than Python's own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(load)


async def apply(
    url: str,
    send: Sender,
    numbers: Iterator[int],
    concurrency: int,
    *,
    requests: int | None = None,
    seconds: float | None = None,
) -> Load:
    """Have ``concurrency`` clients send requests, ``requests`` in all or for ``seconds``; all that began are awaited.

    Requests take their numbers from ``numbers``, in the order in which they begin; a load that ends by its count takes
    exactly so many.

    Raises:
        ValueError: no end is given, or both.
    """
    if (requests is None) == (seconds is None):
        raise ValueError(f"requests={requests}, seconds={seconds}: give one of them")
    mine = numbers if requests is None else itertools.islice(numbers, requests)
    replies: list[Reply] = []
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        began, busy = time.perf_counter(), time.process_time()
        until = math.inf if seconds is None else began + seconds

        async def client() -> None:
            while time.perf_counter() < until and (number := next(mine, None)) is not None:
                replies.append(await _timed(session, send, number, began))

        await asyncio.gather(*(client() for _ in range(concurrency)))
        return Load(replies, time.perf_counter() - began, time.process_time() - busy)


async def arrive(url: str, send: Sender, numbers: Iterator[int], rate: float, seconds: float) -> Load:
    """Send ``rate`` requests per second, at even distances, for ``seconds``; all are awaited.

    One that is late because this process is, is sent at once, and its time counts from then; those that the time is
    over for are not sent.
    """
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        began, busy = time.perf_counter(), time.process_time()
        sent: list[asyncio.Task[Reply]] = []
        for place in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + place / rate - time.perf_counter()))
            if time.perf_counter() > began + seconds:
                break
            sent.append(asyncio.create_task(_timed(session, send, next(numbers), began)))
        replies = await asyncio.gather(*sent)
        return Load(replies, time.perf_counter() - began, time.process_time() - busy)


async def _timed(session: aiohttp.ClientSession, send: Sender, number: int, load_began: float) -> Reply:
    began = time.perf_counter()
    try:
        answer = await send(session, number)
    except (aiohttp.ClientError, TimeoutError):
        answer = Answer(NO_ANSWER, {})
    ended = time.perf_counter()
    total_ms = answer.body.get("timings", {}).get("total_ms")
    return Reply(
        began_s=began - load_began,
        latency_s=ended - began,
        status=answer.status,
        tokens=answer.body.get("usage", {}).get("output_tokens", 0),
        first_token_s=answer.first_token_s,
        server_s=None if total_ms is None else total_ms / 1000,
    )


def _parsed(body: bytes) -> dict[str, Any]:
    """An object of an answer; of anything else, nothing."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# --------------------------------------------------------------------------------------------- what it came to


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of ``values`` that at least ``percent`` % of them do not exceed (the nearest rank).

    Raises:
        ValueError: there are none, or ``percent`` is none of 0 to 100.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError(f"percent={percent} of {len(values)} values: give 0 to 100, and at least one value")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def milliseconds(seconds: Sequence[float]) -> dict[str, float] | None:
    """:data:`PERCENTILES` by name, in milliseconds; None of nothing."""
    if not seconds:
        return None
    return {f"p{percent}": 1000 * percentile(seconds, percent) for percent in PERCENTILES}


def summary(load: Load) -> dict[str, Any]:
    """What a load came to.

    Returns:
        ``requests`` answered well and, of these alone, ``requests_per_s``, ``tokens_per_s``, ``latency_ms`` and
        ``first_token_ms`` (None where nothing streamed); ``errors``, how many others by status ("0": no whole answer);
        ``seconds`` and ``client_ms``, the CPU time of the clients per request.
    """
    answered = [reply for reply in load.replies if reply.status == OK]
    return {
        "requests": len(answered),
        "seconds": load.seconds,
        "requests_per_s": len(answered) / load.seconds if load.seconds else 0.0,
        "tokens_per_s": sum(reply.tokens for reply in answered) / load.seconds if load.seconds else 0.0,
        "latency_ms": milliseconds([reply.latency_s for reply in answered]),
        "first_token_ms": milliseconds([one.first_token_s for one in answered if one.first_token_s is not None]),
        "errors": dict(sorted(Counter(str(one.status) for one in load.replies if one.status != OK).items())),
        "client_ms": 1000 * load.cpu_s / max(1, len(load.replies)),
    }


def by_interval(load: Load, interval_s: float) -> list[dict[str, Any]]:
    """A load's course: requests answered well per second, and the p95 of their latency, in each whole interval.

    A request belongs to the interval in which it ended. What is left over behind the last whole interval is left out.
    """
    whole = int(load.seconds / interval_s)
    latencies: list[list[float]] = [[] for _ in range(whole)]
    for reply in load.replies:
        place = int((reply.began_s + reply.latency_s) / interval_s)
        if reply.status == OK and place < whole:
            latencies[place].append(reply.latency_s)
    return [
        {"requests_per_s": len(each) / interval_s, "p95_ms": 1000 * percentile(each, 95) if each else None}
        for each in latencies
    ]
