"""``python -m jobs.bench``: which benchmarks there are, and what it says of bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jobs.bench.__main__ import BENCHMARKS, main
from jobs.bench.report import write

FOLDER = Path(main.__code__.co_filename).parent
# What benchmarks share.
SHARED = {"__init__", "__main__", "report"}


def names() -> list[str]:
    return [benchmark.__name__.rpartition(".")[2] for benchmark in BENCHMARKS]


def test_every_file_is_a_benchmark_and_help_lists_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(names()) == sorted({path.stem for path in FOLDER.glob("*.py")} - SHARED)
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for benchmark, name in zip(BENCHMARKS, names(), strict=True):
        assert re.search(rf"^ +{name} +{re.escape(benchmark.HELP[:20])}", shown, re.MULTILINE), name


@pytest.mark.parametrize("name", names())
def test_each_says_how_it_is_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"python -m jobs.bench {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["forward", "tiny-lm"], "preset=tiny-lm: a decoder-only model"),
        (["train", "--shapes", "cube"], "shapes: 'cube' is not known"),
        (["sweep", "--config", "no.yaml"], "no.yaml"),
        (["serve", "--model", "no"], "model=no: no such folder"),
        (["serve", "--config", "no.yaml"], "no.yaml"),
    ],
)
def test_bad_input_ends_with_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("CETD_RUNS", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: ")
    assert message in said


def test_a_report_goes_where_runs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CETD_RUNS", str(tmp_path / "runs"))
    write({"benchmark": "train", "steps": 3})
    write({"benchmark": "sweep"}, tmp_path / "mine")
    assert json.loads((tmp_path / "runs" / "bench" / "train.json").read_text()) == {"benchmark": "train", "steps": 3}
    assert (tmp_path / "mine" / "bench" / "sweep.json").is_file()
