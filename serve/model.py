"""The deployment that holds CET-D: one version at a time, and the next one beside it while it takes over.

A replica looks at the registry's live version now and then. It loads a new one while the old one answers, has it write
a token, sends it the requests that come from then on, and lets the old one end what it has begun: no request fails, and
no replica is without a model. Where the new version cannot be loaded, the old one stays and the log says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from ray import serve
from ray.serve import metrics

from cetd.config import SamplingConfig
from cetd.config.serve import ServeConfig
from cetd.serving.answers import Answer, Ask, Piece, Text, TooLong
from cetd.serving.served_model import ServedModel
from cetd.serving.source import Source, find, promoted

log = logging.getLogger("ray.serve")

# Rows that wait in the replica beside those that decode, so that a row that ends is followed at once.
WAITING_ROWS = 16


@serve.deployment(name="Model")
class Model:
    """One replica."""

    def __init__(self, config: ServeConfig, runs: Path) -> None:
        self._config, self._runs = config, runs
        self._served = self._load(find(config.model, runs))
        self._refused: str | None = None
        self._ready = False
        self._waiting = metrics.Gauge("cetd_queue_depth", "Requests that wait to join the running batch")
        self._rows = metrics.Gauge("cetd_batch_rows", "Requests that decode together")
        self._first = metrics.Histogram(
            "cetd_first_token_seconds",
            "From a request's arrival at the model to its first token",
            boundaries=[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
        )
        self._read = metrics.Counter("cetd_input_tokens_total", "Tokens read")
        self._written = metrics.Counter("cetd_output_tokens_total", "Tokens written")
        self._watching: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def answer(self, ask: Ask) -> Answer | TooLong:
        """The texts for a request; cancelling it frees its rows within a step."""
        answer = await self._served.answer(ask)
        if isinstance(answer, Answer):
            for text in answer.texts:
                self._count(text)
        return answer

    async def stream(self, ask: Ask) -> AsyncIterator[str | Piece | Text | TooLong]:
        """The version, pieces as they are written, and then the whole text, or that the input is too long."""
        served = self._served
        yield served.version
        async for event in served.stream(ask):
            if isinstance(event, Text):
                self._count(event)
            yield event

    async def ready(self) -> str:
        """The version that answers, once it has written a token."""
        await self._started()
        return self._served.version

    async def check_health(self) -> None:
        """Serve's health check, also the first one, before which no request comes.

        Raises:
            RuntimeError: the engine has broken; Serve replaces the replica.
        """
        await self._started()
        if not self._served.alive:
            raise RuntimeError("the engine has stopped")

    async def _started(self) -> None:
        if not self._ready:
            await self._served.warm_up()
            self._ready = True
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            waiting, rows = self._served.load
            self._waiting.set(waiting)
            self._rows.set(rows)
            await self._follow()
            await asyncio.sleep(self._config.model.watch_s)

    async def _follow(self) -> None:
        """Take over the version that was promoted."""
        try:
            version = await asyncio.to_thread(promoted, self._config.model, self._runs)
        except (ValueError, OSError) as error:
            log.error("the live version cannot be told, %s stays: %s", self._served.version, error)
            return
        if version in (None, self._served.version, self._refused):
            return
        try:
            source = await asyncio.to_thread(find, self._config.model, self._runs)
            successor = await asyncio.to_thread(self._load, source)
            await successor.warm_up()
        except (ValueError, OSError, RuntimeError) as error:
            self._refused = version
            log.error("%s cannot be served, %s stays: %s", version, self._served.version, error)
            return
        predecessor, self._served = self._served, successor
        log.info("%s has taken over from %s", successor.version, predecessor.version)
        ending = asyncio.create_task(predecessor.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _load(self, source: Source) -> ServedModel:
        return ServedModel(source, self._config.model, self._config.batching)

    def _count(self, text: Text) -> None:
        self._first.observe(text.first_token_ms / 1000)
        self._read.inc(text.input_tokens)
        self._written.inc(text.output_tokens)


def sampling(config: ServeConfig, **asked: float | int | None) -> SamplingConfig:
    """How to write a request, from what it says: greedy, and the configured number of tokens, unless told otherwise."""
    said = {name: value for name, value in asked.items() if value is not None}
    return SamplingConfig.model_validate(
        {"temperature": 0, "max_new_tokens": config.batching.default_new_tokens, **said}
    )
