"""The page of a sweep."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from cetd.evaluation.metrics import MetricsLog
from cetd.evaluation.report.heat_map import Square, heat_map
from cetd.evaluation.report.sweep import Sweep, told_confidence, write_sweep_report
from cetd.sweeps.ranking import ranked
from cetd.sweeps.results import rows
from tests.cetd.sweeps.sweeping import planned, swept

PLAN = planned(seeds=2, space={"embedding_ratio": [0.25, 0.35, 0.98], "glu_expansion": [2.0, 4.0]})


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs") / "mine"
    failing = list(PLAN.cells)[3]
    events = swept(PLAN, frozenset({f"{failing}-s0", f"{failing}-s1"}))
    best = ranked(rows(PLAN, events))[0].rows[0].trial
    found = rows(PLAN, events, {best: {"perplexity": 12.5, "cloze": 0.5}})
    with MetricsLog(folder / "trials" / best) as log:
        for step in (1, 2):
            log.write({"iteration": step, "loss": 3.0 - step, "validation_loss": 3.5 - step})
    write_sweep_report(
        folder, Sweep(PLAN, found, ranked(found), ["perplexity", "cloze"], "python <x>", {"revision": "r"})
    )
    return (folder / "report.html").read_text()


def test_the_page_shows_what_people_look_at(page: str) -> None:
    assert "no shape" in page
    assert "failed" in page
    assert "not promoted" in page
    assert page.count("<h3>After ") == 3, "a heat map for each rung"
    assert "12.50" in page
    assert "50.0%" in page
    assert "step 1: the loss is nan" in page
    assert "python &lt;x&gt;" in page
    assert "embedding asked" in page
    assert "Loss against tokens" in page


def test_the_page_is_well_formed_and_fetches_nothing(page: str) -> None:
    ElementTree.fromstring(page.removeprefix("<!doctype html>\n"))
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page


def test_confidence_is_told_or_why_there_is_none() -> None:
    def told(seeds: int) -> str:
        plan = planned(seeds=seeds)
        return told_confidence(ranked(rows(plan, swept(plan))))

    assert told(1) == "none can be given with one seed"
    assert told(3).endswith("%")
    assert told_confidence([]) == "no second cell"


def test_the_lowest_value_has_the_strongest_colour_and_blanks_say_why() -> None:
    squares = {
        ("a", "x"): Square(2.0, ("2.0", "± 0.1")),
        ("a", "y"): Square(1.0, ("1.0",), "seed 0: 1.0"),
        ("b", "x"): Square(None, ("no shape",)),
    }
    drawn = heat_map("Loss", ["a", "b"], ["x", "y"], squares, down="rows", across="columns", note="Low is good.")
    assert 'class="heat" fill-opacity="0.06"' in drawn
    assert 'class="heat best" fill-opacity="0.6"' in drawn
    assert drawn.count("<rect") == 3
    assert "no shape" in drawn
    assert "<title>seed 0: 1.0</title>" in drawn


def test_a_heat_map_of_nothing_says_so() -> None:
    assert "Nothing recorded yet." in heat_map("Loss", [], [], {})
