"""The texts of a folder of Parquet files, one row a document: streamed, any number of times, always in the same order.

Memory holds one batch of rows, however large the folder. Knows nothing of what the texts are for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cetd.seeds import derive

COLUMN = "text"
_BATCH_ROWS = 64


class TextsError(ValueError):
    """Texts that cannot be read; the message is one line for the user."""


@dataclass(frozen=True)
class Texts:
    """Documents of ``files``, and what they come to; empty ones and rows without a text are none.

    A ``share`` of them is drawn by ``seed``, in their order, until they would exceed ``limit`` bytes of UTF-8.
    """

    files: tuple[Path, ...]
    documents: int
    bytes: int
    lines: int
    digest: str
    share: float = 1.0
    seed: int = 0
    limit: float = math.inf

    def __iter__(self) -> Iterator[str]:
        """The drawn documents.

        Raises:
            TextsError: a file has become unreadable.
        """
        left = self.limit
        for number, text in enumerate(_read(self.files)):
            if self.share < 1 and derive(self.seed, "document", number) >= self.share * 2**63:
                continue
            left -= len(text.encode())
            if left < 0:
                return
            yield text


def open_texts(folder: Path, field: str, limit: int, seed: int) -> Texts:
    """The texts of ``folder``, read once to count them; of more than ``limit`` bytes a share that ``seed`` draws.

    Raises:
        TextsError: no such folder, no Parquet in it, no texts in a column of that name; the line names ``field``.
    """
    files = _files(folder, field)
    for file in files:
        _check(file, field)
    everything = _counted(Texts(files, 0, 0, 0, ""))
    if not everything.documents:
        raise TextsError(f"{field}={folder}: all documents are empty; there is nothing to read")
    if everything.bytes <= limit:
        return everything
    drawn = _counted(replace(everything, share=limit / everything.bytes, seed=seed, limit=limit))
    if not drawn.documents:
        raise TextsError(f"{field}={folder}: no document that was drawn fits into {limit:,} bytes; allow more")
    return drawn


def _files(folder: Path, field: str) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise TextsError(f"{field}={folder}: no such folder; python -m jobs.data makes one, documents/ in its run")
    files = tuple(sorted(folder.glob("*.parquet")))
    if not files:
        raise TextsError(f"{field}={folder}: no *.parquet in it; give the folder that holds the files")
    return files


def _check(file: Path, field: str) -> None:
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise TextsError(f"{field}: {file}: not Parquet: {_line(error)}") from None
    if COLUMN not in schema.names:
        raise TextsError(f"{field}: {file}: no column {COLUMN}; it has {', '.join(schema.names) or 'none'}")
    kind = schema.field(COLUMN).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise TextsError(f"{field}: {file}: column {COLUMN} is {kind}; expected texts")


def _read(files: tuple[Path, ...]) -> Iterator[str]:
    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                for batch in opened.iter_batches(_BATCH_ROWS, columns=[COLUMN]):
                    yield from filter(None, batch[COLUMN].to_pylist())
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise TextsError(f"{file}: cannot be read: {_line(error)}") from None


def _counted(texts: Texts) -> Texts:
    """``texts`` with its figures; the digest tells any two orders or contents apart."""
    documents = size = lines = 0
    digest = blake2b(digest_size=8)
    for text in texts:
        data = text.encode()
        documents, size, lines = documents + 1, size + len(data), lines + line_count(text)
        digest.update(len(data).to_bytes(8, "big") + data)
    return replace(texts, documents=documents, bytes=size, lines=lines, digest=digest.hexdigest())


def line_count(text: str) -> int:
    """Lines of ``text``, the last one also where nothing ends it."""
    return text.count("\n") + (not text.endswith("\n"))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
