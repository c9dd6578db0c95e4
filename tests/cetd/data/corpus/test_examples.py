"""Repositories are taken whole, where they are not too large, and each document once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cetd.config import validate
from cetd.config.data import DataJobConfig
from cetd.data.corpus import examples
from cetd.data.corpus.document import Document
from cetd.data.corpus.layout import CorpusFolder, Report


def reports(**weights: int) -> dict[int, Report]:
    """A shard for each repository."""
    return {
        number: Report(tallies={"repositories, train": {name: weight}})
        for number, (name, weight) in enumerate(weights.items())
    }


def test_small_repositories_share_a_part_and_large_ones_have_their_own() -> None:
    cut = examples.parts(reports(a=40, b=50, c=500, d=10), size=100)
    assert [part.repositories for part in cut] == [("a", "b"), ("c",), ("d",)]
    assert [part.shards for part in cut] == [(0, 1), (2,), (3,)]


@pytest.mark.parametrize(("most", "sizes"), [(100, [3, 3, 1]), (1000, [7]), (10, [1] * 7)])
def test_a_large_repository_is_looked_at_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, sizes: list[int]
) -> None:
    folder = CorpusFolder(tmp_path)
    rows = [{"repository": "r", "path": f"{n}.py", "language": "python", "text": "x" * 30} for n in range(7)]
    folder.write_table(folder.documents("train", 0), pa.Table.from_pylist([*rows, {**rows[0], "repository": "other"}]))
    seen: list[list[Document]] = []
    monkeypatch.setattr(examples, "phase1_rows", lambda documents, config, seed: seen.append(documents) or [])
    monkeypatch.setattr(examples, "phase2_rows", lambda documents, config, seed: [])
    config = validate(DataJobConfig, {"sources": [{"path": "."}], "max_repository_bytes": most})
    examples.make_examples(config, folder, 0, examples.Part("train", ("r",), (0,)))
    assert [len(together) for together in seen] == sizes
    assert [one.path for together in seen for one in together] == [row["path"] for row in rows]
