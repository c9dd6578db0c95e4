"""A reconstruction LLM as the loop sees it: an engine that may die, with deadlines, retries and restarts.

Promises one answer per prompt: the completion, or None past the retries (to become ``Unscored``, never a zero).
A dead engine is restarted with back-off while the run goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from actors.busy import Busy
from cetd.config import LLMConfig
from cetd.feedback.health import EngineHealth, EngineState

log = logging.getLogger(__name__)

# The engine keeps the deadline itself; past this many seconds more it no longer steps, and is killed.
GRACE_S = 15.0


@dataclass(frozen=True)
class Prompt:
    """Text for an LLM, and the seed of its draw."""

    text: str
    seed: int


class EngineStartError(ValueError):
    """An engine did not come up the first time: a configuration to mend, not a fault to ride out."""


class ReconstructionLLM:
    """Owns the engine's actor. Lives in the loop's process and event loop."""

    def __init__(self, config: LLMConfig, folder: Path | None, revision: str) -> None:
        self.config, self.revision = config, revision
        self.health = EngineHealth(config.limits)
        self._folder = folder
        self._actor: Any = None
        self._serving = asyncio.Event()
        self._supervisor: asyncio.Task | None = None

    async def start(self) -> None:
        """Bring the engine up and keep it up until :meth:`close`.

        Raises:
            EngineStartError: it did not come up within ``start_timeout_s``; the line says why.
        """
        try:
            await self._bring_up()
        except (RayError, TimeoutError) as error:
            self._kill()
            cause = error.cause if isinstance(error, RayTaskError) else error
            detail = str(cause).strip().splitlines()[-1] if str(cause).strip() else type(cause).__name__
            raise EngineStartError(f"llms: engine {self.config.name!r} did not start: {detail}") from None
        self._supervisor = asyncio.create_task(self._supervise())

    async def complete(
        self, prompts: list[Prompt], patience_s: float, on_busy: Callable[[Busy], None]
    ) -> list[str | None]:
        """Completions in order; None where every try failed. A try waits ``patience_s`` for an engine that is down."""
        limits = self.config.limits
        answers: list[str | None] = [None] * len(prompts)
        missing = list(range(len(prompts)))
        for _ in range(1 + limits.max_retries):
            if not missing or not await self._available(patience_s):
                break
            call = self._actor.generate.remote(
                [prompts[i].text for i in missing], [prompts[i].seed for i in missing], limits.request_timeout_s
            )
            try:
                completions, interval = await asyncio.wait_for(call, limits.request_timeout_s + GRACE_S)
            except RayActorError as error:
                self._failed(f"{type(error).__name__}")
                continue
            except TimeoutError:
                self._kill()
                continue
            on_busy(interval)
            for index, completion in zip(missing, completions, strict=True):
                answers[index] = completion
            missing = [index for index in missing if answers[index] is None]
            if missing:
                self.health.timed_out(time.monotonic())
                if self.health.state is EngineState.DEAD:
                    self._kill()
            else:
                self.health.completed()
        return answers

    async def close(self) -> None:
        if self._supervisor:
            self._supervisor.cancel()
        self._kill()

    async def process_id(self) -> int:
        """Process of the engine, for those who want to watch or kill it."""
        return await self._actor.process_id.remote()

    async def _available(self, patience_s: float) -> bool:
        if self._serving.is_set():
            return True
        try:
            await asyncio.wait_for(self._serving.wait(), patience_s)
        except TimeoutError:
            return False
        return True

    async def _bring_up(self) -> None:
        self.health.starting()
        options = {"num_cpus": self.config.cpus, "num_gpus": self.config.gpus}
        match self.config.engine:
            # Imported when asked for, as each brings a large library with it.
            case "vllm":
                from actors.vllm_engine import CONCURRENT_CALLS, VLLMEngine

                engine: Any = VLLMEngine.options(max_concurrency=CONCURRENT_CALLS, **options)
            case "openai":
                from actors.openai_engine import OpenAIEngine

                engine = OpenAIEngine.options(**options)
        self._actor = engine.remote(self.config, self._folder)
        await asyncio.wait_for(self._actor.process_id.remote(), self.config.limits.start_timeout_s)
        self.health.ready()
        self._serving.set()

    async def _supervise(self) -> None:
        while True:
            try:
                await self._actor.watch.remote()
            except RayActorError as error:
                self._failed(type(error).__name__)
            while not self.health.serving:
                await asyncio.sleep(max(0.0, self.health.restart_at - time.monotonic()))
                log.warning("engine %s: restart %d", self.config.name, self.health.restarts + 1)
                try:
                    await self._bring_up()
                    log.warning("engine %s: ready again", self.config.name)
                except (RayError, TimeoutError) as error:
                    self._kill()
                    self._failed(f"restart failed: {type(error).__name__}")

    def _failed(self, reason: str) -> None:
        if self.health.state is not EngineState.DEAD:
            log.warning("engine %s: dead (%s)", self.config.name, reason)
        self._serving.clear()
        self.health.failed(time.monotonic(), reason)

    def _kill(self) -> None:
        self._serving.clear()
        if self._actor is not None:
            ray.kill(self._actor)
