"""A shard's pieces as Arrow tables of raw documents, a bounded number of bytes at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from cetd.config.data import DataJobConfig, TableSourceConfig, source_name
from cetd.data.corpus import tables
from cetd.data.corpus.counts import Stage
from cetd.data.corpus.document import RAW
from cetd.data.corpus.languages import language_of
from cetd.data.corpus.licences import licence_of_text
from cetd.data.corpus.sources import Piece, Shard

_BATCH_BYTES = 2_000_000
_HEAD = 4000


def raw(shard: Shard, config: DataJobConfig) -> Iterator[tuple[pa.Table, Stage]]:
    """Batches of :data:`~cetd.data.corpus.document.RAW`, and what was not read and why.

    Raises:
        TableError: a row of a table cannot be understood.
    """
    rows: list[dict[str, object]] = []
    size = 0
    dropped: Counter[str] = Counter()
    for piece in shard:
        for content, path, repository in _contents(piece, config):
            if content is None or len(content) > config.cleaning.max_bytes:
                dropped["larger than cleaning.max_bytes"] += 1
                continue
            rows.append(_document(piece, path, repository, content, config))
            size += len(content)
            if size >= _BATCH_BYTES:
                yield _batch(rows, size, dropped)
                rows, size, dropped = [], 0, Counter()
    yield _batch(rows, size, dropped)


def _contents(piece: Piece, config: DataJobConfig) -> Iterator[tuple[bytes | None, str, str]]:
    """(content, path, repository); no content where the file is larger than what is read."""
    source = config.sources[piece.source]
    if isinstance(source, TableSourceConfig):
        for row in tables.read(piece.file, piece.start, piece.size, source):
            inside = f"{piece.repository}/{row.repository}" if row.repository else piece.repository
            yield row.text.encode("utf-8", "surrogatepass"), row.path, inside
        return
    too_large = piece.size > config.cleaning.max_bytes
    yield None if too_large else Path(piece.file).read_bytes(), piece.path, piece.repository


def _document(piece: Piece, path: str, repository: str, content: bytes, config: DataJobConfig) -> dict[str, object]:
    source = config.sources[piece.source]
    fixed = source.language if isinstance(source, TableSourceConfig) else None
    said = licence_of_text(content[:_HEAD].decode("utf-8", "replace"))
    return {
        "source": source_name(source),
        "repository": repository,
        "path": path,
        "licence": said or piece.licence,
        "language": fixed or language_of(path, content),
        "content": content,
    }


def _batch(rows: list[dict[str, object]], size: int, dropped: Counter[str]) -> tuple[pa.Table, Stage]:
    documents = len(rows) + dropped.total()
    return pa.Table.from_pylist(rows, RAW), Stage("read", documents, len(rows), size, dict(dropped))
