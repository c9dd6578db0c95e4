"""Listings say where text is, tell repositories apart, and refuse what is not there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cetd.config import validate
from cetd.config.data import DataJobConfig
from cetd.data.corpus.reading import raw
from cetd.data.corpus.sources import Piece, SourceError, digest, listing, shards
from cetd.data.corpus.tables import TableError

MIT = "Permission is hereby granted, free of charge, to any\nperson obtaining a copy of this software"


def configured(**source: Any) -> DataJobConfig:
    return validate(DataJobConfig, {"sources": [source]})


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def read(config: DataJobConfig) -> list[dict[str, Any]]:
    pieces = listing(config)
    return [row for batch, _ in raw(tuple(pieces), config) for row in batch.to_pylist()]


def test_a_folder_is_one_repository_and_its_licence_file_speaks_for_it(tmp_path: Path) -> None:
    write(tmp_path / "corpus", LICENSE=MIT, a_py="x = 1\n", b__c_py="# SPDX-License-Identifier: Apache-2.0\n")
    found = {row["path"]: row for row in read(configured(path=str(tmp_path / "corpus"), include=["*.py"]))}
    assert {path: row["licence"] for path, row in found.items()} == {"a.py": "MIT", "b/c.py": "Apache-2.0"}
    assert {row["repository"] for row in found.values()} == {"corpus"}
    assert found["a.py"]["language"] == "python"


def test_entries_and_git_checkouts_are_repositories_of_their_own(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    write(corpus, one__a_py="x", two_py="y", checkout__tracked_py="z", checkout__built_py="w")
    for command in (["init", "-q"], ["add", "tracked.py"]):
        subprocess.run(["git", *command], cwd=corpus / "checkout", check=True)
    found = read(configured(path=str(corpus), repositories="entries"))
    assert [(row["repository"], row["path"]) for row in found] == [
        ("corpus/checkout", "tracked.py"),
        ("corpus/one", "a.py"),
        ("corpus/two", "two.py"),
    ]


def test_what_others_wrote_and_links_are_left(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    write(corpus, a_py="x", node_modules__b_py="y", __pycache__c_py="z", old__d_py="d")
    (corpus / "link.py").symlink_to("/etc/passwd")
    assert [row["path"] for row in read(configured(path=str(corpus), exclude=["old/*"]))] == ["a.py"]


def test_files_that_are_too_large_are_counted_and_never_read(tmp_path: Path) -> None:
    write(tmp_path / "corpus", a_py="x = 1\n", b_py="y" * 2000)
    config = validate(DataJobConfig, {"sources": [{"path": str(tmp_path / "corpus")}], "cleaning": {"max_bytes": 1000}})
    [(rows, stage)] = raw(tuple(listing(config)), config)
    assert rows["path"].to_pylist() == ["a.py"]
    assert stage.dropped == {"larger than cleaning.max_bytes": 1}


@pytest.mark.parametrize("size", [10, 64, 100_000])
def test_json_lines_are_read_once_wherever_the_parts_begin(tmp_path: Path, size: int) -> None:
    rows = [{"code": f"line {number}" * (number % 5 + 1), "repo": "ab"[number % 2]} for number in range(30)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = validate(
        DataJobConfig,
        {
            "sources": [{"kind": "table", "path": str(tmp_path), "text": "code", "repository": "repo"}],
            "shard_bytes": size,
        },
    )
    found = read(config)
    assert [row["content"].decode() for row in found] == [row["code"] for row in rows]
    assert {row["repository"] for row in found} == {f"{tmp_path.name}/a", f"{tmp_path.name}/b"}
    assert len({row["path"] for row in found}) == 30


def test_parquet_is_read_by_row_groups(tmp_path: Path) -> None:
    table = pa.table({"text": [f"text {number}" for number in range(10)], "name": ["a.py", "b.c"] * 5})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=3)
    config = configured(kind="table", path=str(tmp_path / "x.parquet"), file="name")
    assert len(listing(config)) == 4
    found = read(config)
    assert [row["content"].decode() for row in found] == table["text"].to_pylist()
    assert {row["language"] for row in found} == {"python", "c"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"path": "nowhere"}, r"sources.0.path=nowhere: no such file or folder"),
        ({"path": "empty"}, r"sources.0: empty has no files that include and exclude let through"),
        ({"path": "x.parquet"}, r"sources.0.path=x.parquet: not a folder; use kind: table"),
        ({"kind": "table", "path": "empty"}, r"sources.0: empty: expected \*.parquet or \*.jsonl"),
        ({"kind": "table", "path": "x.parquet", "text": "code"}, r"text='code': x.parquet has no such column; it has"),
        ({"kind": "table", "path": "x.parquet", "text": "n"}, r"text='n': x.parquet: the column is int64; expected te"),
        ({"kind": "table", "path": "broken.parquet"}, r"sources.0: broken.parquet: cannot be read"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    pq.write_table(pa.table({"body": ["x"], "n": [1]}), "x.parquet")
    Path("broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(SourceError, match=message) as error:
        listing(configured(**source))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "byte 0: not JSON"), ("[1]", "byte 0: expected an object per line"), ('{"text": 3}', "byte 0: text is int")],
)
def test_a_json_line_that_holds_no_text_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "x.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(TableError, match=message):
        read(configured(kind="table", path=str(tmp_path / "x.jsonl")))


def test_shards_are_of_similar_size_and_keep_the_order() -> None:
    pieces = [Piece(0, "r", str(number), "f", size, "") for number, size in enumerate([5, 5, 5, 50, 1, 9, 10])]
    cut = shards(pieces, size=10, largest=20)
    assert [[piece.path for piece in shard] for shard in cut] == [["0", "1"], ["2", "3", "4"], ["5"], ["6"]]


def test_a_changed_file_changes_the_digest(tmp_path: Path) -> None:
    write(tmp_path / "corpus", a_py="x = 1\n")
    before = digest(listing(configured(path=str(tmp_path / "corpus"))))
    write(tmp_path / "corpus", a_py="x = 22\n")
    assert digest(listing(configured(path=str(tmp_path / "corpus")))) != before
