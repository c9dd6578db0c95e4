"""The second step: copies fall away, and repositories become training or validation.

:func:`select` looks at all fingerprints at once, which stay on disk but for the hashes and a few numbers of each
document; :func:`split` applies what it found to one shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cetd.config.data import DataJobConfig
from cetd.data.corpus.counts import Stage, lengths
from cetd.data.corpus.deduplication import Decisions, decide
from cetd.data.corpus.layout import SPLITS, CorpusFolder, Report, peak_mib
from cetd.data.corpus.splitting import validation_repositories

STEP, SPLIT_STEP = "select", "split"
_VALIDATION, _TRAIN = "validation", "train"


def select(config: DataJobConfig, folder: CorpusFolder, shards: int) -> Report:
    """Decide about every document; a row group of ``work/decisions.parquet`` for each shard."""
    if done := folder.read_report(STEP, 0):
        return done
    tables = [pq.read_table(folder.fingerprints(shard), columns=["repository", "bytes"]) for shard in range(shards)]
    sizes = [table.num_rows for table in tables]
    everything = pa.concat_tables(tables).combine_chunks()
    names = everything["repository"].combine_chunks().dictionary_encode()
    numbers = np.asarray(names.indices)
    found = _copies(config, folder, shards, numbers)
    kept = np.array([reason is None for reason in found.reasons], bool)
    repositories = everything["repository"].to_pylist()
    validation = validation_repositories(
        [name for name, keep in zip(repositories, kept, strict=True) if keep],
        found.groups[kept].tolist(),
        np.asarray(everything["bytes"])[kept].tolist(),
        config.validation_share,
        config.run.seed,
    )
    split = [
        None if not keep else _VALIDATION if name in validation else _TRAIN
        for name, keep in zip(repositories, kept, strict=True)
    ]
    _write(folder, pa.table({"split": pa.array(split, pa.string())}), sizes)
    report = Report((_stage(found, everything["bytes"], kept),), (), {}, peak_mib())
    folder.write_report(STEP, 0, report)
    return report


def split(folder: CorpusFolder, shard: int) -> Report:
    """Write a shard's documents of each split."""
    if done := folder.read_report(SPLIT_STEP, shard):
        return done
    rows = pq.read_table(folder.clean(shard))
    decided = pq.ParquetFile(folder.decisions).read_row_group(shard)["split"]
    files = []
    tallies: dict[str, Mapping[str, int]] = {}
    for name in SPLITS:
        mine = rows.filter(pa.array([one == name for one in decided.to_pylist()], pa.bool_()))
        if not mine.num_rows:
            continue
        files.append(folder.write_table(folder.documents(name, shard), mine))
        tallies |= {f"repositories, {name}": _weights(mine)}
        for column in ("licence", "language"):
            tallies[column] = dict(Counter(tallies.get(column, {})) + Counter(mine[column].to_pylist()))
    report = Report((), tuple(files), tallies, peak_mib())
    folder.write_report(SPLIT_STEP, shard, report)
    return report


def _copies(config: DataJobConfig, folder: CorpusFolder, shards: int, repositories: np.ndarray) -> Decisions:
    """Signatures are gathered in a mapped file, of which the system keeps in memory what it has room for."""
    count = len(repositories)
    exact = np.empty(count, "V16")
    with TemporaryDirectory(dir=folder.work, prefix="signatures-") as aside:
        shape = (count, config.deduplication.permutations)
        signatures = (
            np.memmap(f"{aside}/signatures", np.uint32, "w+", shape=shape) if count else np.empty(shape, np.uint32)
        )
        start = 0
        for table in _fingerprints(folder, shards):
            stop = start + table.num_rows
            signatures[start:stop] = np.asarray(table["signature"].combine_chunks().flatten()).reshape(-1, shape[1])
            hashes = b"".join(table["exact"].to_pylist())
            exact[start:stop] = np.frombuffer(hashes, "V16")
            start = stop
        return decide(exact, signatures, repositories, config.deduplication.near_threshold)


def _fingerprints(folder: CorpusFolder, shards: int) -> Iterator[pa.Table]:
    for shard in range(shards):
        table = pq.read_table(folder.fingerprints(shard), columns=["exact", "signature"])
        if table.num_rows:
            yield table


def _stage(found: Decisions, sizes: pa.ChunkedArray, kept: np.ndarray) -> Stage:
    dropped = Counter(reason for reason in found.reasons if reason is not None)
    size = int(np.asarray(sizes)[kept].sum()) if len(kept) else 0
    return Stage("deduplicate", len(kept), int(kept.sum()), size, dict(dropped))


def _write(folder: CorpusFolder, decisions: pa.Table, sizes: list[int]) -> None:
    aside = folder.decisions.with_suffix(".part")
    with pq.ParquetWriter(aside, decisions.schema) as writer:
        start = 0
        for size in sizes:
            writer.write_table(decisions.slice(start, size), row_group_size=max(size, 1))
            start += size
    aside.replace(folder.decisions)


def _weights(rows: pa.Table) -> dict[str, int]:
    """Bytes of each repository."""
    sizes = pa.table({"repository": rows["repository"], "bytes": lengths(rows["text"])})
    summed = sizes.group_by("repository").aggregate([("bytes", "sum")])
    return dict(zip(summed["repository"].to_pylist(), summed["bytes_sum"].to_pylist(), strict=True))
