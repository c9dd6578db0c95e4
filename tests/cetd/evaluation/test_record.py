"""The record of a run: rates and busy shares over a window of updates and over the steady state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cetd.evaluation import record as module
from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.evaluation.record import WARM_UP_UPDATES, WINDOW_UPDATES, RunRecord
from cetd.run_folder import RunFolder
from tests.cetd.evaluation.runs import rollout, scored

ROLLOUTS = 4


@dataclass
class Clock:
    """Seconds that pass when told to."""

    now: float = 1000.0

    def time(self) -> float:
        return self.now


@dataclass
class Work:
    stage: str
    worker: str
    start: float
    end: float


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def record(clock: Clock, tmp_path: Path) -> Iterator[RunRecord]:
    folder = RunFolder(tmp_path, "run")
    folder.path.mkdir()
    record = RunRecord(folder, iterations=30, version=0)
    yield record
    record.close()


def update(record: RunRecord, clock: Clock, seconds: float, tested: float = 0.0) -> None:
    """An update after ``seconds``, of which the sandbox was at work for ``tested``."""
    clock.now += seconds
    record.busy(Work("test", "sandbox", clock.now - tested, clock.now))
    rollouts = [rollout("app", record.version, sample, [scored(6)] * 3) for sample in range(ROLLOUTS)]
    record.trained(rollouts, 0, {})


def lines(record: RunRecord) -> list[dict]:
    return read_metrics(record.folder.path / METRICS_FILE)


def test_updates_that_come_in_bursts_do_not_shake_the_figures(record: RunRecord, clock: Clock) -> None:
    for _ in range(WINDOW_UPDATES):
        update(record, clock, seconds=1.9, tested=1.0)
        update(record, clock, seconds=0.1)
    assert [line["iteration_s"] for line in lines(record)[-2:]] == pytest.approx([1.9, 0.1])
    assert [line["rollouts_per_s"] for line in lines(record)[-2:]] == pytest.approx([ROLLOUTS] * 2)
    assert [line["busy"]["test"] for line in lines(record)[-2:]] == pytest.approx([0.5, 0.5])


def test_a_window_forgets_what_was_before(record: RunRecord, clock: Clock) -> None:
    for _ in range(5):
        update(record, clock, seconds=10.0)
    for _ in range(WINDOW_UPDATES):
        update(record, clock, seconds=0.5)
    assert lines(record)[-1]["rollouts_per_s"] == pytest.approx(2 * ROLLOUTS)


def test_the_steady_state_leaves_out_the_filling_of_the_pipeline(record: RunRecord, clock: Clock) -> None:
    update(record, clock, seconds=60.0)
    for _ in range(WARM_UP_UPDATES - 1):
        update(record, clock, seconds=30.0)
    begun = clock.now
    for _ in range(6):
        update(record, clock, seconds=0.5)
    assert record.steady_state() == (begun, clock.now)
    assert record.rollouts_per_s() == pytest.approx(2 * ROLLOUTS)


@pytest.mark.parametrize("updates", range(WARM_UP_UPDATES + 1))
def test_a_run_too_short_for_a_steady_state_is_taken_as_a_whole(record: RunRecord, clock: Clock, updates: int) -> None:
    for _ in range(updates):
        update(record, clock, seconds=2.0)
    assert record.steady_state() == (1000.0, clock.now)
    assert record.rollouts_per_s() == pytest.approx(ROLLOUTS / 2 if updates else 0.0)
