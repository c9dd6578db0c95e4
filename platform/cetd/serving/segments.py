"""A folder of Parquet segments that several processes add to at once, and that stays within a bound.

Each segment is one process's own, whole at any time, and named by its kind, by when it was begun and by a number that
is drawn at random. What a killed writer left of one counts like a segment and leaves like one. Other files in the
folder are neither read nor removed.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from cetd import durable

_NAME = re.compile(r"\.?(?P<kind>[a-z]+)-(?P<begun>\d{13})-[0-9a-f]{32}\.parquet(?P<part>\.part)?")


@dataclass
class Segment:
    """Rows that are added to one file, which is written anew with all of them each time."""

    kind: str
    schema: pa.Schema
    begun: float
    rows: list[dict[str, Any]] = field(default_factory=list)
    characters: int = 0
    written: int = 0

    def __post_init__(self) -> None:
        self.name = f"{self.kind}-{int(self.begun * 1000):013d}-{uuid4().hex}.parquet"

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.characters += sum(len(value) for value in row.values() if isinstance(value, str))

    def write(self, folder: Path, max_bytes: int) -> None:
        """Write all rows; where that takes the folder above ``max_bytes``, its oldest segments leave first.

        Raises:
            OSError: it cannot be written, or is larger than ``max_bytes`` by itself; what was written is untouched.
        """
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(self.rows, schema=self.schema), buffer, compression="zstd")
        path, size = folder / self.name, buffer.tell()
        if size > max_bytes:
            raise OSError(f"{path}: a segment of {size} bytes, and max_bytes={max_bytes}: raise it")
        _make_room(folder, max_bytes - size, path)
        durable.write_bytes(path, buffer.getvalue())
        self.written = len(self.rows)


def paths(folder: Path, kind: str) -> list[Path]:
    """The segments of ``kind``, those that were begun first in front."""
    return [path for name, path in _named(folder) if name["kind"] == kind and not name["part"]]


def table(path: Path, columns: list[str] | None = None) -> pa.Table | None:
    """A segment, or some columns of it; None where it has left meanwhile.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        with pq.ParquetFile(path) as parquet:
            return parquet.read(columns=columns)
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"segment={path}: cannot be read ({reason}): restore it or remove it") from error


def remove_older(folder: Path, than: float) -> None:
    """Remove what was begun before ``than``, in seconds."""
    for name, path in _named(folder):
        if int(name["begun"]) < than * 1000:
            path.unlink(missing_ok=True)


def _make_room(folder: Path, left: int, but: Path) -> None:
    """Remove the oldest until all but ``but`` take at most ``left`` bytes."""
    sizes: dict[Path, int] = {}
    for _, path in _named(folder):
        if path != but:
            try:
                sizes[path] = path.stat().st_size
            except FileNotFoundError:
                continue
    total = sum(sizes.values())
    for path, size in sizes.items():
        if total <= left:
            break
        path.unlink(missing_ok=True)
        total -= size


def _named(folder: Path) -> list[tuple[re.Match[str], Path]]:
    found = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(((name, path) for name, path in found if name), key=lambda one: (one[0]["begun"], one[1].name))
