"""The sandbox actors of a run: what programs come to under their apps' tests, each judged once.

Outcomes come from the reward cache where it has them. Two callers that ask for the same outcome at the same time
share one run: reconstruction LLMs that write the same program cost one test run between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from actors.busy import Busy
from actors.sandbox import CONCURRENT_BATCHES, SandboxActor, TestRun
from cetd.config import SandboxConfig
from cetd.data.app import App
from cetd.feedback.cache import RewardCache, outcome_key
from cetd.sandbox.admission import Admission
from cetd.sandbox.outcome import Outcome, Unscored


class SandboxPool:
    """Owns the sandbox actors; for one event loop. A lost actor is Ray's to restart."""

    def __init__(
        self,
        config: SandboxConfig,
        cache: RewardCache,
        on_busy: Callable[[Busy], None],
        requirements: Sequence[str] = (),
    ) -> None:
        self._config, self._cache, self._on_busy = config, cache, on_busy
        actor: Any = SandboxActor.options(num_cpus=config.cpus, max_concurrency=CONCURRENT_BATCHES)
        self._actors: list[Any] = [actor.remote(config, requirements) for _ in range(config.replicas)]
        # By outcome key, the task whose result will hold the outcome.
        self._running: dict[str, asyncio.Task[dict[str, Outcome]]] = {}

    async def process_ids(self) -> list[int]:
        """The actors' processes, once they are up."""
        return list(await asyncio.gather(*(actor.process_id.remote() for actor in self._actors)))

    async def admit(self, apps: Sequence[App]) -> Admission:
        """Run the references; apps come back with what was measured, in their order."""
        return Admission.of(await asyncio.gather(*(actor.admit.remote(share) for actor, share in self._shares(apps))))

    async def outcomes(self, programs: Sequence[tuple[str, App]]) -> list[Outcome]:
        """One outcome per (program, app), in order; ``Unscored`` where the sandbox failed beyond its retries."""
        keys = [outcome_key(program, app, self._config) for program, app in programs]
        known: dict[str, Outcome] = {}
        asked: dict[str, TestRun] = {}
        for key, (program, app) in dict(zip(keys, programs, strict=True)).items():
            if key in self._running:
                continue
            if cached := self._cache.get_outcome(key):
                known[key] = cached
            else:
                asked[key] = TestRun({f"{app.interface.module}.py": program}, app.suite, app.timeout_s)
        if asked:
            self._running |= dict.fromkeys(asked, asyncio.create_task(self._judge(asked)))
        waited_for = {self._running[key] for key in keys if key not in known}
        # Shielded: a caller that is cancelled must not take the others' outcomes along.
        for outcomes in await asyncio.gather(*(asyncio.shield(task) for task in waited_for)):
            known |= outcomes
        return [known[key] for key in keys]

    async def _judge(self, runs: dict[str, TestRun]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        left = runs
        try:
            for _ in range(1 + self._config.max_retries):
                outcomes |= dict(zip(left, await self._run(list(left.values())), strict=True))
                left = {key: run for key, run in left.items() if isinstance(outcomes[key], Unscored)}
                if not left:
                    break
        finally:
            for key in runs:
                del self._running[key]
        for key, outcome in outcomes.items():
            self._cache.put_outcome(key, outcome)
        return outcomes

    async def _run(self, runs: Sequence[TestRun]) -> list[Outcome]:
        answers = await asyncio.gather(*(actor.run.remote(share) for actor, share in self._shares(runs)))
        for _, interval in answers:
            self._on_busy(interval)
        return [outcome for outcomes, _ in answers for outcome in outcomes]

    def _shares(self, items: Sequence[Any]) -> list[tuple[Any, list[Any]]]:
        """Actors with consecutive shares of ``items``, as even as can be; without those that would get nothing."""
        shares = split(items, len(self._actors))
        return [(actor, share) for actor, share in zip(self._actors, shares, strict=True) if share]


def split(items: Sequence[Any], parts: int) -> list[list[Any]]:
    """Into ``parts`` consecutive shares whose lengths differ by at most one."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return [list(items[start:end]) for start, end in pairwise(bounds)]
