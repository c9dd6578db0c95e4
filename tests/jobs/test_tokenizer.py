"""``python -m jobs.tokenizer`` as a user meets it, on some files of Python's standard library."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from cetd.config import load
from cetd.config.tokenizer import TokenizerJobConfig
from cetd.data.tokenizer import Tokenizer
from jobs import tokenizer as job
from tests.cetd.evaluation.report.pages import Page
from tests.jobs.running import ROOT

PRESET = ROOT / "configs" / "tokenizer" / "stdlib.yaml"
PATIENCE_S = 120
NAMES = ["bpe-8000", "unigram-8000"]


def documents(packages: tuple[str, ...]) -> list[str]:
    library = Path(sysconfig.get_paths()["stdlib"])
    return [path.read_text("utf-8") for package in packages for path in sorted((library / package).glob("*.py"))]


def write(folder: Path, texts: list[str | None], column: str = "text") -> Path:
    folder.mkdir(parents=True)
    half = len(texts) // 2
    for number, part in enumerate((texts[:half], texts[half:])):
        table = pa.table({"path": pa.array([""] * len(part), pa.string()), column: pa.array(part, pa.string())})
        pq.write_table(table, folder / f"{number}.parquet")
    return folder


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments of a job on a few dozen documents, one of them empty and one missing."""
    folder = tmp_path_factory.mktemp("documents")
    train = write(folder / "train", [*documents(("json", "email", "collections", "html")), "", None])
    validation = write(folder / "validation", list(documents(("urllib", "dbm"))))
    return [f"train={train}", f"validation={validation}", "vocab_sizes=[8000]", "model=tiny-cetd"]


@pytest.fixture(scope="module")
def finished(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A run that was killed once it had its first tokenizer, and then run to its end: folder, stdout, stderr."""
    root = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "jobs.tokenizer", *given, f"run.root={root}", "name=code"]
    folder = root / "code"
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not (folder / NAMES[0]).exists():
            assert process.poll() is None
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.01)
        process.kill()
    assert not (folder / "summary.json").exists()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert again.returncode == 0, again.stderr
    return folder, again.stdout, again.stderr


def test_a_killed_run_goes_on_and_ends_with_all_tokenizers(finished: tuple[Path, str, str]) -> None:
    folder, shown, logged = finished
    assert "bpe-8000 (1 of 2): is there already" in logged
    assert re.search(r"unigram-8000 \(2 of 2\): learned in \d+\.\d s", logged)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["train"]["documents"] == len(
        [text for text in documents(("json", "email", "collections", "html")) if text]
    )
    rows = {row["name"]: row for row in summary["tokenizers"]}
    assert list(rows) == [*NAMES, "tekken_240911"]
    size = summary["validation"]["bytes"]
    for row in rows.values():
        assert row["bytes_per_token"] == pytest.approx(size / row["tokens"])
        assert 2 < row["bytes_per_token"] < 8
        assert f"{row['bytes_per_token']:.3f}" in shown
    assert rows["tekken_240911"]["vocab_size"] == 131_072
    assert not list(folder.glob(".*.part"))


@pytest.mark.parametrize("name", NAMES)
def test_its_folders_load_here_and_in_transformers(finished: tuple[Path, str, str], name: str) -> None:
    folder = finished[0] / name
    tokenizer = Tokenizer.load(folder)
    text = documents(("dbm",))[0]
    assert AutoTokenizer.from_pretrained(str(folder)).encode(text) == tokenizer.encode(text)
    assert json.loads((folder / "learned.json").read_text())["digest"] == tokenizer.digest


def test_a_vocabulary_that_the_texts_cannot_fill_is_told(finished: tuple[Path, str, str]) -> None:
    folder, shown, logged = finished
    reached = Tokenizer.load(folder / NAMES[1]).vocab_size
    assert reached < 8000
    assert f"unigram-8000 (2 of 2): the texts support only {reached:,} of 8,000 entries" in logged
    assert f"{reached:,}" in shown


def test_the_report_has_the_curves_the_table_and_how_code_is_cut(finished: tuple[Path, str, str]) -> None:
    page = Page((finished[0] / "report.html").read_text())
    assert page.tags.count("svg") == 2
    assert page.tags.count("table") == 1
    figures = page.text.split("How held-out code is cut")[1]
    excerpts = re.split(r"(?:bpe-8000|unigram-8000|tekken_240911): [\d,]+ tokens", figures)[1:]
    assert len(excerpts) == 3
    assert len({text.split("Learned from, code")[0].strip() for text in excerpts}) == 1


@pytest.fixture
def rerun(given: list[str], finished: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the finished job again with other arguments, in this process; the line that it ends with."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            job.main([*given, f"run.root={finished[0].parent}", "name=code", *arguments])
        assert ended.value.code == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    return run


def test_a_finished_run_makes_nothing_again(
    given: list[str], finished: tuple[Path, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = finished[0]
    made = {name: os.stat(folder / name / "tokenizer.json").st_mtime_ns for name in NAMES}
    before = json.loads((folder / "summary.json").read_text())
    with caplog.at_level(logging.INFO):
        job.main([*given, f"run.root={folder.parent}", "name=code"])
    assert caplog.text.count("is there already") == 2
    assert made == {name: os.stat(folder / name / "tokenizer.json").st_mtime_ns for name in NAMES}
    assert json.loads((folder / "summary.json").read_text())["tokenizers"] == before["tokenizers"]


def test_another_configuration_under_the_same_name_is_refused(rerun: Callable[..., str]) -> None:
    assert rerun("vocab_sizes=[8000,9000]").startswith("error: vocab_sizes=[8000, 9000]: ")


def test_other_texts_under_the_same_name_are_refused(
    tmp_path: Path, given: list[str], finished: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(given[1].removeprefix("validation="))
    file = folder / "0.parquet"
    kept = file.read_bytes()
    try:
        pq.write_table(pa.table({"text": ["x = 1\n"]}), file)
        with pytest.raises(SystemExit):
            job.main([*given, f"run.root={finished[0].parent}", "name=code"])
    finally:
        file.write_bytes(kept)
    assert "error: validation: the texts are not those that" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train=/nowhere"], "train=/nowhere: no such folder; python -m jobs.data makes one"),
        (["vocab_sizes=[7999]"], "vocab_sizes.0=7999: input should be greater than or equal to 8000"),
        (["vocab_sizes=[50001]"], "vocab_sizes.0=50001: input should be less than or equal to 50000"),
        (["vocab_sizes=[8000,8000]"], "vocab_sizes: 8000 is named twice"),
        (["kinds=[wordpiece]"], "kinds.0='wordpiece': input should be 'bpe' or 'unigram'"),
        (["max_training_bytes=1"], "no document that was drawn fits into 1 bytes"),
        (["model=nope"], "model: preset 'nope' is not under configs/model/"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(
    tmp_path: Path, given: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        job.main([*given, f"run.root={tmp_path}", *arguments])
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())


def test_a_folder_without_texts_is_one_line(
    tmp_path: Path, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "0.parquet").write_text("no")
    write(tmp_path / "other", ["x"], column="content")
    write(tmp_path / "blank", ["", None, ""])
    messages = {
        "nothing": "no *.parquet in it",
        "broken": "not Parquet",
        "other": "no column text; it has path, content",
        "blank": "all documents are empty",
    }
    for name, message in messages.items():
        with pytest.raises(SystemExit):
            job.main([*given, f"train={tmp_path / name}", f"run.root={tmp_path / 'runs'}"])
        [line] = capsys.readouterr().err.strip().splitlines()
        assert line.startswith(f"error: train{'=' if name in ('nothing', 'blank') else ':'}")
        assert message in line


def test_what_is_learned_from_is_not_measured_on(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        job.main([*given, given[0].replace("train=", "validation=", 1)])
    assert "is what is learned from; give a folder that is held out" in capsys.readouterr().err


def test_the_preset_is_valid() -> None:
    assert load(TokenizerJobConfig, PRESET).run.name == "tokenizer-stdlib"
