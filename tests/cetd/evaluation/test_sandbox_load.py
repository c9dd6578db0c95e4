"""The load is the same mix in every tenth, and says which run went wrong and what was left behind."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cetd.evaluation.attack_corpus import Attack
from cetd.evaluation.sandbox_load import Held, Job, complaints, load, tenth

ATTACKS = [Attack("family", f"fast{n}", {}, ("crashed",), "") for n in range(5)]
ATTACKS += [Attack("family", f"slow{n}", {}, ("timed_out",), "") for n in range(5)]
HELD = {"sandbox": Held(4, 50_000, 30, 90)}


def _names(blocks: list[list[Job]]) -> Counter[str]:
    return Counter(job.name for block in blocks for job in block)


def test_a_fifth_is_hostile_and_a_tenth_of_that_slow() -> None:
    names = _names(tenth(ATTACKS, 2000, seed=0))
    hostile = {name: count for name, count in names.items() if name.startswith("family/")}
    assert names.total() == 200
    assert sum(hostile.values()) == 40
    assert sum(count for name, count in hostile.items() if "slow" in name) == 4
    assert any(name.startswith("pytest/") for name in names)


def test_the_seed_decides_the_mix() -> None:
    assert _names(tenth(ATTACKS, 1000, seed=0)) == _names(tenth(ATTACKS, 1000, seed=0))
    assert _names(tenth(ATTACKS, 1000, seed=0)) != _names(tenth(ATTACKS, 1000, seed=1))


@pytest.mark.parametrize("runs", [0, 50, 150, -100])
def test_runs_that_cannot_be_divided_are_refused(runs: int) -> None:
    with pytest.raises(ValueError, match=f"runs={runs}: must be a multiple of 100"):
        tenth(ATTACKS, runs, seed=0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"processes": 5}, "sandbox: 4 processes before and 5 after"),
        ({"descriptors": 31}, "sandbox: 30 descriptors before and 31 after"),
        ({"mounts": 91}, "sandbox: 90 mounts before and 91 after"),
        ({"memory_kb": 60_000}, "sandbox: 50000 KiB of memory before and 60000 KiB after"),
    ],
)
def test_what_is_left_is_said(change: dict[str, int], complaint: str) -> None:
    after = {"sandbox": replace(HELD["sandbox"], **change)}
    assert complaints([], [100.0, 100.0], HELD, after, kept=True) == [complaint]


def test_the_last_tenth_has_to_be_as_fast_as_the_first() -> None:
    assert complaints([], [100.0, 50.0, 91.0], HELD, HELD, kept=True) == []
    assert complaints([], [100.0, 89.0], HELD, HELD, kept=True) == [
        "100.0 runs/s in the first tenth and 89.0 in the last"
    ]
    assert complaints([{}], [1.0], HELD, HELD, kept=False) == [
        "1 runs came to something else than they had to",
        "the fork server was lost",
    ]


@pytest.mark.sandbox
def test_a_run_that_comes_to_something_else_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "family").mkdir()
    (tmp_path / "family" / "right.py").write_text("# expects: crashed\n# why: ends at once\nraise SystemExit\n")
    (tmp_path / "family" / "wrong.py").write_text("# expects: scored 2/2\n# why: it does not\nraise SystemExit\n")
    done = []
    found = load(tmp_path, 100, on_run=lambda: done.append(1))
    assert len(done) == 100
    assert {one["name"] for one in found["unexpected"]} == {"family/wrong"}
    assert all(one["came_to"].startswith("crashed") for one in found["unexpected"])
    assert len(found["runs_per_s"]) == 10
    for held in found["held"].values():
        for name in ("processes", "descriptors", "mounts"):
            assert held["after"][name] == held["before"][name]
