"""Corpora that are tables already: Parquet and JSON lines, read in parts that begin at a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cetd.config.data import TableSourceConfig

SUFFIXES = (".parquet", ".jsonl")


class TableError(ValueError):
    """A table that cannot be read; the message is one line for the user."""


@dataclass(frozen=True)
class Part:
    """A row group of Parquet (``start``: its number), or the lines of JSON that begin in a stretch of bytes."""

    path: str
    file: str
    size: int
    start: int


@dataclass(frozen=True)
class Row:
    """What a table says of a document."""

    text: str
    path: str
    repository: str | None


def parts(place: Path, source: TableSourceConfig, size: int) -> Iterator[Part]:
    """The parts of a file, or of the files of a folder, of about ``size`` bytes.

    Raises:
        TableError: no such files, no table, or a column that is missing or holds no texts.
    """
    files = sorted(file for suffix in SUFFIXES for file in place.glob(f"*{suffix}")) if place.is_dir() else [place]
    if not files or any(file.suffix not in SUFFIXES for file in files):
        raise TableError(f"{place}: expected *.parquet or *.jsonl, a file or a folder of them")
    for file in files:
        name = file.relative_to(place).as_posix() if place.is_dir() else file.name
        if file.suffix == ".jsonl":
            total = file.stat().st_size
            for start in range(0, total, size):
                yield Part(f"{name}:{start}", str(file), min(size, total - start), start)
        else:
            for group, bytes_ in enumerate(_row_groups(file, source)):
                yield Part(f"{name}:{group}", str(file), bytes_, group)


def read(part_file: str, start: int, size: int, source: TableSourceConfig) -> Iterator[Row]:
    """The rows of a part; a JSON line belongs to the part in which it begins.

    Raises:
        TableError: a line that is no JSON object, or a row whose text is none.
    """
    if part_file.endswith(".parquet"):
        columns = [name for name in (source.text, source.repository, source.file) if name]
        table = pq.ParquetFile(part_file).read_row_group(start, columns=columns)
        for number, row in enumerate(row for batch in table.to_batches(256) for row in batch.to_pylist()):
            yield _row(row, f"{start}-{number}", f"{part_file}: row {number} of group {start}", source)
        return
    with open(part_file, "rb") as file:
        # The line that begins before the part belongs to the one before.
        if start:
            file.seek(start - 1)
            file.readline()
        while file.tell() < start + size and (line := file.readline()):
            if not line.strip():
                continue
            place = f"{part_file}: byte {file.tell() - len(line)}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise TableError(f"{place}: not JSON: {error}") from None
            if not isinstance(row, dict):
                raise TableError(f"{place}: expected an object per line, got {type(row).__name__}")
            yield _row(row, str(file.tell() - len(line)), place, source)


def _row_groups(file: Path, source: TableSourceConfig) -> list[int]:
    try:
        opened = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from None
    schema = opened.schema_arrow
    for field, name in (("text", source.text), ("repository", source.repository), ("file", source.file)):
        if name and name not in schema.names:
            raise TableError(f"{field}={name!r}: {file} has no such column; it has {', '.join(schema.names)}")
    kind = schema.field(source.text).type
    if not pa.types.is_string(kind) and not pa.types.is_large_string(kind):
        raise TableError(f"text={source.text!r}: {file}: the column is {kind}; expected texts")
    return [opened.metadata.row_group(group).total_byte_size for group in range(opened.num_row_groups)]


def _row(row: dict[str, Any], number: str, place: str, source: TableSourceConfig) -> Row:
    text = row.get(source.text)
    if not isinstance(text, str):
        raise TableError(f"{place}: {source.text} is {type(text).__name__}; expected a text")
    path = row.get(source.file) if source.file else None
    repository = row.get(source.repository) if source.repository else None
    return Row(text, str(path or number), None if repository is None else str(repository))
