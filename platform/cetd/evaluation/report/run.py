"""What a run folder holds, as the report needs it; whatever does not exist yet is empty.

So a run can be looked at while it goes on, and after it was interrupted. A file that exists but cannot be understood is
an error that names it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.evaluation.scores import mean
from cetd.evaluation.summary import SUMMARY_FILE
from cetd.evaluation.utilisation import STAGES
from cetd.feedback import store
from cetd.feedback.rollout import Rollout

CONFIG_FILE, APPS_FILE, ADMISSION_FILE = "config.yaml", "apps.json", "admission.json"


@dataclass(frozen=True)
class Run:
    """A run folder's contents.

    ``evaluations`` are held-out rollouts by the number of policy updates before them; ``apps`` holds ``source`` and
    ``interface`` of the held-out apps; ``admission`` is what their references came to; ``outcomes`` counts training
    outcomes by (LLM, outcome), ``statuses`` rollouts.
    """

    name: str
    config_text: str
    config: dict[str, Any]
    metrics: list[dict[str, Any]]
    summary: dict[str, Any]
    evaluations: dict[int, list[Rollout]]
    apps: dict[str, dict[str, str]]
    admission: dict[str, Any]
    outcomes: Counter[tuple[str, str]]
    statuses: Counter[str]

    @property
    def finished(self) -> bool:
        return bool(self.summary)

    @cached_property
    def before(self) -> list[Rollout]:
        """The first evaluation."""
        return self.evaluations[min(self.evaluations)] if self.evaluations else []

    @cached_property
    def after(self) -> list[Rollout]:
        """The last evaluation, where it is not also the first."""
        return self.evaluations[max(self.evaluations)] if len(self.evaluations) > 1 else []

    @cached_property
    def llms(self) -> list[str]:
        """Names of the reconstruction LLMs: as configured, else as they appear in the results."""
        configured = [str(llm.get("name")) for llm in self.config.get("llms") or []]
        seen = [llm for line in self.metrics for llm in line.get("pass_rate") or {}]
        evaluated = [one.llm for rollout in self.before for one in rollout.reconstructions]
        return configured or list(dict.fromkeys([*seen, *evaluated, *(llm for llm, _ in self.outcomes)]))

    def column(self, name: str, key: str | None = None) -> list[tuple[float, float | None]]:
        """(iteration, value) of a metric, or of ``key`` in a metric by key."""
        points = []
        for line in self.metrics:
            value = line.get(name)
            value = value.get(key) if isinstance(value, dict) and key is not None else value
            drawable = isinstance(value, (int, float)) and math.isfinite(value)
            points.append((line["iteration"], value if drawable else None))
        return points

    def total(self, name: str) -> int:
        """``rollouts``, ``dropped`` or ``unscored`` of the whole run: from the summary, else as stored so far."""
        if name in self.summary:
            return int(self.summary[name])
        match name:
            case "unscored":
                return sum(count for (_, outcome), count in self.outcomes.items() if outcome == "unscored")
            case "dropped":
                return sum(count for status, count in self.statuses.items() if status.startswith("dropped"))
            case _:
                return self.statuses.total()

    @cached_property
    def stage_shares(self) -> dict[str, float]:
        """Busy share of each stage: in the steady state as the summary has it, else the mean over the time so far."""
        if self.summary.get("busy"):
            return self.summary["busy"]
        weights = [line.get("iteration_s") or 0.0 for line in self.metrics]
        if sum(weights):
            stages = list(
                dict.fromkeys([*STAGES, *(stage for line in self.metrics for stage in line.get("busy") or {})])
            )
            shares = {stage: [value or 0.0 for _, value in self.column("busy", stage)] for stage in stages}
            return {
                stage: sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
                for stage, values in shares.items()
            }
        wall = self.summary.get("wall_s")
        return {stage: s / wall for stage, s in self.summary.get("stage_seconds", {}).items()} if wall else {}

    @property
    def efficiency(self) -> float | None:
        """As the summary has it, else the greatest stage share so far."""
        return self.summary.get("efficiency", max(self.stage_shares.values(), default=None))

    @property
    def wall_s(self) -> float | None:
        return self.summary.get("wall_s", self.metrics[-1].get("wall_s") if self.metrics else None)

    @property
    def tail_reward(self) -> float | None:
        """Mean training reward over the last tenth of the iterations."""
        rewards = [value for _, value in self.column("reward")]
        return mean(rewards[-max(1, len(rewards) // 10) :])


def read_run(folder: Path) -> Run:
    """Read what is there.

    Raises:
        ValueError: there is no such folder, or a file in it cannot be understood.
    """
    if not folder.is_dir():
        raise ValueError(f"run={folder}: no such folder; name a run folder, such as runs/demo")
    config_text = _text(folder / CONFIG_FILE)
    outcomes, statuses = _counts(folder / "rollouts")
    return Run(
        name=folder.resolve().name,
        config_text=config_text,
        config=_config(folder / CONFIG_FILE, config_text),
        metrics=read_metrics(folder / METRICS_FILE) if (folder / METRICS_FILE).exists() else [],
        summary=_json(folder / SUMMARY_FILE),
        evaluations={_number(file): store.read(file) for file in sorted(folder.glob("evaluations/heldout-*.parquet"))},
        apps=_json(folder / APPS_FILE),
        admission=_json(folder / ADMISSION_FILE),
        outcomes=outcomes,
        statuses=statuses,
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _config(path: Path, text: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text) if text else {}
    except yaml.YAMLError:
        raise ValueError(f"{path}: not YAML: restore it from the run's command") from None
    return tree if isinstance(tree, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    text = _text(path)
    try:
        tree = json.loads(text) if text else {}
    except json.JSONDecodeError:
        raise ValueError(f"{path}: not JSON: remove it, and the report leaves it out") from None
    if not isinstance(tree, dict):
        raise ValueError(f"{path}: expected an object, got {type(tree).__name__}: remove it")
    return tree


def _number(file: Path) -> int:
    digits = file.stem.rpartition("-")[2]
    if not digits.isdigit():
        raise ValueError(f"{file}: expected heldout-<iteration>.parquet: rename it")
    return int(digits)


def _counts(folder: Path) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    outcomes: Counter[tuple[str, str]] = Counter()
    statuses: Counter[str] = Counter()
    if folder.is_dir():
        nested = "reconstructions.list.element"
        for row in store.read_columns(folder, ["status", f"{nested}.llm", f"{nested}.outcome"]).to_pylist():
            statuses[row["status"]] += 1
            outcomes.update((one["llm"], one["outcome"]) for one in row["reconstructions"])
    return outcomes, statuses
