"""``python -m jobs.gate`` on run folders as the feedback job leaves them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from cetd.config import FeedbackJobConfig, dump, load
from jobs import gate
from tests.jobs.running import ROOT, TINY


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder whose pass rate is 0.66 over two LLMs."""
    folder = tmp_path / "demo"
    (folder / "checkpoints" / "step-000150").mkdir(parents=True)
    (folder / "checkpoints" / "step-000160").mkdir()
    (folder / "config.yaml").write_text(dump(load(FeedbackJobConfig, TINY, ["loop.iterations=40"])))
    rates(folder, 0.60, 0.72)
    return folder


def rates(folder: Path, *after: float | None) -> None:
    figures = {f"llm-{index}": {"before": 0.1, "after": rate} for index, rate in enumerate(after)}
    (folder / "summary.json").write_text(json.dumps({"pass_rate": figures}))


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command ends with."""
    with pytest.raises(SystemExit) as ended:
        gate.main([*arguments])
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert shown.err.count("\n") == 1
    return shown.err.removeprefix("error: ").strip()


def test_decision_figure_thresholds_and_next_command_are_printed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate.main([str(run)])
    assert capsys.readouterr().out.splitlines() == [
        "scaling to 5B is optional: pass rate 66.0% after phase 3",
        "below 65%: stay; above 70%: scale to 5B",
        f"next: python -m jobs.grow --from {run}/checkpoints/step-000160 --to cetd-5b",
    ]


@pytest.mark.parametrize(
    ("phase", "after", "command"),
    [
        (1, 0.7, "jobs.grow --from {run}/checkpoints/step-000160 --to cetd-3b"),
        (2, 0.55, "jobs.feedback --config {run}/config.yaml run.root={root} run.name=demo-again"),
        (2, 0.4, "jobs.feedback --config {run}/config.yaml run.root={root} run.name=demo-again"),
        (3, 0.9, "jobs.grow --from {run}/checkpoints/step-000160 --to cetd-5b"),
        (3, 0.4, "jobs.feedback --config {run}/config.yaml run.root={root} loop.iterations=80"),
    ],
)
def test_each_decision_has_its_next_command(phase: int, after: float, command: str, run: Path) -> None:
    rates(run, after)
    assert gate.judge(run, phase)["next"] == "python -m " + command.format(run=run, root=run.parent)


def test_the_next_command_is_one_that_the_job_takes(run: Path) -> None:
    rates(run, 0.2)
    _, _, _, _, config, *overrides = shlex.split(gate.judge(run)["next"])
    assert load(FeedbackJobConfig, Path(config), overrides).loop.iterations == 80


def test_a_training_run_names_its_phase_and_runs_again_as_training(run: Path) -> None:
    (run / "config.yaml").write_text("phase: 1\n")
    verdict = gate.judge(run)
    assert (verdict["phase"], verdict["decision"]) == (1, "scale to 3B")
    rates(run, 0.2)
    assert gate.judge(run)["next"].startswith("python -m jobs.train --config ")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A training run of phase 2: a model, and no pass rate."""
    folder = tmp_path / "train"
    (folder / "model").mkdir(parents=True)
    (folder / "config.yaml").write_text("phase: 2\n")
    (folder / "summary.json").write_text('{"status": "finished", "phase": 2}')
    return folder


def test_a_training_run_without_pass_rate_names_the_commands_that_measure_and_decide(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = error_of(capsys, str(trained))
    assert "training measures no pass rate" in said
    measure = said.partition("your apps: ")[2].partition("; then: ")[0]
    _, _, job, _, config, *overrides = shlex.split(measure)
    assert (job, config) == ("jobs.feedback", "configs/feedback/demo.yaml")
    measuring = load(FeedbackJobConfig, ROOT / config, overrides)
    assert (measuring.policy.path, measuring.loop.iterations) == (trained / "model", 0)
    assert said.endswith(f"python -m jobs.gate {measuring.run.root}/{measuring.run.name} --phase 2")


def test_what_a_measuring_run_decides_is_about_the_run_that_trained(run: Path, trained: Path) -> None:
    config = load(FeedbackJobConfig, TINY, ["loop.iterations=0", f"policy.path={trained / 'model'}"])
    (run / "config.yaml").write_text(dump(config))
    rates(run, 0.9)
    assert gate.judge(run, 2)["next"] == f"python -m jobs.grow --from {trained}/model --to cetd-3b"
    rates(run, 0.1)
    again = f"python -m jobs.train --config {trained}/config.yaml run.root={trained.parent} run.name=train-again"
    assert gate.judge(run, 2)["next"] == again


def test_json_has_the_figures(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate.main([str(run), "--phase", "2", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["pass_rate"] == pytest.approx(0.66)
    assert {key: shown[key] for key in ("phase", "decision", "low", "high", "between")} == {
        "phase": 2,
        "decision": "scale to 3B",
        "low": 0.5,
        "high": 0.6,
        "between": "gather more data",
    }


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        error_of(capsys, str(tmp_path / "no"))
        == f"run={tmp_path}/no: no run there; name a run folder, such as runs/demo"
    )


def test_a_run_that_has_not_ended_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "summary.json").unlink()
    assert error_of(capsys, str(run)) == f"{run}/summary.json: not there yet; the run writes it when it ends"


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "cannot be read: "), ("[]", "expected an object, got list"), ("{}", "pass_rate: expected")],
)
def test_a_damaged_summary_is_refused(text: str, message: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "summary.json").write_text(text)
    assert message in error_of(capsys, str(run))


def test_a_run_without_figures_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates(run, None)
    assert error_of(capsys, str(run)).startswith("pass_rate: no LLM has a figure after the run")


def test_a_phase_without_a_gate_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, str(run), "--phase", "4").startswith("phase=4: no gate follows it")
