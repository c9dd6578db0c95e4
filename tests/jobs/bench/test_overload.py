"""``python -m jobs.bench overload`` on a Serve of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cetd.config import FeedbackJobConfig, load
from cetd.evaluation.bench_serving import random_model
from tests.jobs.running import PATIENCE_S, ROOT, TINY


@pytest.mark.ray
def test_what_is_taken_is_answered_and_the_rest_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CETD_RUNS", str(tmp_path / "runs"))
    model = random_model(load(FeedbackJobConfig, TINY, ["apps.train=40", "tokenizer_vocab=300"]), tmp_path / "model")
    command = [sys.executable, "-m", "jobs.bench", "overload", "--model", str(model), "--minutes", "0.1"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert shown.returncode == 0, shown.stderr[-4000:]
    assert "memory by fifth of the time" in shown.stdout
    report = json.loads((tmp_path / "runs" / "bench" / "overload.json").read_text())
    assert set(report["full"]["errors"]) | set(report["over"]["errors"]) <= {"503"}
    assert report["over"]["requests"]
