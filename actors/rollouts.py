"""From apps to rollouts: generate, reconstruct by every LLM, test, reward.

Every group ends as one rollout per sample, whatever dies on the way: lost policy and sandbox actors are Ray's to
restart, lost engines :class:`ReconstructionLLM`'s, and what stays without an answer past its retries is ``Unscored``.
In the streaming mode a few apps travel together, so that reconstruction and tests of some overlap the generation of
others; in the synchronous mode an iteration travels as a whole, so that engines see the same batches in every run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.busy import Busy
from actors.policy import Draw, PolicyActor, Weights
from actors.reconstruction import Prompt, ReconstructionLLM
from actors.sandbox_pool import SandboxPool, split
from cetd import seeds
from cetd.config import FeedbackJobConfig
from cetd.data.app import App
from cetd.data.prompts import program_from, reconstruction_prompt
from cetd.feedback.cache import RewardCache, program_key
from cetd.feedback.leakage import leakage
from cetd.feedback.rewards import reward
from cetd.feedback.rollout import Reconstruction, Rollout, Sample
from cetd.sandbox.admission import Admission
from cetd.sandbox.outcome import Outcome, Unscored

NO_ANSWER = "no answer from the engine within its deadline and retries"


@dataclass(frozen=True)
class Drawn:
    """A sample, the digest of the weights that drew it, and the seconds of the call that it was drawn in."""

    sample: Sample
    revision: str
    seconds: float


class RolloutWorkers:
    """Owns the policy actors, the engines and the sandbox actors of a run."""

    def __init__(
        self,
        config: FeedbackJobConfig,
        policy_folder: Any,
        llms: Sequence[ReconstructionLLM],
        on_busy: Callable[[Busy], None],
        requirements: Sequence[str],
    ) -> None:
        self.cache = RewardCache()
        self.llms = list(llms)
        self._config, self._on_busy = config, on_busy
        policy = config.policy
        self._policies: list[Any] = [
            PolicyActor.options(num_cpus=policy.cpus, num_gpus=policy.gpus).remote(policy, policy_folder)
            for _ in range(policy.replicas)
        ]
        self._sandbox = SandboxPool(config.sandbox, self.cache, on_busy, requirements)

    async def start(self) -> None:
        """Bring everything up.

        Raises:
            EngineStartError: an engine cannot run; the line says which and why.
            ray.exceptions.RayError: a policy or sandbox actor cannot run.
        """
        policies = (actor.process_id.remote() for actor in self._policies)
        await asyncio.gather(*(llm.start() for llm in self.llms), self._sandbox.process_ids(), *policies)

    async def close(self) -> None:
        await asyncio.gather(*(llm.close() for llm in self.llms))

    async def process_ids(self) -> dict[str, list[int]]:
        """Processes by kind, for those who want to watch or kill them."""
        return {
            "policy": [await actor.process_id.remote() for actor in self._policies],
            "sandbox": await self._sandbox.process_ids(),
            **{llm.config.name: [await llm.process_id()] for llm in self.llms},
        }

    async def admit(self, apps: Sequence[App]) -> Admission:
        """Run the references; apps come back with what was measured, in their order."""
        return await self._sandbox.admit(apps)

    async def collect(self, draw: Draw, apps: Sequence[App], weights: Weights) -> list[Rollout]:
        """All rollouts of ``apps`` at one policy version, in the order (app, sample)."""
        if self._config.loop.max_staleness:
            size = self._config.loop.chunk_apps
            chunks = [apps[start : start + size] for start in range(0, len(apps), size)]
            parts = await asyncio.gather(*(self._chunk(i, draw, chunk, weights) for i, chunk in enumerate(chunks)))
            return [rollout for part in parts for rollout in part]
        shares = [share for share in split(apps, len(self._policies)) if share]
        drawn = await asyncio.gather(*(self._generate(i, draw, share, weights) for i, share in enumerate(shares)))
        return await self._judge([pair for part in drawn for pair in part], apps)

    async def _chunk(self, index: int, draw: Draw, apps: Sequence[App], weights: Weights) -> list[Rollout]:
        return await self._judge(await self._generate(index, draw, apps, weights), apps)

    async def _generate(self, index: int, draw: Draw, apps: Sequence[App], weights: Weights) -> list[Drawn]:
        actor = self._policies[index % len(self._policies)]
        samples, revision, interval = await actor.generate.remote(weights, list(apps), draw)
        self._on_busy(interval)
        return [Drawn(sample, revision, interval.end - interval.start) for sample in samples]

    async def _judge(self, drawn: list[Drawn], apps: Sequence[App]) -> list[Rollout]:
        by_id = {app.app_id: app for app in apps}
        samples = [one.sample for one in drawn]
        columns = await asyncio.gather(*(self._reconstruct(llm, samples, by_id) for llm in self.llms))
        return [
            self._rollout(one, reconstructions, by_id[one.sample.app_id])
            for one, reconstructions in zip(drawn, zip(*columns, strict=True), strict=True)
        ]

    def _rollout(self, drawn: Drawn, column: tuple[Reconstruction, ...], app: App) -> Rollout:
        feedback = self._config.feedback
        overlap = leakage(drawn.sample.requirements, app.source_text, app.interface.text, feedback.leakage_ngram)
        rates = [reconstruction.pass_rate for reconstruction in column]
        return Rollout(
            drawn.sample,
            column,
            reward(rates, overlap, feedback),
            timings={"generate": drawn.seconds},
            policy_revision=drawn.revision,
        )

    async def _reconstruct(
        self, llm: ReconstructionLLM, samples: Sequence[Sample], apps: Mapping[str, App]
    ) -> list[Reconstruction]:
        config = llm.config
        llm_seeds = [seeds.derive(self._config.run.seed, s.iteration, s.app_id, s.sample, config.name) for s in samples]
        keys = [
            program_key(s.requirements, apps[s.app_id].interface.text, llm.revision, config.sampling, seed)
            for s, seed in zip(samples, llm_seeds, strict=True)
        ]
        programs = {key: self.cache.get_program(key) for key in dict.fromkeys(keys)}
        known = {key for key, program in programs.items() if program is not None}
        prompts = {
            key: Prompt(reconstruction_prompt(sample.requirements, apps[sample.app_id].interface), seed)
            for key, sample, seed in zip(keys, samples, llm_seeds, strict=True)
            if key not in known
        }
        begun = time.monotonic()
        if prompts:
            completions = await llm.complete(list(prompts.values()), self._patience_s(llm), self._on_busy)
            for key, completion in zip(prompts, completions, strict=True):
                programs[key] = None if completion is None else program_from(completion)
        generate_s = time.monotonic() - begun
        outcomes = await self._outcomes([(programs[key], apps[s.app_id]) for key, s in zip(keys, samples, strict=True)])
        for key, outcome in zip(keys, outcomes, strict=True):
            program = programs[key]
            if program is not None and not isinstance(outcome, Unscored):
                self.cache.put_program(key, program)
        return [
            Reconstruction(
                llm=config.name,
                engine=config.engine,
                revision=llm.revision,
                seed=seed,
                program=programs[key] or "",
                outcome=outcome,
                generate_s=0.0 if key in known else generate_s,
                cached=key in known,
            )
            for key, seed, outcome in zip(keys, llm_seeds, outcomes, strict=True)
        ]

    def _patience_s(self, llm: ReconstructionLLM) -> float:
        """A dead engine is waited for briefly where the others make the quorum, else until it must be up again."""
        others = sum(other.health.serving for other in self.llms if other is not llm)
        limits = llm.config.limits
        return limits.wait_when_down_s if others >= self._config.feedback.quorum else limits.start_timeout_s

    async def _outcomes(self, programs: Sequence[tuple[str | None, App]]) -> list[Outcome]:
        """One outcome per program, in order; where there is no program, nobody is to blame but the engine."""
        written = [(program, app) for program, app in programs if program is not None]
        outcomes = iter(await self._sandbox.outcomes(written))
        return [Unscored(NO_ANSWER) if program is None else next(outcomes) for program, _ in programs]
