"""Weights & Biases (offline) and MLflow (its file store) take the run's metrics; a run that goes on stays one run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from actors.tracking import tracking
from tests.cetd.training.training import job


@pytest.fixture(autouse=True)
def local_trackers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


def lines(first: int, last: int) -> list[dict]:
    return [{"iteration": step, "loss": 1 / step, "pass_rate": {"alder": 0.5}} for step in range(first, last + 1)]


def logged(file: Path, field: str) -> list[float]:
    """A field's values in a W&B file, where each is the name, the value's tag, its length in a byte, and it as JSON."""
    data = file.read_bytes()
    starts = (match.end() for match in re.finditer(field.encode() + rb"\x82\x01", data))
    return [json.loads(data[start + 1 : start + 1 + data[start]]) for start in starts]


def test_mlflow_has_one_run_with_the_configuration_and_all_steps(tmp_path: Path) -> None:
    uri = f"file:{tmp_path / 'store'}"
    config = job(tracking={"mlflow_uri": uri, "mlflow_experiment": "cetd-test"})
    for first, last in ((1, 3), (4, 5)):
        with tracking(config, tmp_path) as told:
            for line in lines(first, last):
                told(line)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("cetd-test")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.data.params["batch_size"] == "8"
    history = {metric.step: metric.value for metric in client.get_metric_history(run.info.run_id, "loss")}
    assert history == {step: 1 / step for step in range(1, 6)}
    assert run.data.metrics["pass_rate/alder"] == 0.5
    assert run.info.status == "FINISHED"


def test_weights_and_biases_has_the_steps_and_the_same_run_after_a_stop(tmp_path: Path) -> None:
    config = job(tracking={"wandb_project": "cetd-test"})
    for first, last in ((1, 2), (3, 3)):
        with tracking(config, tmp_path) as told:
            for line in lines(first, last):
                told(line)
    files = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime)
    assert len(files) == 2
    assert len({path.stem for path in files}) == 1
    assert [set(logged(path, "_step")) for path in files] == [{1, 2}, {3}]
    losses = logged(files[1], "loss")
    assert losses == pytest.approx([1 / 3] * len(losses))
    assert losses


def test_a_run_goes_on_without_a_store_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = tmp_path / "store"
    with tracking(job(tracking={"mlflow_uri": f"file:{store}"}), tmp_path) as told:
        name = json.loads((tmp_path / "tracking.json").read_text())["mlflow"]
        [run] = store.glob(f"*/{name}")
        shutil.rmtree(run)
        for line in lines(1, 3):
            told(line)
    assert [record.getMessage().partition(":")[0] for record in caplog.records if record.name == "train"] == [
        "MLflow has no steps from 1 on"
    ]


def test_without_trackers_nothing_is_written(tmp_path: Path) -> None:
    with tracking(job(), tmp_path) as told:
        told({"iteration": 1, "loss": 1.0})
    assert list(tmp_path.iterdir()) == []


def test_a_tracker_that_lets_nobody_in_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("HOME", str(tmp_path))  # without keys
    for trackers, message in (
        ({"mlflow_uri": "file:store"}, r"tracking.mlflow_uri=file:store: .*name a server that answers, or unset it$"),
        ({"wandb_project": "p"}, r"tracking.wandb_project=p: .*set WANDB_API_KEY, or WANDB_MODE=offline"),
    ):
        opened = tracking(job(tracking=trackers), tmp_path)
        with pytest.raises(ValueError, match=message) as failed:
            opened.__enter__()
        assert "\n" not in str(failed.value)
