"""The fourth step: the examples of phases 1 and 2, from all documents of a repository at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.dataset

from cetd.config.data import DataJobConfig
from cetd.data.corpus.counts import Stage
from cetd.data.corpus.document import Document
from cetd.data.corpus.layout import SPLITS, CorpusFolder, Report, Split, peak_mib
from cetd.data.phases.phase1 import phase1_rows, phase1_schema
from cetd.data.phases.phase2 import phase2_rows, phase2_schema

STEP = "examples"
_SCHEMAS: dict[Literal["phase1", "phase2"], pa.Schema] = {"phase1": phase1_schema, "phase2": phase2_schema}


@dataclass(frozen=True)
class Part:
    """Repositories whose examples are made together, and the shards that hold their documents."""

    split: Split
    repositories: tuple[str, ...]
    shards: tuple[int, ...]


def parts(reports: Mapping[int, Report], size: int) -> list[Part]:
    """Repositories in order, in parts of about ``size`` bytes. ``reports`` are those of the split, by shard."""
    cut: list[Part] = []
    for split in SPLITS:
        shards: dict[str, list[int]] = {}
        weights: dict[str, int] = {}
        for shard, report in sorted(reports.items()):
            for repository, weight in report.tallies.get(f"repositories, {split}", {}).items():
                shards.setdefault(repository, []).append(shard)
                weights[repository] = weights.get(repository, 0) + weight
        for together in _filled(weights, size):
            needed = sorted({shard for repository in together for shard in shards[repository]})
            cut.append(Part(split, tuple(together), tuple(needed)))
    return cut


def make_examples(config: DataJobConfig, folder: CorpusFolder, number: int, part: Part) -> Report:
    """Write the examples of a part's repositories."""
    if done := folder.read_report(STEP, number):
        return done
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _SCHEMAS}
    documents = 0
    for repository in part.repositories:
        for together in _documents(config, folder, part, repository):
            documents += len(together)
            rows["phase1"] += phase1_rows(together, config.phase1, config.run.seed)
            rows["phase2"] += phase2_rows(together, config.phase2, config.run.seed)
    files, tallies = [], {}
    for kind, schema in _SCHEMAS.items():
        table = pa.Table.from_pylist(rows[kind], schema)
        tallies[f"{kind}, {part.split}"] = {"rows": table.num_rows}
        if table.num_rows:
            files.append(folder.write_table(folder.output(kind, part.split, number), table))
    size = sum(len(row["input"]) + len(row["target"]) for made in rows.values() for row in made)
    report = Report((Stage("examples", documents, documents, size),), tuple(files), tallies, peak_mib())
    folder.write_report(STEP, number, report)
    return report


def _documents(
    config: DataJobConfig, folder: CorpusFolder, part: Part, repository: str
) -> Iterator[Sequence[Document]]:
    """A repository's documents, as many at a time as the configuration allows: their syntax trees are far larger."""
    files = [folder.documents(part.split, shard) for shard in part.shards]
    source = pyarrow.dataset.dataset([str(file) for file in files if file.exists()], format="parquet")
    columns = ["repository", "path", "language", "text"]
    found: list[Document] = []
    room = config.max_repository_bytes
    for batch in source.to_batches(columns=columns, filter=pyarrow.dataset.field("repository") == repository):
        for row in batch.to_pylist():
            document = Document(**row)
            room -= len(document.text)
            if found and room < 0:
                yield found
                found, room = [], config.max_repository_bytes - len(document.text)
            found.append(document)
    if found:
        yield found


def _filled(weights: Mapping[str, int], size: int) -> Iterable[list[str]]:
    together: list[str] = []
    weight = 0
    for repository in sorted(weights):
        if together and weight + weights[repository] > size:
            yield together
            together, weight = [], 0
        together.append(repository)
        weight += weights[repository]
    if together:
        yield together
