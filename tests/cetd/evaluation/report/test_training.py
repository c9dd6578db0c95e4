"""The pages of training jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cetd.evaluation.metrics import METRICS_FILE
from cetd.evaluation.report import write_rate_report, write_training_report

SUMMARY: dict[str, Any] = {
    "status": "finished",
    "step": 4,
    "loss": 0.5,
    "best_loss": 0.25,
    "best_step": 2,
    "phase": 2,
    "tokens_per_s": 1234.5,
    "placement": [{"rank": 0}],
    "revision": "abc",
    "versions": {},
    "hardware": {},
}


def metrics(folder: Path) -> None:
    folder.mkdir()
    lines = [
        {"iteration": step, "loss": 1 / step, "grad_norm": 1.0, "learning_rate": 1e-3, "tokens_per_s": 10.0 * step}
        for step in range(1, 5)
    ]
    lines[1]["validation_loss"] = 0.25
    (folder / METRICS_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_run_is_shown_with_its_curves(tmp_path: Path) -> None:
    metrics(tmp_path / "mine")
    text = write_training_report(tmp_path / "mine", SUMMARY).read_text()
    for told in (
        "mine",
        "phase 2",
        "finished at step 4",
        "0.2500",
        "at step 2",
        "1 worker<",
        "validation",
        "Learning rate",
    ):
        assert told in text
    assert "http" not in text.split("<style>")[0].replace("http-equiv", "")


def test_a_run_without_evaluations_has_no_best(tmp_path: Path) -> None:
    metrics(tmp_path / "mine")
    text = write_training_report(tmp_path / "mine", SUMMARY | {"best_loss": None, "best_step": 0}).read_text()
    assert "–" in text


def test_the_range_test_shows_the_rate_that_it_suggests(tmp_path: Path) -> None:
    path = write_rate_report(tmp_path, [(1e-4, 3.0), (1e-3, 2.0), (1e-2, 5.0)], 1e-3)
    assert path.name == "lr-finder.html"
    assert "0.001" in path.read_text()
