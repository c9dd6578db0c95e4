"""python -m jobs.apps: what it prints, its exit status, and what it says of wrong input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cetd.data.apps import read_apps
from jobs import apps as job
from tests.cetd.sandbox.conftest import python_for_all

EXAMPLE = Path("configs/apps/example-clamp")
WRONG = "def clamp(value, low, high):\n    return value\n"
MBPP = {"task_id": 7, "code": "def f(x):\n    return x + 1\n", "test_list": ["assert f(1) == 2", "assert f(2) == 3"]}


def printed(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> Any:
    """What the command printed as JSON, after it ended with ``status``."""
    try:
        job.main([*map(str, arguments), "--json"])
        ended = 0
    except SystemExit as end:
        ended = end.code
    shown = capsys.readouterr()
    assert ended == status, shown.err
    return json.loads(shown.out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a command ended with."""
    with pytest.raises(SystemExit) as end:
        job.main([*map(str, arguments)])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.sandbox
def test_a_program_is_run_against_an_app(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = printed(capsys, "run", EXAMPLE, "--program", EXAMPLE / "solution.py")
    assert (shown["outcome"], shown["passed"], shown["total"]) == ("scored", 4, 4)
    assert shown["seconds"] > 0
    assert {test["outcome"] for test in shown["tests"]} == {"passed"}
    (tmp_path / "wrong.py").write_text(WRONG)
    shown = printed(capsys, "run", EXAMPLE, "--program", tmp_path / "wrong.py", status=job.UNFIT)
    assert (shown["passed"], shown["total"]) == (1, 4)
    (tmp_path / "slow.py").write_text("while True: pass\n")
    shown = printed(capsys, "run", EXAMPLE, "--program", tmp_path / "slow.py", status=job.UNFIT)
    assert (shown["outcome"], shown["passed"], shown["total"], shown["tests"]) == ("timed_out", 0, 4, [])


@pytest.mark.sandbox
def test_references_are_checked_and_unfit_ones_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(
        "\n".join(json.dumps(task) for task in (MBPP, {**MBPP, "task_id": 8, "test_list": ["assert f(1) == 1"]}))
    )
    shown = printed(capsys, "check", tmp_path / "tasks.jsonl", status=job.UNFIT)
    assert (shown["mbpp-7"]["fit"], shown["mbpp-7"]["passed"], shown["mbpp-7"]["total"]) == (True, 2, 2)
    assert not shown["mbpp-8"]["fit"]
    assert "passed 0 of 1 tests" in shown["mbpp-8"]["reason"]


def test_apps_are_written_as_folders_and_read_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(json.dumps(MBPP))
    shown = printed(capsys, "import", tmp_path / "tasks.jsonl", "-o", tmp_path / "apps")
    assert shown["mbpp-7"]["interface"] == {"module": "solution", "signatures": ["def f(x)"]}
    assert read_apps(tmp_path / "apps") == read_apps(tmp_path / "tasks.jsonl")
    assert "is there already" in refused(capsys, "import", tmp_path / "tasks.jsonl", "-o", tmp_path / "apps")


def test_an_app_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "show", EXAMPLE)
    assert set(shown["source"]) == {"solution.py"}
    job.main(["show", str(EXAMPLE)])
    text = capsys.readouterr().out
    assert "def clamp(value: int, low: int, high: int) -> int" in text
    assert "test_a_value_inside_stays" in text


def test_the_apps_of_a_feedback_job_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "show", "configs/feedback/tiny.yaml", "train-00000")
    assert shown["interface"]["module"] == "solution"


@pytest.mark.sandbox
def test_apps_are_made_out_of_a_package(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    job.main(["make", "--package", "colorsys", "-o", str(tmp_path), "inputs=60", "max_mutants=8", "max_tests=8"])
    assert "colorsys.rgb_to_yiq" in capsys.readouterr().out
    assert printed(capsys, "check", tmp_path)["colorsys.rgb_to_yiq"]["fit"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "gone"), "gone: no such file or folder"),
        (("show", "configs/apps", "other"), "no app 'other' in it; it has example-clamp"),
        (("run", EXAMPLE, "--program", "gone.py"), "gone.py: No such file or directory"),
        (("make", "--package", "no_such_package", "-o", "x"), "module=no_such_package: not installed"),
        (("make", "-o", "x"), "package: unset; give it, or all of train, validation and heldout"),
        (("make", "--package", "colorsys", "-o", "x", "sead=1"), "sead: unknown key; did you mean seed?"),
    ],
)
def test_wrong_input_ends_with_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], said: str
) -> None:
    assert said in refused(capsys, *arguments)


def test_of_several_apps_one_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "apps; name one of them: train-00000, " in refused(capsys, "show", "configs/feedback/tiny.yaml")


@pytest.mark.sandbox
def test_less_isolation_has_to_be_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no bubblewrap
    assert "or accept isolation=landlock" in refused(capsys, "check", EXAMPLE)
    monkeypatch.setattr("cetd.sandbox.sandbox.base_python", python_for_all)
    assert printed(capsys, "check", EXAMPLE, "--isolation", "landlock")
