"""What a feedback run leaves behind while it goes: rollouts, metrics, the stages' busy time, the live view.

Rollouts are written when they are complete and again with their advantage and status, each time as a whole file, so a
file of an iteration that has not ended can be taken up or dropped by whoever resumes the run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from cetd.evaluation import scores
from cetd.evaluation.metrics import METRICS_FILE, MetricsLog, read_metrics
from cetd.evaluation.progress import Progress
from cetd.evaluation.utilisation import StageClock
from cetd.feedback import store
from cetd.feedback.health import EngineHealth
from cetd.feedback.rollout import Rollout, Status
from cetd.run_folder import RunFolder

# The steady state begins when the pipeline is full: after this many updates.
WARM_UP_UPDATES = 2
# Rates and busy shares in the metrics are of this many last updates: work that is still under way is not counted yet,
# and updates come in bursts, so that those of a single one say little.
WINDOW_UPDATES = 8


class Interval(Protocol):
    """When a worker of a stage was at work."""

    stage: str
    worker: str
    start: float
    end: float


@dataclass
class RunRecord:
    """Owns the files that grow during a run; of a resumed one, ``version`` updates and ``ended`` are behind us."""

    folder: RunFolder
    iterations: int
    version: int
    ended: frozenset[int] = frozenset()
    clock: StageClock = field(default_factory=StageClock)
    totals: dict[str, int] = field(default_factory=lambda: {"rollouts": 0, "unscored": 0, "dropped": 0})

    def __post_init__(self) -> None:
        self._earlier_s = self._wall_before()
        self._metrics = MetricsLog(self.folder.path, purge_from=self.version)
        self._begun = time.time()
        # When each update of this process ended, and the rollouts it was made from; the first is the start.
        self._updates: list[tuple[float, int]] = [(self._begun, 0)]
        self._last: dict[str, Any] = {}
        self.progress = Progress(self.iterations)
        for iteration in sorted(self.ended):
            self._count(store.read(store.training_path(self.folder.path, iteration)))

    @property
    def wall_s(self) -> float:
        """Seconds of the run, those before a resume included."""
        return self._earlier_s + time.time() - self._begun

    def close(self) -> None:
        self._metrics.close()

    def busy(self, interval: Interval) -> None:
        """Count a worker's time at a stage."""
        self.clock.add(interval.stage, interval.worker, interval.start, interval.end)

    def collected(self, iteration: int, rollouts: Sequence[Rollout], status: Status | None = "ready") -> None:
        """All rollouts of an iteration are complete; ``status=None`` keeps each one's own."""
        kept = rollouts if status is None else [replace(rollout, status=status) for rollout in rollouts]
        store.write(store.training_path(self.folder.path, iteration), kept, self.folder.path.name)

    def interrupted(self) -> Iterator[tuple[int, list[Rollout]]]:
        """Iterations that were complete but had not ended, with their rollouts as they were drawn."""
        for path in sorted((self.folder.path / "rollouts").glob("iteration-*.parquet")):
            iteration = int(path.stem.rpartition("-")[2])
            if iteration not in self.ended:
                yield iteration, [replace(r, status="ready", advantage=None) for r in store.read(path)]

    def forget(self, iteration: int) -> None:
        """Remove an iteration's rollouts: it is drawn again."""
        store.training_path(self.folder.path, iteration).unlink(missing_ok=True)

    def trained(self, rollouts: Sequence[Rollout], staleness: int, update: Mapping[str, float]) -> None:
        """An update was made from ``rollouts``."""
        now = time.time()
        iteration_s = now - self._updates[-1][0]
        self._updates.append((now, len(rollouts)))
        window = self._updates[-1 - WINDOW_UPDATES :]
        since = window[0][0]
        self._count(rollouts)
        self.version += 1
        self._last = {
            "iteration": self.version - 1,
            "policy_version": self.version,
            "reward": scores.mean_reward(rollouts),
            "pass_rate": scores.pass_rates(rollouts),
            "leakage": scores.mean_leakage(rollouts),
            "requirements_tokens": scores.mean_tokens(rollouts),
            **update,
            "staleness_mean": float(staleness),
            "rollouts": len(rollouts),
            "dropped": sum(rollout.status != "trained" for rollout in rollouts),
            "unscored": scores.unscored(rollouts),
            "cached_share": scores.cached_share(rollouts),
            "busy": self.clock.shares(now - since, since, now),
            "rollouts_per_s": _rate(window),
            "iteration_s": iteration_s,
            "wall_s": self.wall_s,
        }
        self._metrics.write(self._last)

    def dropped(self, iteration: int, rollouts: Sequence[Rollout]) -> None:
        """An iteration ended without an update."""
        self._count(rollouts)
        self.collected(iteration, rollouts, status=None)

    def evaluated(self, version: int, rollouts: Sequence[Rollout]) -> None:
        """Held-out rollouts of a policy version."""
        store.write(store.evaluation_path(self.folder.path, version), rollouts, self.folder.path.name)

    def show(self, in_flight: int, engines: Mapping[str, EngineHealth]) -> None:
        """Refresh the live view."""
        self.progress.show(self._last, self.totals, in_flight, engines)

    def steady_state(self) -> tuple[float, float]:
        """(start, end) of the window in which the pipeline was full, in seconds since the epoch."""
        steady = self._steady_updates()
        return steady[0][0], steady[-1][0]

    def rollouts_per_s(self) -> float:
        """Rollouts trained on per second of the steady state."""
        return _rate(self._steady_updates())

    def _steady_updates(self) -> list[tuple[float, int]]:
        full = self._updates[WARM_UP_UPDATES:]
        return full if len(full) > 1 else self._updates

    def _count(self, rollouts: Sequence[Rollout]) -> None:
        self.totals["rollouts"] += len(rollouts)
        self.totals["unscored"] += scores.unscored(rollouts)
        self.totals["dropped"] += sum(rollout.status != "trained" for rollout in rollouts)

    def _wall_before(self) -> float:
        path = self.folder.path / METRICS_FILE
        lines = [line for line in read_metrics(path) if line["iteration"] < self.version] if path.exists() else []
        return lines[-1]["wall_s"] if lines else 0.0


def _rate(updates: Sequence[tuple[float, int]]) -> float:
    """Rollouts per second between the first and the last of some updates."""
    seconds = updates[-1][0] - updates[0][0]
    return sum(rollouts for _, rollouts in updates[1:]) / seconds if seconds > 0 else 0.0


def stored_rollouts(run_folder: Path) -> Iterator[list[Rollout]]:
    """All rollouts of a run, file by file: those trained on, those dropped or interrupted, and the evaluations."""
    for name in ("rollouts", "evaluations"):
        for path in sorted((run_folder / name).glob("*.parquet")):
            yield store.read(path)
