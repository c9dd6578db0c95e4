"""What a corpus is made of: its sources as they were when it was begun, and at its end ``manifest.json``.

The manifest is written last and names every file with its hash. The same sources, configuration and code give the same
manifest, but for ``provenance``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cetd import durable
from cetd.config.data import DataJobConfig
from cetd.data.corpus import sources
from cetd.data.corpus.counts import added
from cetd.data.corpus.layout import SPLITS, CorpusFolder, Report
from cetd.data.corpus.sources import Piece, Shard
from cetd.evaluation.provenance import provenance


@dataclass(frozen=True)
class Begun:
    """A corpus whose sources were listed."""

    shards: tuple[Shard, ...]
    files: int
    digest: str

    def told(self) -> dict[str, Any]:
        """What is kept of the listing."""
        return {"files": self.files, "shards": len(self.shards), "digest": self.digest}


def begin(config: DataJobConfig, folder: CorpusFolder, pieces: Sequence[Piece]) -> Begun:
    """Begin a corpus of the ``pieces`` of its sources, or go on with it.

    Raises:
        SourceError: they are not those that the corpus was begun with.
    """
    shards = sources.shards(pieces, config.shard_bytes, config.cleaning.max_bytes)
    begun = Begun(tuple(shards), len(pieces), sources.digest(pieces))
    if not folder.listing.exists():
        durable.write_text(folder.listing, json.dumps(begun.told()))
    before = json.loads(folder.listing.read_text(encoding="utf-8"))
    if before != begun.told():
        raise sources.SourceError(
            f"sources: they have changed since {folder.path} was begun ({before['files']} files then, "
            f"{begun.files} now); --restart makes it anew, or choose another run.name"
        )
    return begun


def read_manifest(folder: CorpusFolder) -> dict[str, Any] | None:
    """The manifest of a corpus that is finished."""
    return json.loads(folder.manifest.read_text(encoding="utf-8")) if folder.manifest.exists() else None


def write_manifest(
    config: DataJobConfig, folder: CorpusFolder, begun: Begun, reports: Mapping[str, Sequence[Report]]
) -> dict[str, Any]:
    """Write the manifest from the reports of each step, in the order of the steps; returns it."""
    every = [report for step in reports.values() for report in step]
    tallies = tallied(every)
    stages = [stage for step in reports.values() for stage in added(report.stages for report in step if report.stages)]
    manifest = {
        "run": config.run.name,
        "sources": begun.told(),
        "stages": [asdict(stage) for stage in stages],
        "repositories": {split: len(tallies.get(f"repositories, {split}", {})) for split in SPLITS},
        "documents": {split: _rows(every, f"documents/{split}/") for split in SPLITS},
        "licences": tallies.get("licence", {}),
        "languages": tallies.get("language", {}),
        **{
            kind: {split: tallies.get(f"{kind}, {split}", {"rows": 0}) for split in SPLITS}
            for kind in ("packed", "phase1", "phase2")
        },
        "files": sorted((asdict(file) for report in every for file in report.files), key=lambda file: file["path"]),
        "configuration": config.model_dump(mode="json", exclude={"run": {"root"}, "parallel": True}),
        "provenance": provenance(),
    }
    durable.write_text(folder.manifest, json.dumps(manifest, indent=1))
    return manifest


def tallied(reports: Sequence[Report]) -> dict[str, dict[str, int]]:
    """The sums of all tallies, in the order of their names."""
    sums: dict[str, Counter[str]] = {}
    for report in reports:
        for name, counts in report.tallies.items():
            sums.setdefault(name, Counter()).update(counts)
    return {name: dict(sorted(counts.items())) for name, counts in sorted(sums.items())}


def _rows(reports: Sequence[Report], below: str) -> int:
    return sum(file.rows for report in reports for file in report.files if file.path.startswith(below))
