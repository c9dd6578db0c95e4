"""A document of a corpus, as a row and as an object."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

# As they are listed: one row per file. `content` is bytes of no known encoding.
RAW = pa.schema(
    [
        ("source", pa.string()),
        ("repository", pa.string()),
        ("path", pa.string()),
        ("licence", pa.string()),
        ("language", pa.string()),
        ("content", pa.large_binary()),
    ]
)

# What is left of them.
DOCUMENT = pa.schema(
    [
        ("source", pa.string()),
        ("repository", pa.string()),
        ("path", pa.string()),
        ("licence", pa.string()),
        ("language", pa.string()),
        ("text", pa.large_string()),
        ("encoding", pa.string()),
        ("quality", pa.float32()),
        ("reasons", pa.list_(pa.string())),
        ("scrubbed", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Document:
    """A file of code. ``repository`` is what it is split and searched with; ``path`` is relative to it."""

    repository: str
    path: str
    language: str
    text: str
