"""Halving held against the full grid."""

from __future__ import annotations

import pytest

from cetd.evaluation.bench_sweep import compare
from cetd.sweeps.results import rows
from tests.cetd.sweeps.sweeping import planned, swept


def test_halving_that_finds_the_best_cell_for_few_tokens_is_found_and_cheap() -> None:
    whole, halved = planned(seeds=2, scheduler="none"), planned(seeds=2)
    grid = rows(whole, swept(whole))
    report = compare(grid, rows(halved, swept(halved)))
    assert report["found"]
    assert report["cheap"]
    assert (report["gap"], report["rank"]) == (0.0, 1)
    assert report["tokens"]["grid"] == 12 * 2 * 64 * 2048
    assert report["ratio"] == pytest.approx(report["tokens"]["asha"] / report["tokens"]["grid"])


def test_the_grid_itself_is_not_cheap_and_a_worse_cell_not_found() -> None:
    whole, halved = planned(seeds=2, scheduler="none"), planned(seeds=2)
    grid, best = rows(whole, swept(whole)), next(iter(whole.cells))
    assert not compare(grid, grid)["cheap"]
    without = rows(halved, swept(halved, frozenset({f"{best}-s0", f"{best}-s1"})))
    report = compare(grid, without)
    assert not report["found"]
    assert report["gap"] == pytest.approx(0.1)
