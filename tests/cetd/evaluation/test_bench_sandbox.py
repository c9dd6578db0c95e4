"""The sandbox's benchmark gives every side the same runs, and every side says the same of them."""

from __future__ import annotations

import pytest

from cetd.evaluation.bench_sandbox import GROUP, SIDES, Kind, compare, fresh, pytest_work, script_work

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("kind", SIDES)
def test_every_side_is_measured_and_none_is_wrong(kind: Kind) -> None:
    found = compare(kind, workers=2, runs=4, rounds=1)
    assert set(found["sides"]) == set(SIDES[kind])
    for figures in found["sides"].values():
        assert figures["wrong"] == 0
        assert figures["runs_per_s"] > 0
        assert figures["overhead_ms"]["p50"] <= figures["overhead_ms"]["p95"] <= figures["overhead_ms"]["p99"]
    speed = {name: figures["runs_per_s"] for name, figures in found["sides"].items()}
    others = set(SIDES[kind]) & {"subprocess", "multiprocessing"}
    assert found["ratios"] == {name: speed["sandbox"] / speed[name] for name in others}


def test_the_programs_of_an_app_are_distinct_and_arrive_together() -> None:
    work = script_work(2 * GROUP)
    assert [one.suite for one in work] == [work[0].suite] * GROUP + [work[GROUP].suite] * GROUP
    assert len({one.program for one in work[:GROUP]}) > GROUP // 2
    assert len({one.program for one in pytest_work(8)}) == 8


def test_fresh_suites_have_no_tests_in_common() -> None:
    work = pytest_work(3)
    assert len({tuple(one.suite.tests.items()) for one in fresh(work)}) == 3
    assert [one.program for one in fresh(work)] == [one.program for one in work]
