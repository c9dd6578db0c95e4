"""``python -m jobs.train`` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from tests.jobs.running import ROOT

TINY = ROOT / "configs" / "train" / "tiny.yaml"
SMALL = ("data.micro.train=40", "data.micro.heldout=8", "batch_size=4", "evaluate_every=10", "checkpoint.every=10")


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs.train", "--config", str(TINY), f"run.root={root}", *SMALL, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.ray
def test_a_run_ends_with_a_model_and_goes_on_with_more_workers(tmp_path: Path) -> None:
    first = run(tmp_path, "max_steps=20")
    assert first.returncode == 0, first.stderr
    assert "rank 0: replica 0, share 0, cpu in fp32, node " in first.stderr
    assert "step 20 of 20: loss " in first.stderr
    assert first.stdout.startswith("finished at step 20, loss ")
    folder = tmp_path / "train-tiny"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["step"], summary["phase"], len(summary["placement"])) == ("finished", 20, 2, 1)
    assert summary["best_loss"] is not None
    assert isinstance(huggingface.load(folder / "model"), EncoderDecoder)
    assert (folder / "model" / "tokenizer.json").exists()
    assert "<svg" in (folder / "report.html").read_text()

    again = run(tmp_path, "max_steps=20")
    assert "has ended before; --restart begins anew" in again.stderr
    assert again.stdout == first.stdout

    more = run(tmp_path, "max_steps=30", "parallel.workers=2", "parallel.tensor=2", "parallel.cpus=0.5")
    assert more.returncode == 0, more.stderr
    assert "rank 1: replica 0, share 1" in more.stderr
    assert "step 21 of 30" in more.stderr
    assert [line["iteration"] for line in read_metrics(folder / METRICS_FILE)] == list(range(1, 31))


@pytest.mark.ray
def test_a_loss_that_diverges_ends_the_run_with_one_line(tmp_path: Path) -> None:
    ended = run(
        tmp_path, "max_steps=20", "optimizer.learning_rate=1e30", "optimizer.clip=1e30", "optimizer.warmup_steps=0"
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("error: step ")
    assert "there is no checkpoint yet; lower optimizer.learning_rate" in last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.d_modle=3"], "error: model.d_modle: unknown key; did you mean model.d_model?"),
        (
            ["parallel.workers=3", "parallel.tensor=2"],
            "error: parallel: workers=3: tensor=2 does not divide it; use 2 or 4",
        ),
        (
            ["parallel.workers=5", "parallel.tensor=5"],
            "error: parallel.tensor=5: n_heads=4 leaves a process without any",
        ),
        (["start=/nowhere"], "error: /nowhere: no config.json there"),
        (["tracking.mlflow_uri=nowhere:1"], "error: tracking.mlflow_uri=nowhere:1: "),
        (["tokenizer=/nowhere"], "error: tokenizer=/nowhere: no tokenizer.json there"),
        (
            ["data.max_input_tokens=9"],
            "data.max_input_tokens leaves room for 9; raise it, or set data.too_long=truncate",
        ),
        (["--resume"], "error: run.name=train-tiny: nothing to resume under "),
    ],
)
def test_what_is_wrong_is_said_before_ray_starts(arguments: list[str], message: str, tmp_path: Path) -> None:
    ended = run(tmp_path, *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr.strip().splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert "Ray" not in ended.stderr
