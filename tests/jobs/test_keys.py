"""``python -m jobs.keys`` as an operator uses it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cetd.serving.api_keys import Holder, KeyRing
from jobs import keys


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def run(*arguments: str, file: Path) -> None:
    keys.main([*arguments, "--file", str(file)])


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str, file: Path) -> str:
    """The one line that the command ends with."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments, file=file)
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert shown.err.count("\n") == 1
    return shown.err.removeprefix("error: ").strip()


def test_a_key_is_printed_once_and_opens(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("create", "ci", "--admin", "--requests-per-minute", "30", file=file)
    shown = capsys.readouterr()
    key = shown.out.strip()
    assert KeyRing.load(file).holder(key) == Holder("ci", admin=True, requests_per_minute=30)
    assert "cannot be shown again" in shown.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run("list", file=file)
    listed = capsys.readouterr().out
    assert "ci" in listed
    assert key not in listed


def test_a_revoked_key_is_listed_and_opens_no_more(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("create", "ci", file=file)
    key = capsys.readouterr().out.strip()
    run("revoke", "ci", file=file)
    assert capsys.readouterr().out == "ci is revoked\n"
    assert KeyRing.load(file).holder(key) is None
    run("list", file=file)
    assert "revoked" in capsys.readouterr().out


def test_without_a_file_it_is_that_of_the_folder_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CETD_RUNS", str(tmp_path / "runs"))
    keys.main(["list"])
    assert capsys.readouterr().out == f"{tmp_path}/runs/keys.json: no keys; make one with create\n"
    keys.main(["create", "ci"])
    assert list(KeyRing.load(tmp_path / "runs" / "keys.json").keys) == ["ci"]


def test_errors_are_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, "revoke", "ci", file=file) == f"name='ci': no such key in {file}; known are none"
    assert error_of(capsys, "create", "a b", file=file).startswith("name='a b': use letters")
    assert error_of(capsys, "create", "ci", "--requests-per-minute", "0", file=file).startswith("requests_per_minute=0")
    run("create", "ci", file=file)
    capsys.readouterr()
    assert error_of(capsys, "create", "ci", file=file).startswith("name='ci': has a key")
    file.write_text("{")
    assert error_of(capsys, "list", file=file).startswith(f"keys={file}: Invalid JSON")
    file.unlink()
    file.mkdir()
    assert error_of(capsys, "list", file=file) == f"{file}: Is a directory"
