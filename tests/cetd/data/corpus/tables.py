"""Rows of documents to test stages with."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from cetd.data.corpus.document import RAW


def raw(*contents: bytes, language: str = "python") -> pa.Table:
    rows = [
        {
            "source": "s",
            "repository": "s/r",
            "path": f"{number}.py",
            "licence": "MIT",
            "language": language,
            "content": c,
        }
        for number, c in enumerate(contents)
    ]
    return pa.Table.from_pylist(rows, RAW)


def documents(texts: Sequence[str], language: str = "python") -> pa.Table:
    count = len(texts)
    return pa.table(
        {
            "repository": pa.array(["s/r"] * count, pa.string()),
            "language": pa.array([language] * count, pa.string()),
            "text": pa.array(list(texts), pa.large_string()),
        }
    )
