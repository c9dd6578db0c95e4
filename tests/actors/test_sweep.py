"""What Tune's hooks make of what trials report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from actors.sweep import _Next, _Sweep, wanted
from cetd.sweeps.ledger import Ledger
from cetd.sweeps.proposals import scheduled
from tests.cetd.sweeps.sweeping import planned


def sweep(folder: Path, **changes: Any) -> tuple[_Sweep, _Next]:
    plan = planned(seeds=1, **changes)
    made = _Sweep(plan, scheduled(plan, []), Ledger(folder), lambda: None)
    return made, _Next(made)


def test_what_is_begun_and_ended_is_in_the_ledger_before_tune_goes_on(tmp_path: Path) -> None:
    made, asked = sweep(tmp_path)
    given = asked.suggest("t1")
    assert set(given) == {"cell", "seed", "rung"}
    assert [event.kind for event in Ledger(tmp_path).read()] == ["begun"]
    made.end("t1", {"validation_loss": 2.5, "tokens": 4 * 2048, "seconds": 3.0, "error": ""})
    event = Ledger(tmp_path).read()[-1]
    assert (event.kind, event.segment.cell, event.loss, event.steps) == ("ended", given["cell"], 2.5, 4)


def test_a_trial_that_failed_leaves_the_others_going(tmp_path: Path) -> None:
    made, asked = sweep(tmp_path)
    asked.suggest("t1")
    made.end("t1", {"tokens": 2048, "error": "step 1: the loss is nan"})
    event = Ledger(tmp_path).read()[-1]
    assert (event.error, event.steps) == ("step 1: the loss is nan", 1)
    assert isinstance(asked.suggest("t2"), dict)


def test_a_metric_that_no_trial_reports_ends_the_sweep_with_a_line_that_names_those_it_does(tmp_path: Path) -> None:
    made, asked = sweep(tmp_path, metric="bleu")
    asked.suggest("t1")
    made.end("t1", {"validation_loss": 2.5, "loss": 2.4, "time_total_s": 1.0, "tokens": 8192, "error": ""})
    assert made.unusable.startswith("metric=bleu: no trial reports it; reported are loss, validation_loss; begin anew")
    assert asked.suggest("t2") == Searcher.FINISHED
    assert [event.kind for event in Ledger(tmp_path).read()] == ["begun"]


@pytest.mark.parametrize(
    ("trial", "set_aside"),
    [
        ({"cpus": 0.5, "gpus": 0.25, "concurrency": 4}, (2.0, 1.0)),
        ({"workers": 2, "cpus": 1, "concurrency": 2}, (4.2, 0.0)),
    ],
)
def test_resources_of_all_trials_at_once_are_set_aside(trial: dict[str, Any], set_aside: tuple[float, float]) -> None:
    plan = planned(trial={"tokens": 64 * 2048, "batch_size": 16, **trial})
    assert wanted(plan) == pytest.approx(set_aside)
