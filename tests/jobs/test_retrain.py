"""``python -m jobs.retrain``: from recorded requests to a better version, or none."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from cetd.config import FeedbackJobConfig, MicroAppsConfig, dump, load
from cetd.config.serve import RecordingConfig
from cetd.data.microapps import generate
from cetd.data.supervised import policy_pairs
from cetd.registry import Registry
from cetd.serving.recording import Recorder, Served, Verdict
from jobs import models
from tests.jobs.running import PATIENCE_S, ROOT, TINY, Job, job, until

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def presets(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a contest by one LLM, and with a live version that speaks all dialects, vaguely half of the time."""
    made = {path.name.rpartition("-")[0]: path for path in (undisturbed.parent / "models").iterdir()}
    folder = tmp_path_factory.mktemp("retraining")
    preset = load(FeedbackJobConfig, TINY, [f"llms.0.path={made['alder']}", "feedback.quorum=1", "apps.heldout=48"])
    (folder / "contest.yaml").write_text(dump(preset.model_copy(update={"llms": preset.llms[:1]})))
    for name, rate in (("kind", 5e-4), ("harsh", 1.0)):
        small = {"base": str(ROOT / "configs/train/phase4-small.yaml"), "epochs": 15, "early_stop": None}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(small | {"optimizer": {"learning_rate": rate}}))
    registry = Registry(folder / "registry")
    registry.promote("cetd", models.register(registry, "cetd", made["cetd"]).number)
    return folder


def record(folder: Path, examples: Sequence[tuple[str, str]], first: int) -> None:
    recorder = Recorder(folder / "production", RecordingConfig(enabled=True), time.time)
    for number, (source, requirements) in enumerate(examples, first):
        recorder.record(Served(f"request-{number}", 1e9 + number, "cetd:1", source, requirements, "{}", 1.0))
        recorder.verdict(f"request-{number}", Verdict(True, None, "", 1e9 + number))
    recorder.flush()


def pairs() -> list[tuple[str, str]]:
    """Sources with what a user would have been content with."""
    apps = load(FeedbackJobConfig, TINY).apps
    assert isinstance(apps, MicroAppsConfig)
    return policy_pairs(generate(apps).train, apps.seed, mixture=False)[::2]


def retraining(folder: Path, name: str, preset: str, *overrides: str):
    given = (f"training={folder / preset}.yaml", f"contest.preset={folder / 'contest.yaml'}", "contest.confidence=0.9")
    config = ROOT / "configs" / "retrain" / "demo.yaml"
    return job(folder, name, *given, *overrides, module="jobs.retrain", config=config)


def end(started: Job, status: int = 0) -> str:
    assert started.process.wait(PATIENCE_S) == status, started.log.read_text()[-4000:]
    return started.said()


def test_a_better_candidate_is_registered_though_the_job_is_killed_on_the_way(presets: Path) -> None:
    record(presets, pairs()[:40], first=0)
    with retraining(presets, "better", "kind") as started:
        until((presets / "better" / "training" / "summary.json").exists, started)
    with retraining(presets, "better", "kind") as started:
        said = end(started)
    decision = json.loads((presets / "better" / "decision.json").read_text())
    assert decision["contest"]["candidate"] > decision["contest"]["live"]
    assert (decision["registered"], decision["learned_from"]) == ("cetd:2", 40)
    assert "registered as cetd:2" in said
    registry = Registry(presets / "registry")
    live, registered = registry.live("cetd"), registry.version("cetd", 2)
    assert live
    assert live.number == 1
    assert registered.lineage["parent"] == "cetd:1"
    assert registered.lineage["run"] == str(presets / "better")
    assert registered.lineage["gate"]["decision"] == "better than cetd:1"
    with retraining(presets, "better", "kind", "promote=true") as started:
        assert "cetd:2 is live" in end(started)
    with retraining(presets, "another", "kind") as started:
        assert "40 requests were used before" in end(started, 2).splitlines()[-1]


def test_a_worse_candidate_is_rejected(presets: Path) -> None:
    record(presets, [(source, "nothing at all") for source, _ in pairs()[40:60]], first=100)
    registry = Registry(presets / "registry")
    before = registry.live("cetd"), len(registry.versions("cetd"))
    with retraining(presets, "worse", "harsh", "promote=true") as started:
        said = end(started)
    assert "rejected" in said.splitlines()[-1]
    assert json.loads((presets / "worse" / "decision.json").read_text())["registered"] is None
    assert (registry.live("cetd"), len(registry.versions("cetd"))) == before


@pytest.mark.parametrize("field", ["training", "contest.preset"])
def test_a_preset_that_is_not_there_is_said_before_any_request_is_set_aside(tmp_path: Path, field: str) -> None:
    config = ROOT / "configs" / "retrain" / "demo.yaml"
    with job(tmp_path, "none", f"{field}=nowhere.yaml", module="jobs.retrain", config=config) as started:
        assert "config=nowhere.yaml: no such file" in end(started, 2).splitlines()[-1]
    assert not (tmp_path / "none" / "plan.json").exists()


def test_without_a_live_version_there_is_nothing_to_retrain(tmp_path: Path) -> None:
    config = ROOT / "configs" / "retrain" / "demo.yaml"
    with job(tmp_path, "none", module="jobs.retrain", config=config) as started:
        assert end(started, 2).splitlines()[-1].startswith("error: model=cetd: no version is live; python -m jobs.mod")
