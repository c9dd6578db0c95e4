"""The ledger, a row per trial, and the ranking."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet
import pytest

from cetd.sweeps.cells import Segment, SweepError
from cetd.sweeps.ledger import Event, Ledger
from cetd.sweeps.ranking import confidence, ranked
from cetd.sweeps.results import rows, write_results
from tests.cetd.sweeps.sweeping import planned, swept

EVENTS = [
    Event("begun", Segment("a", 0, 0)),
    Event("ended", Segment("a", 0, 0), 2.5, 3.25, 16),
    Event("ended", Segment("b", 1, 2), math.inf, 0.5, 1, "step 3: the loss is nan"),
]


def test_a_ledger_gives_back_its_events_and_drops_a_half_line(tmp_path: Path) -> None:
    for event in EVENTS[:2]:
        Ledger(tmp_path).append(event)
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write('{"event": "begun", "ce')
    ledger = Ledger(tmp_path)
    ledger.append(EVENTS[2])
    assert ledger.read() == EVENTS


def test_a_damaged_ledger_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text('{"event": "begun", "cell": "a"}\n')
    with pytest.raises(SweepError, match=r"ledger.jsonl:1: no line of a ledger \(KeyError\('seed'\)\); remove it"):
        Ledger(tmp_path).read()


def test_a_row_per_trial_says_what_became_of_it(tmp_path: Path) -> None:
    plan = planned(seeds=2, space={"embedding_ratio": [0.25, 0.35, 0.45, 0.98]})
    first = next(iter(plan.cells))
    found = rows(plan, swept(plan, frozenset({f"{first}-s1"})), {f"{first}-s0": {"cloze": 0.5}})
    assert len(found) == 4 * 4 * 2
    by_trial = {row.trial: row for row in found}
    assert {row.status for row in found if row.embedding_ratio == 0.98} == {"no shape"}
    assert {row.status for row in found} == {"finished", "stopped", "failed", "no shape"}
    best, failed = by_trial[f"{first}-s0"], by_trial[f"{first}-s1"]
    assert (best.status, best.rung, best.tokens, best.losses) == ("finished", 2, 64 * 2048, (5.0, 4.0, 3.0))
    assert (failed.status, failed.validation_loss, failed.error) == ("failed", None, "step 1: the loss is nan")
    write_results(tmp_path, found, ["cloze"])
    table = pyarrow.parquet.read_table(tmp_path / "results.parquet")
    asked = ["embedding_ratio", "glu_expansion", "tied_lm_head", "seed", "total_params", "tokens", "validation_loss"]
    assert {*asked, "status", "learning_rate", "d_model", "n_layers", "suite_cloze"} <= set(table.column_names)
    assert "suite" not in table.column_names
    written = {row["trial"]: row for row in table.to_pylist()}
    assert (written[best.trial]["suite_cloze"], written[failed.trial]["suite_cloze"]) == (0.5, None)
    assert written[best.trial]["losses"] == [5.0, 4.0, 3.0]


def test_trials_that_a_kill_cut_off_are_unfinished_and_cells_not_proposed_not_tried() -> None:
    plan = planned(search="optuna", samples=5, seeds=1)
    events = swept(plan)
    assert {row.status for row in rows(plan, events)} == {"finished", "stopped", "not tried"}
    cut = events[:-1]
    assert next(row.status for row in rows(plan, cut) if row.cell == cut[-1].segment.cell) == "unfinished"


def test_cells_that_came_further_stand_first() -> None:
    plan = planned(seeds=2)
    standings = ranked(rows(plan, swept(plan)))
    assert [one.rung for one in standings] == sorted((one.rung for one in standings), reverse=True)
    assert standings[0].cell == next(iter(plan.cells))
    assert standings[0].mean == pytest.approx(3.005)
    assert standings[0].spread == pytest.approx(0.01 / math.sqrt(2))


def test_confidence_is_that_of_welchs_test_at_the_highest_rung_of_both() -> None:
    plan = planned(seeds=3, scheduler="none")
    first, second = ranked(rows(plan, swept(plan)))[:2]
    found = confidence(first, second)
    # Means 0.1 apart, both with a standard deviation of 0.01 over three seeds: t = 12.25 with 4 degrees of freedom.
    assert found == pytest.approx(1 - 0.000128, abs=2e-5)
    backwards = confidence(second, first)
    assert backwards == pytest.approx(0.000128, abs=2e-5)


def test_one_seed_gives_no_confidence() -> None:
    plan = planned(seeds=1)
    assert confidence(*ranked(rows(plan, swept(plan)))[:2]) is None
