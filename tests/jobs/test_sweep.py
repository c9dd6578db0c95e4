"""``python -m jobs.sweep`` as a user meets it: killed and gone on with, and what it says of bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet
import pytest

from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.models import huggingface
from cetd.training.checkpoint import latest
from jobs import sweep
from tests.cetd.packing import make_packed
from tests.jobs.running import PATIENCE_S, ROOT

SMOKE = ROOT / "configs" / "sweep" / "smoke.yaml"
STEPS = 120
# Six cells with two heads and two rates: two have no shape, in two the loss leaves all numbers behind.
SMALL = (
    "budget={total_params: 40000, n_heads: 2}",
    "space={embedding_ratio: [0.35, 0.98], glu_expansion: [2.0], learning_rate: [0.01, 0.001, 1e30]}",
    "seeds=1",
    "asha={reduction: 2, rungs: 2}",
    "data.row_length=32",
    "data.validation_rows=8",
    f"trial={{tokens: {STEPS * 8 * 32}, batch_size: 8, evaluations: 4, checkpoints: 12, cpus: 0.5, concurrency: 1}}",
    "suite={cells: 1, items: 8}",
)  # fmt: skip


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed(tmp_path_factory.mktemp("data") / "packed")


def command(root: Path, packed: Path, *more: str) -> list[str]:
    given = [f"run.root={root}", "run.name=small", f"data.packed={packed}", *SMALL, *more]
    return [sys.executable, "-m", "jobs.sweep", "--config", str(SMOKE), *given]


def ledger(folder: Path) -> list[dict[str, Any]]:
    path = folder / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the driver's process group, and what of Ray has left it."""
    started = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for left in started:
        if left.is_running():
            left.kill()


def interrupted(root: Path, packed: Path) -> dict[str, Any]:
    """Kill a sweep amid a segment that has a checkpoint, with others at their ends; the segment."""
    process = subprocess.Popen(
        command(root, packed), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + PATIENCE_S
    try:
        while True:
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline, "waited too long"
            lines = ledger(root / "small")
            ended = [line for line in lines if line["event"] == "ended"]
            if len(ended) >= 2 and lines[-1]["event"] == "begun":
                running = lines[-1]
                newest = latest(trial_of(root / "small", running) / "checkpoints")
                if newest and newest.name != f"step-{STEPS // 2:06d}":
                    return running
            time.sleep(0.02)
    finally:
        kill(process)


def trial_of(folder: Path, line: dict[str, Any]) -> Path:
    return folder / "trials" / f"{line['cell']}-s{line['seed']}"


@pytest.mark.ray
def test_a_killed_sweep_goes_on_without_training_anything_twice(packed: Path, tmp_path: Path) -> None:
    running = interrupted(tmp_path, packed)
    folder = tmp_path / "small"
    before = ledger(folder)
    newest = latest(trial_of(folder, running) / "checkpoints")
    assert newest
    kept = [
        line
        for line in read_metrics(trial_of(folder, running) / METRICS_FILE)
        if line["iteration"] <= int(newest.name.removeprefix("step-"))
    ]

    again = subprocess.run(
        command(tmp_path, packed, "--resume"), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert again.returncode == 0, again.stderr[-3000:]
    after = ledger(folder)
    assert after[: len(before)] == before, "the ledger is never rewritten"
    assert after[len(before)] == running, "the segment that was cut off is begun first"
    ends = [(line["cell"], line["rung"]) for line in after if line["event"] == "ended"]
    assert len(set(ends)) == len(ends), "nothing ends twice"
    finished = {(line["cell"], line["rung"]) for line in before if line["event"] == "ended"}
    assert not finished & {(line["cell"], line["rung"]) for line in after[len(before) :] if line["event"] == "begun"}
    # Speeds are of the clock: equal ones were not measured again.
    assert read_metrics(trial_of(folder, running) / METRICS_FILE)[: len(kept)] == kept
    for one in {line["cell"] for line in after if line["rung"] == 1 and not line.get("error", "")}:
        steps = read_metrics(trial_of(folder, {"cell": one, "seed": 0}) / METRICS_FILE)
        assert [line["iteration"] for line in steps] == list(range(1, STEPS + 1))

    rows = pyarrow.parquet.read_table(folder / "results.parquet").to_pylist()
    statuses = Counter(row["status"] for row in rows)
    assert (len(rows), statuses["no shape"], statuses["failed"]) == (6, 3, 1)
    assert statuses["finished"] + statuses["stopped"] == 2
    winner = next(row for row in rows if row["status"] == "finished")
    assert (winner["tokens"], winner["total_params"]) == (STEPS * 8 * 32, pytest.approx(40_000, rel=0.005))
    assert winner["suite_perplexity"] > 1
    failed = next(row for row in rows if row["status"] == "failed")
    assert failed["error"].startswith("step ")
    page = (folder / "report.html").read_text()
    assert "no shape" in page
    assert failed["trial"] in page
    assert "none can be given with one seed" in page
    assert huggingface.load(folder / "trials" / winner["trial"] / "model").config.d_model == winner["d_model"]
    assert list((folder / "tensorboard" / winner["trial"]).glob("events.*"))
    assert "train the winner: python -m jobs.train " in again.stdout
    assert "Trial name" in again.stdout, "Tune's table"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        sweep.main(["--config", str(SMOKE), *arguments])
    assert ended.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    return errors[0]


def test_missing_data_are_said_with_the_command_that_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = said(capsys, f"run.root={tmp_path}", f"data.packed={tmp_path}/nowhere", "data.recipe=null")
    assert "no packed.json there; make it with `python -m jobs.data --config configs/data/stdlib.yaml`" in line
    line = said(capsys, f"run.root={tmp_path}", f"data.packed={tmp_path}/nowhere")
    assert line.endswith("nowhere: a recipe makes runs/NAME/packed; name such a folder")
    assert not (tmp_path / "sweep-smoke" / "config.yaml").exists()


def test_the_folder_of_another_sweep_is_left_as_it_is(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "config.yaml").write_text("budget: {total_params: 1000}\n")
    (folder / "results.parquet").write_text("theirs")
    line = said(capsys, f"run.root={tmp_path}", "run.name=taken", f"data.packed={packed}")
    assert "was begun with" in line
    assert (folder / "results.parquet").read_text() == "theirs"
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "config.yaml", "results.parquet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["space.embedding_ratio=[]"], "error: space.embedding_ratio=[]: tuple should have at least 1 item"),
        (["space.glu_expansion=[2, 2.0]"], "error: space: glu_expansion=[2.0, 2.0]: a value stands there twice"),
        (["search=bohb"], "error: search='bohb': input should be 'grid' or 'optuna'"),
        (["samples=4"], "error: samples=4: search=grid tries all cells; unset it, or use search=optuna"),
        (["budget.total_params=2000"], "none of the 4 cells has a shape of budget.total_params=2000"),
        (["data.row_length=48"], "error: data.row_length=48: the rows of "),
        (["trial.tokens=100", "budget.total_params=40000"], "too few for asha.rungs=2 at asha.reduction=2; give "),
        (["--resume"], "error: run.name=other: nothing to resume under "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    given = [f"run.root={tmp_path}", "run.name=other", f"data.packed={packed}", "data.row_length=64", *arguments]
    assert message in said(capsys, *given)
