"""Pairs of texts from Parquet and JSON lines, and what is said of files that cannot be trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from cetd.config import validate
from cetd.config.train import DataConfig, RewardWeightingConfig
from cetd.data.pairs import DataError, Pairs
from cetd.data.tokenizer import EOS_ID, Tokenizer

ROWS = [
    {"input": "def f(xs):\n    return sum(xs)\n", "target": "Add all.", "pass_rates": [1.0, 0.5]},
    {"input": "def g(xs):\n    return max(xs)\n", "target": "The largest.", "pass_rates": [1.0, 1.0]},
    {"input": "", "target": "", "pass_rates": []},
]
TOKENIZER = Tokenizer.train([row["input"] + row["target"] for row in ROWS], 300)


def config(path: Path, **changes: Any) -> DataConfig:
    return validate(DataConfig, {"train": path, "max_input_tokens": 64, "max_output_tokens": 64} | changes)


def pairs(path: Path, **changes: Any) -> Pairs:
    return Pairs(path, config(path, **changes), TOKENIZER)


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(("write", "name"), [(parquet, "a.parquet"), (jsonl, "a.jsonl")])
def test_rows_become_examples(write: Any, name: str, tmp_path: Path) -> None:
    for path in (write(tmp_path / name, ROWS), tmp_path):
        found = pairs(path)
        assert len(found) == 3
        second, first = found.examples([1, 0])
        assert TOKENIZER.decode(first.prompt) == ROWS[0]["input"]
        assert TOKENIZER.decode(second.completion) == ROWS[1]["target"]
        assert second.completion[-1] == EOS_ID
        assert first.weight == 1.0


def test_pass_rates_weigh_examples(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", ROWS)
    found = Pairs(path, config(path), TOKENIZER, RewardWeightingConfig(scale=2.0, variance_penalty=0.1))
    weights = [example.weight for example in found.examples([0, 1, 2])]
    assert weights == pytest.approx([2 * (0.75 - 0.1 * 0.0625), 2.0, 0.0])


def test_long_texts_are_refused_or_cut(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", ROWS)
    with pytest.raises(DataError, match=r"row 0: input has \d+ tokens and data.max_input_tokens leaves room for 3"):
        pairs(path, max_input_tokens=3).check_lengths()
    with pytest.raises(DataError, match=r"target has \d+ tokens and data.max_output_tokens leaves room for 2"):
        pairs(path, max_output_tokens=3).check_lengths()
    cut = pairs(path, max_input_tokens=3, max_output_tokens=3, too_long="truncate")
    cut.check_lengths()
    example = cut.examples([0])[0]
    assert (len(example.prompt), len(example.completion), example.completion[-1]) == (3, 3, EOS_ID)
    pairs(path).check_lengths()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "column input is missing; found none"),
        ([{"input": "a"}], "column target is missing; found input"),
        ([{"input": "a", "target": 3}], "column target is int64; expected texts"),
        ([{"input": "a", "target": None}, {"input": "a", "target": "b"}], "column target has 1 rows without a value"),
    ],
)
def test_what_cannot_be_trained_on_is_said(rows: list[dict[str, Any]], said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        pairs(parquet(tmp_path / "a.parquet", rows))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file, or a folder without"):
        pairs(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        pairs(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="cannot be read"):
        pairs(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("input,target\n")
    with pytest.raises(DataError, match=r"expected .*parquet or .*jsonl"):
        pairs(tmp_path / "a.csv")


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    table = pa.table({"input": pa.array([], pa.string()), "target": pa.array([], pa.string())})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no rows; there is nothing to train on"):
        pairs(tmp_path / "a.parquet")
