"""Where the parts of a corpus stand in its run folder, and how they are written: whole or not at all.

A step's outputs for a shard are finished when its report is there; the report is written last.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from cetd import durable
from cetd.data.corpus.counts import Stage

Split = Literal["train", "validation"]
SPLITS: tuple[Split, Split] = ("train", "validation")


@dataclass(frozen=True)
class WrittenFile:
    """A file of the result."""

    path: str  # relative to the run folder
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Report:
    """What a step did to a shard. ``tallies`` are further counts by name, such as documents by language."""

    stages: tuple[Stage, ...] = ()
    files: tuple[WrittenFile, ...] = ()
    tallies: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    peak_mib: float = 0.0  # of the process that did it, at its end

    @staticmethod
    def from_json(value: dict) -> Report:
        stages = tuple(Stage.from_json(stage) for stage in value["stages"])
        files = tuple(WrittenFile(**file) for file in value["files"])
        return Report(stages, files, value["tallies"], value["peak_mib"])


class CorpusFolder:
    """Paths below a run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"
        self.listing = self.work / "listing.json"
        self.decisions = self.work / "decisions.parquet"
        self.tokenizer = path / "tokenizer"
        self.packed = path / "packed"
        self.manifest = path / "manifest.json"

    def clean(self, shard: int) -> Path:
        return self.work / "clean" / f"{shard:05d}.parquet"

    def fingerprints(self, shard: int) -> Path:
        return self.work / "fingerprints" / f"{shard:05d}.parquet"

    def documents(self, split: Split, shard: int) -> Path:
        return self.path / "documents" / split / f"{shard:05d}.parquet"

    def output(self, kind: Literal["packed", "phase1", "phase2"], split: Split, part: int) -> Path:
        return self.path / kind / split / f"{part:05d}.parquet"

    def report(self, step: str, shard: int) -> Path:
        return self.work / "reports" / step / f"{shard:05d}.json"

    def read_report(self, step: str, shard: int) -> Report | None:
        """The report of a step that has finished with a shard."""
        path = self.report(step, shard)
        return Report.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def write_report(self, step: str, shard: int, report: Report) -> None:
        durable.write_text(self.report(step, shard), json.dumps(asdict(report)))

    def write_table(self, path: Path, table: pa.Table) -> WrittenFile:
        """Parquet with a footer of its own; the same table gives the same bytes.

        Raises:
            OSError: the disk is full.
        """
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        data = sink.getvalue().to_pybytes()
        durable.write_bytes(path, data)
        return WrittenFile(path.relative_to(self.path).as_posix(), table.num_rows, len(data), sha256(data).hexdigest())


def peak_mib() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
