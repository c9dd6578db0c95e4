"""The loop of phase 3: policy → requirements → reconstructions → test results → reward → new policy.

Streaming, bounded by ``max_staleness``: the schedule says what is dispatched, trained on and dropped; everything else
here is waiting. Rollouts are on disk before they are trained on, and a checkpoint's cursor names the iterations that
have ended, so an interrupted run goes on with nothing lost and nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from actors.learner import LearnerClient, Save, Update
from actors.policy import Draw, Weights
from actors.rollouts import RolloutWorkers
from cetd.config import FeedbackJobConfig
from cetd.data.app import App
from cetd.data.curriculum import Curriculum
from cetd.errors import InfrastructureError
from cetd.evaluation.record import RunRecord
from cetd.feedback.credit import credit, to_batch
from cetd.feedback.rollout import Rollout, Status
from cetd.feedback.schedule import Decision, Schedule

log = logging.getLogger(__name__)

# Iterations in a row without a single rollout at quorum, after which waiting on is no use.
EMPTY_LIMIT = 3


class FeedbackLoop:
    """One run's way from its schedule's state to the end."""

    def __init__(
        self,
        config: FeedbackJobConfig,
        curriculum: Curriculum,
        sources: Mapping[str, list[int]],
        schedule: Schedule,
        workers: RolloutWorkers,
        learner: LearnerClient,
        record: RunRecord,
    ) -> None:
        self.config, self.curriculum, self.sources = config, curriculum, sources
        self.schedule, self.workers, self.learner, self.record = schedule, workers, learner, record
        self.weights = Weights(schedule.version, learner.weights())
        self._rollouts: dict[int, list[Rollout]] = {}
        self._empty_in_row = 0

    def restore(self) -> None:
        """Take up rollouts that were complete, but not ended, when the run was interrupted."""
        for iteration, rollouts in self.record.interrupted():
            versions = {rollout.sample.policy_version for rollout in rollouts}
            if len(versions) == 1 and (version := versions.pop()) <= self.schedule.version:
                self._rollouts[iteration] = rollouts
                self.schedule.restore(iteration, version)
            else:
                # Drawn by a policy that the checkpoint does not know yet: drawn again when it does.
                self.record.forget(iteration)

    async def improve(self) -> None:
        """Run until every iteration has ended."""
        schedule = self.schedule
        collecting: dict[asyncio.Task, int] = {}
        updating: set[asyncio.Task] = set()
        try:
            while not schedule.finished:
                while (iteration := schedule.dispatch()) is not None:
                    collecting[asyncio.create_task(self._collect(iteration))] = iteration
                decision = schedule.decide()
                if decision and decision.action == "drop":
                    self._drop(decision, "dropped_stale")
                    continue
                if decision:
                    schedule.begin(decision)
                    updating = {asyncio.create_task(self._train(decision))}
                done, _ = await asyncio.wait({*collecting, *updating}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    await task
                    if task in updating:
                        updating = set()
                    else:
                        schedule.arrive(collecting.pop(task))
                self.record.show(len(collecting), {llm.config.name: llm.health for llm in self.workers.llms})
        finally:
            for task in (*collecting, *updating):
                task.cancel()

    async def evaluate(self, apps: Sequence[App]) -> list[Rollout]:
        """Greedy rollouts of held-out apps at the current version, on record."""
        version = self.weights.version
        sampling = self.config.policy.sampling.model_copy(update={"temperature": 0.0})
        draw = Draw(self.config.run.seed, -1, 1, sampling)
        rollouts = await self.workers.collect(draw, apps, self.weights)
        evaluated = [
            replace(rollout, status="evaluation", sample=replace(rollout.sample, iteration=version))
            for rollout in rollouts
        ]
        self.record.evaluated(version, evaluated)
        return evaluated

    async def save(self) -> None:
        """Write a checkpoint; where the disk refuses, the run goes on with the last good one and says so.

        Raises:
            InfrastructureError: it was the last one, without which the run has no result.
        """
        answer = await self.learner.send(Save(self.schedule.cursor()))
        if answer.failure and self.schedule.finished:
            raise InfrastructureError(f"{answer.failure}; make room and run the same command again: it resumes")
        if answer.failure:
            log.warning("%s; going on with the last good checkpoint", answer.failure)

    async def _collect(self, iteration: int) -> None:
        draw = Draw(self.config.run.seed, iteration, self.config.loop.group_size, self.config.policy.sampling)
        rollouts = await self.workers.collect(draw, self.curriculum.apps_of(iteration), self.weights)
        self._rollouts[iteration] = rollouts
        self.record.collected(iteration, rollouts)

    async def _train(self, decision: Decision) -> None:
        iteration = decision.iteration
        rollouts = credit(self._rollouts[iteration], self.config.feedback, self.config.run.seed, iteration)
        batch = to_batch(rollouts, self.sources, iteration)
        self._count_empty(iteration, not batch.targets)
        if not batch.targets:
            self._drop(replace(decision, action="drop"), "dropped_quorum")
            return
        self.record.collected(iteration, rollouts, status=None)
        answer = await self.learner.send(Update(batch))
        self.record.busy(answer.interval)
        self.schedule.end(decision)
        self.weights = Weights(answer.version, self.learner.weights())
        del self._rollouts[iteration]
        self.record.trained(rollouts, decision.staleness, answer.metrics)
        loop = self.config.loop
        if loop.evaluate_every and self.schedule.version % loop.evaluate_every == 0 and not self.schedule.finished:
            await self.evaluate(self.curriculum.heldout)
        if self.schedule.finished or len(self.schedule.ended) % loop.checkpoint_every == 0:
            await self.save()

    def _drop(self, decision: Decision, status: Status) -> None:
        rollouts = [replace(rollout, status=status) for rollout in self._rollouts.pop(decision.iteration)]
        self.schedule.end(decision)
        self.record.dropped(decision.iteration, rollouts)

    def _count_empty(self, iteration: int, empty: bool) -> None:
        self._empty_in_row = self._empty_in_row + 1 if empty else 0
        if self._empty_in_row >= EMPTY_LIMIT:
            healths = [f"{llm.config.name} {llm.health.state} {llm.health.reason}".strip() for llm in self.workers.llms]
            raise InfrastructureError(
                f"iteration {iteration}: no rollout reached quorum in {EMPTY_LIMIT} iterations ({', '.join(healths)}); "
                "mend the engines and run the same command again: it resumes"
            )
