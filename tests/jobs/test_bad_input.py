"""What is wrong is said in one line, and nothing half-done is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cetd.config import FeedbackJobConfig, load
from cetd.run_folder import RunFolder, RunFolderError, runs_root
from tests.jobs.running import ROOT, TINY


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.feedback", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def error_of(finished: subprocess.CompletedProcess[str]) -> str:
    """The last line of stderr; the job said it and nothing like a traceback."""
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr
    return finished.stderr.strip().splitlines()[-1]


def test_help_lists_every_field() -> None:
    shown = run("--help").stdout
    assert "loop.group_size (8): rollouts per app and policy version" in shown
    assert "llms.N.limits.max_retries (2)" in shown


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loop.grup_size=8", "error: loop.grup_size: unknown key; did you mean loop.group_size?"),
        ("policy.path=/nowhere", "error: /nowhere: no config.json there; give a Hugging Face folder"),
        ("llms.0.path=/nowhere", "error: /nowhere: no config.json there; give a Hugging Face folder"),
        ("apps={kind: folder, train: /nowhere, heldout: /nowhere}", "/nowhere"),
    ],
)
def test_a_wrong_configuration_ends_before_ray_starts(override: str, message: str, tmp_path: Path) -> None:
    finished = run("--config", str(TINY), f"run.root={tmp_path}", override)
    assert message in error_of(finished)
    assert "Ray" not in finished.stderr


def test_overrides_may_stand_before_and_after_options() -> None:
    finished = run("loop.group_size=8", "--config", str(TINY), "loop.grup_size=8")
    assert error_of(finished) == "error: loop.grup_size: unknown key; did you mean loop.group_size?"


def test_name_is_short_for_the_name_of_the_run(tmp_path: Path) -> None:
    error = error_of(run("--config", str(TINY), "--resume", "name=shortly", f"run.root={tmp_path}"))
    assert error.startswith("error: run.name=shortly: nothing to resume")


def test_an_empty_app_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    apps = f"apps={{kind: folder, train: {tmp_path}/apps, heldout: {tmp_path}/apps}}"
    assert str(tmp_path / "apps") in error_of(run("--config", str(TINY), f"run.root={tmp_path}", apps))


def test_a_machine_without_isolation_is_refused(tmp_path: Path) -> None:
    finished = run("--config", str(TINY), f"run.root={tmp_path}", PATH=str(tmp_path))
    assert error_of(finished).startswith(
        "error: programs cannot be isolated here: namespaces: bubblewrap is not installed: install"
    )
    assert not list(tmp_path.glob("*/rollouts"))


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    message = error_of(run("--config", str(TINY), "--resume", f"run.root={tmp_path}"))
    assert "run.name=tiny: nothing to resume" in message


def test_a_cluster_that_does_not_answer_is_said(tmp_path: Path) -> None:
    finished = run("--config", str(TINY), f"run.root={tmp_path}", RAY_ADDRESS="127.0.0.1:9")
    assert "RAY_ADDRESS=127.0.0.1:9: no Ray cluster answers" in error_of(finished)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path, "demo")


def test_a_second_job_of_the_same_name_is_kept_out(folder: RunFolder) -> None:
    with folder, pytest.raises(RunFolderError, match=r"run\.name=demo: another job is using .*demo"):
        RunFolder(folder.path.parent, "demo").__enter__()
    with RunFolder(folder.path.parent, "demo"):
        pass


def test_a_run_keeps_its_configuration(folder: RunFolder) -> None:
    with folder:
        folder.adopt(load(FeedbackJobConfig, TINY))
        folder.adopt(load(FeedbackJobConfig, TINY, ["loop.iterations=50"]))
        with pytest.raises(RunFolderError, match=r"loop\.group_size=2: .* was begun with 4; resume with that value"):
            folder.adopt(load(FeedbackJobConfig, TINY, ["loop.iterations=50", "loop.group_size=2"]))
        folder.clear()
        assert not folder.exists


def test_runs_of_a_submitted_job_outlive_its_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CETD_RUNS", raising=False)
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    assert runs_root(None) == Path("runs").absolute()
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    assert runs_root(None) == Path.home() / "cetd-runs"
    monkeypatch.setenv("CETD_RUNS", "/somewhere")
    assert runs_root(None) == Path("/somewhere")
    assert runs_root(Path("/given")) == Path("/given")
