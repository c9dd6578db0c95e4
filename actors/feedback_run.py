"""One feedback run from its models and apps to its summary: brings the workers up, runs the loop, takes all down."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from actors.cluster import told_in_one_line
from actors.feedback_loop import FeedbackLoop
from actors.learner import LearnerClient, LearnerSetup
from actors.making import Models, make_models
from actors.reconstruction import ReconstructionLLM
from actors.rollouts import RolloutWorkers
from cetd.config import FeedbackJobConfig
from cetd.data.app import App
from cetd.data.apps import Apps, load_apps
from cetd.data.curriculum import Curriculum
from cetd.data.tokenizer import Tokenizer
from cetd.errors import InfrastructureError
from cetd.evaluation.provenance import provenance
from cetd.evaluation.record import RunRecord, stored_rollouts
from cetd.evaluation.summary import summarise, write_summary
from cetd.feedback import store
from cetd.feedback.rollout import Rollout
from cetd.feedback.schedule import Schedule
from cetd.models import huggingface
from cetd.run_folder import RunFolder
from cetd.sandbox.admission import measured
from cetd.sandbox.sandbox import Sandbox
from cetd.training import checkpoint

log = logging.getLogger("feedback")


def finished(config: FeedbackJobConfig, folder: RunFolder) -> dict[str, Any] | None:
    """The summary of a run that has ended before; None where there is something left to do."""
    if folder.summary.exists() and _schedule(config, folder).finished:
        return folder.read_json(folder.summary)
    return None


def check(config: FeedbackJobConfig) -> Apps:
    """What can be known before Ray starts: the apps, that given folders hold models, that programs can be isolated.

    Raises:
        ValueError: an app or a folder cannot be used; the line names it and the remedy.
        SandboxUnavailable: this machine does not let programs be isolated.
    """
    for part in (config.policy, *config.llms):
        if part.path is not None:
            huggingface.read_config(part.path)
    apps = load_apps(config.apps)
    with Sandbox(config.sandbox, apps.requirements) as sandbox:
        log.info("programs are isolated by %s", sandbox.isolation)
    return apps


async def run(config: FeedbackJobConfig, apps: Apps, folder: RunFolder, root: Path) -> dict[str, Any]:
    """Run, or go on, until all iterations have ended; returns the summary, which is also written.

    Raises:
        ValueError: the configuration, an app, a model or an endpoint cannot be used; the line says which and why.
        InfrastructureError: something broke beyond its retries; the same command resumes.
    """
    models = await make_models(config, root / "models")
    schedule = _schedule(config, folder)
    if schedule.ended:
        log.info("resuming: %d of %d iterations have ended", len(schedule.ended), config.loop.iterations)
    llms = [ReconstructionLLM(c, models.llms[c.name], models.revisions[c.name]) for c in config.llms]
    record = RunRecord(folder, config.loop.iterations, schedule.version, frozenset(schedule.ended))
    workers = RolloutWorkers(config, models.policy, llms, record.busy, apps.requirements)
    learner = LearnerClient(_learner_setup(config, folder, models), folder.path)
    try:
        with told_in_one_line():
            log.info("starting %d engines, the policy, the sandbox and the learner", len(llms))
            await asyncio.gather(workers.start(), learner.start())
            curriculum = await _admit(config, apps, models, workers, folder)
            _remember(workers, record, curriculum, config)
            sources = _sources(curriculum.train, models)
            loop = FeedbackLoop(config, curriculum, sources, schedule, workers, learner, record)
            loop.restore()
            with record.progress:
                before = await _evaluation(loop, 0)
                await loop.improve()
                after = await _evaluation(loop, schedule.version)
            return _summary(config, folder, record, before, after)
    finally:
        record.close()
        await asyncio.gather(workers.close(), learner.close())


def _schedule(config: FeedbackJobConfig, folder: RunFolder) -> Schedule:
    newest = checkpoint.latest(folder.checkpoints)
    if newest is None:
        return Schedule(config.loop.iterations, config.loop.max_staleness)
    cursor = checkpoint.read_state(newest).cursor
    return Schedule.from_cursor(cursor, config.loop.iterations, config.loop.max_staleness)


def _learner_setup(config: FeedbackJobConfig, folder: RunFolder, models: Models) -> LearnerSetup:
    newest = checkpoint.latest(folder.checkpoints)
    return LearnerSetup(
        config=config.learner,
        feedback=config.feedback,
        run_seed=config.run.seed,
        start=models.policy,
        checkpoints=folder.checkpoints,
        total_steps=config.loop.iterations * config.learner.minibatches,
        keep=config.loop.keep_checkpoints,
        first_sequence=checkpoint.read_state(newest).sequence if newest else 0,
    )


async def _admit(
    config: FeedbackJobConfig, apps: Apps, models: Models, workers: RolloutWorkers, folder: RunFolder
) -> Curriculum:
    """Curriculum of the apps whose references pass their tests; measured once per run and then read back."""
    needed = max(1, config.loop.iterations) * config.loop.apps_per_iteration
    candidates = [*apps.train[:needed], *apps.heldout]
    if folder.admission.exists():
        admission = folder.read_json(folder.admission)
    else:
        log.info("admitting %d apps: each reference runs %d times", len(candidates), config.sandbox.admission_runs)
        admission = (await workers.admit(candidates)).record
        folder.write_json(folder.admission, admission)
        for app_id, reason in admission["quarantined"].items():
            log.warning("quarantined %s: %s", app_id, reason)
    train, heldout = (measured(some, admission) for some in (apps.train[:needed], apps.heldout))
    shown = {app.app_id: {"source": app.source_text, "interface": app.interface.text} for app in heldout}
    folder.write_json(folder.apps, shown)
    return Curriculum(train, heldout, config.loop.apps_per_iteration, config.run.seed)


def _sources(apps: list[App], models: Models) -> dict[str, list[int]]:
    tokenizer = Tokenizer.load(models.policy)
    return {app.app_id: tokenizer.encode(app.source_text) for app in apps}


def _remember(workers: RolloutWorkers, record: RunRecord, apps: Curriculum, config: FeedbackJobConfig) -> None:
    """The reward cache as it was when the run was interrupted."""
    by_id = {app.app_id: app for app in (*apps.train, *apps.heldout)}
    sampling = {llm.name: llm.sampling for llm in config.llms}
    for rollouts in stored_rollouts(record.folder.path):
        workers.cache.rebuild(rollouts, by_id, sampling, config.sandbox)


async def _evaluation(loop: FeedbackLoop, version: int) -> list[Rollout]:
    path = store.evaluation_path(loop.record.folder.path, version)
    if path.exists():
        return store.read(path)
    if loop.schedule.version != version:
        raise InfrastructureError(f"{path}: the evaluation is gone and its policy with it; begin anew with --restart")
    log.info("evaluating policy version %d on %d held-out apps", version, len(loop.curriculum.heldout))
    return await loop.evaluate(loop.curriculum.heldout)


def _summary(
    config: FeedbackJobConfig, folder: RunFolder, record: RunRecord, before: list[Rollout], after: list[Rollout]
) -> dict[str, Any]:
    start, end = record.steady_state()
    summary = summarise(
        before=before,
        after=after,
        engines={llm.name: llm.engine for llm in config.llms},
        **record.totals,
        efficiency=record.clock.efficiency(end - start, start, end),
        stage_seconds={stage: record.clock.busy_seconds(stage) for stage in record.clock.stages},
        wall_s=record.wall_s,
        seed=config.run.seed,
        extras={
            "shuffle_rewards": config.feedback.shuffle_rewards,
            "iterations": config.loop.iterations,
            "rollouts_per_s": record.rollouts_per_s(),
            "busy": record.clock.shares(end - start, start, end),
            **provenance(),
        },
    )
    write_summary(folder.path, summary)
    return summary
