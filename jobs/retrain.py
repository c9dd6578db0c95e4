"""python -m jobs.retrain --config configs/retrain/demo.yaml [section.field=value …]

Phase 4, continuous learning: trains the live model on 20 to 40 requests that users were content with, measures it and
the live model on the same held-out apps, and registers it as a new version if it is better, else rejects it. With
promote=true a version that is registered goes live. The same run.name resumes where it stopped.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cetd import config as configuration
from cetd.config import FeedbackJobConfig
from cetd.config.retrain import RetrainConfig
from cetd.config.train import TrainJobConfig
from cetd.registry import Registry, RegistryError, Version
from cetd.run_folder import RunFolder, runs_root
from cetd.serving.lessons import mark_used, new_lessons
from jobs import ROOT, models
from jobs import train as training
from jobs.command_line import add_run_arguments, begin, log_to_terminal, one_line_errors, parse

if TYPE_CHECKING:
    from cetd.data.apps import Apps
    from cetd.feedback.rollout import Rollout

log = logging.getLogger("retrain")


def main(argv: list[str] | None = None) -> None:
    config, arguments = parse(RetrainConfig, __doc__ or "", argv, add_run_arguments)
    log_to_terminal()
    root = runs_root(config.run.root)
    with one_line_errors(), RunFolder(root, config.run.name) as folder:
        begin(folder, config, arguments)
        decision = retrain(config, folder, root)
        show(decision)
        if config.promote and decision["registered"]:
            promote(Registry(root / "registry"), config.model, decision)


def retrain(config: RetrainConfig, folder: RunFolder, root: Path) -> dict[str, Any]:
    """Learn, measure, decide; returns the decision, which stands in the run's ``decision.json``.

    Raises:
        ValueError: no live version, too few new examples, or presets that do not fit.
        InfrastructureError: something broke beyond its retries; the same command resumes.
    """
    decided = folder.path / "decision.json"
    if decided.exists():
        log.info("%s has decided before; another run.name takes what is new since", folder.path)
        return folder.read_json(decided)
    from actors.feedback_run import check
    from cetd.evaluation.contest import contest
    from cetd.evaluation.scores import mean, pass_rates

    registry, records = Registry(root / "registry"), config.examples.folder or root / "production"
    # Before any request is set aside: presets that cannot be used are a user's to mend.
    judged_by = configuration.load(FeedbackJobConfig, config.contest.preset)
    preset = configuration.load(TrainJobConfig, config.training)
    plan = planned(config, folder, registry, records)
    live = registry.version(config.model, plan["live"])
    apps = check(judged_by)
    policies = {"live": registry.verify(live), "candidate": train(config, preset, live, folder)}
    rollouts = measure(judged_by, apps, policies, folder, root)
    result = contest(rewards(rollouts["live"]), rewards(rollouts["candidate"]), config.contest.confidence)
    decision = {
        "live": live.label,
        "registered": None,
        **{name: plan[name] for name in ("learned_from", "not_good", "waiting")},
        "contest": result.record(),
        "pass_rate": {name: mean(pass_rates(rollouts[name]).values()) for name in policies},
    }
    if result.won:
        decision["registered"] = registered(config.model, registry, folder, decision).label
    mark_used(records, config.model, config.run.name, plan["request_ids"])
    folder.write_json(decided, decision)
    return decision


def planned(config: RetrainConfig, folder: RunFolder, registry: Registry, records: Path) -> dict[str, Any]:
    """Which version is trained on which requests: chosen once, with the pairs written beside it.

    Raises:
        ValueError: no version is live, or there are too few new examples.
    """
    path = folder.path / "plan.json"
    if path.exists():
        return folder.read_json(path)
    live = registry.live(config.model)
    if live is None:
        raise RegistryError(
            f"model={config.model}: no version is live; python -m jobs.models register runs/demo --promote makes one"
        )
    lessons = new_lessons(records, config.model, config.examples)
    from cetd.data.pairs import write_pairs

    for name, pairs in zip(("train", "validation"), lessons.split(config.examples.validation), strict=True):
        write_pairs(folder.path / "data" / f"{name}.parquet", pairs)
    plan = {
        "live": live.number,
        "request_ids": lessons.request_ids,
        "learned_from": len(lessons.pairs),
        "not_good": lessons.not_good,
        "waiting": lessons.waiting,
    }
    folder.write_json(path, plan)
    return plan


def train(config: RetrainConfig, preset: TrainJobConfig, live: Version, folder: RunFolder) -> Path:
    """The candidate, in Hugging Face layout: trained by jobs.train in a run of its own within this one."""
    from cetd.models import huggingface
    from cetd.training.preparation import check

    model = huggingface.read_config(live.folder).model_copy(update={"dropout": preset.model.dropout})
    pairs = {name: folder.path / "data" / f"{name}.parquet" for name in ("train", "validation")}
    given = {
        "run": {"name": "training", "root": folder.path, "seed": config.run.seed},
        "phase": 4,
        "model": model.model_dump(),
        "start": live.folder,
        "tokenizer": live.folder,
        "data": preset.data.model_dump() | pairs,
    }
    job = configuration.validate(TrainJobConfig, preset.model_dump() | given)
    with RunFolder(folder.path, "training") as within:
        within.adopt(job)
        check(job)
        summary = training.finished(within) or training.run(job, within)
    if summary["status"] == "diverged":
        raise ValueError(f"training={config.training}: {summary['message']}; nothing was registered")
    return within.path / "model"


def measure(
    config: FeedbackJobConfig, apps: Apps, policies: dict[str, Path], folder: RunFolder, root: Path
) -> dict[str, list[Rollout]]:
    """Held-out rollouts of both policies."""
    from actors import held_out
    from actors.cluster import connected, wanted

    with connected(*wanted(config), ROOT):
        return asyncio.run(held_out.measure(config, apps, policies, folder.path / "rollouts", root))


def rewards(rollouts: list[Rollout]) -> dict[str, float | None]:
    """Reward by app; None where infrastructure left it without one."""
    return {one.sample.app_id: one.reward.value if one.reward else None for one in rollouts}


def registered(model: str, registry: Registry, folder: RunFolder, decision: dict[str, Any]) -> Version:
    """The candidate as a new version; found where a run that was cut short has registered it before."""
    trained = folder.path / "training"
    if before := registry.holding(model, trained / "model"):
        return before
    told = {name: decision[name] for name in ("contest", "learned_from")}
    gate = {"phase": 4, "decision": f"better than {decision['live']}", "pass_rate": decision["pass_rate"]["candidate"]}
    lineage = {"run": str(folder.path), "gate": gate, "retraining": told, "parent": decision["live"]}
    return models.register(registry, model, trained, lineage)


def promote(registry: Registry, model: str, decision: dict[str, Any]) -> None:
    """Make the registered candidate the live version.

    Raises:
        RegistryError: another version has gone live, which the candidate was not measured against.
    """
    live = registry.live(model)
    if live and live.label == decision["registered"]:
        return
    if live is None or live.label != decision["live"]:
        raise RegistryError(
            f"promote=true: {live.label if live else 'nothing'} is live now, and {decision['registered']} was measured "
            f"against {decision['live']}; retrain once more, or decide by jobs.models promote"
        )
    print(f"{registry.promote(model, int(decision['registered'].rpartition(':')[2])).label} is live")


def show(decision: dict[str, Any]) -> None:
    """Print the figures and what was decided."""
    from rich.console import Console
    from rich.table import Table

    result = decision["contest"]
    table = Table("", "live", "candidate", title=f"{result['apps']} held-out apps, greedy", title_justify="left")
    table.add_row("mean reward", f"{result['live']:.3f}", f"{result['candidate']:.3f}")
    table.add_row("pass rate", *(f"{decision['pass_rate'][name]:.1%}" for name in ("live", "candidate")))
    table.add_row("apps on which it is better", str(result["worse"]), str(result["better"]))
    Console().print(table)
    print(
        f"learned from {decision['learned_from']} requests; {decision['not_good']} verdicts were not good, "
        f"{decision['waiting']} sources wait for the next time"
    )
    found = f"confidence that it is better: {result['confidence']:.1%}, needed: {result['needed']:.1%}"
    if decision["registered"]:
        number = decision["registered"].rpartition(":")[2]
        print(f"registered as {decision['registered']} ({found})\nlive: python -m jobs.models promote {number}")
    else:
        print(f"rejected ({found}); {decision['live']} stays live")


if __name__ == "__main__":
    main()
