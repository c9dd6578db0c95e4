"""``python -m jobs.bench serve``: the configuration that it starts Serve with, and one short comparison."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from cetd.config import FeedbackJobConfig, load
from cetd.config.loading import validate
from cetd.config.serve import ServeConfig
from cetd.evaluation.bench_serving import random_model
from jobs.bench import serve
from tests.jobs.running import PATIENCE_S, ROOT, TINY

CONFIG = ROOT / "configs" / "serve" / "bench.yaml"


def resolved(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    return serve._resolved(document, {"model": {"path": str(folder / "model")}}, folder / "runs", 8123)


def test_the_preset_keeps_no_answers_and_asks_for_no_keys(tmp_path: Path) -> None:
    document = yaml.safe_load(CONFIG.read_text())
    found = resolved(document, tmp_path)
    assert found["http_options"] == {"host": "127.0.0.1", "port": 8123}
    [application] = found["applications"]
    assert (application["route_prefix"], application["import_path"]) == ("/", "serve.cetd:app")
    config = validate(ServeConfig, application["args"])
    assert (config.model.path, config.runs) == (tmp_path / "model", tmp_path / "runs")
    assert (config.access.keys, config.limits.cache_ttl_s, config.recording.enabled) == ("off", 0, False)
    assert config.limits.max_queued > 1000
    before = document["applications"][0]["args"]
    assert {**application["args"], "model": 0, "runs": 0} == {**before, "model": 0, "runs": 0}


@pytest.mark.parametrize("document", [{}, {"applications": []}, {"applications": [{"name": "cetd"}]}])
def test_what_is_no_application_is_refused(document: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected `applications` with one application"):
        resolved(document, tmp_path)


@pytest.mark.ray
def test_both_are_compared_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CETD_RUNS", str(tmp_path / "runs"))
    model = random_model(load(FeedbackJobConfig, TINY, ["apps.train=40", "tokenizer_vocab=300"]), tmp_path / "model")
    command = [sys.executable, "-m", "jobs.bench", "serve", "--model", str(model), "--seconds", "0.5", "--minutes", "0"]
    command += ["--beside"]
    with (tmp_path / "said.log").open("w+") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        try:
            assert process.wait(PATIENCE_S) == 0, (tmp_path / "said.log").read_text()[-4000:]
        finally:
            process.kill()
    shown = (tmp_path / "said.log").read_text()
    assert "POST /infer" in shown
    assert "speed_up: " in shown
    report = json.loads((tmp_path / "runs" / "bench" / "serve.json").read_text())
    assert report["model"] == str(model)
    for side in report["sides"].values():
        assert all(level["requests"] and not level["errors"] for level in side["levels"].values())
        assert side["overhead"]["beyond_the_model_ms"]["p50"] > 0
    streamed = [level["streamed"] for level in report["sides"]["serve"]["levels"].values()]
    assert not any(one["errors"] for one in streamed)
    assert all(one["first_token_ms"]["p50"] > 0 for one in streamed)
    # The resolved configuration names this run's folder.
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]
