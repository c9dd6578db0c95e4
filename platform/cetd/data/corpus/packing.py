"""Rows of equal length out of documents of any length.

Documents longer than a row are cut into rows; the rest are placed best-fit, the longest first, so that no other
document is cut (Ding et al. 2024, "Fewer Truncations Improve Language Modeling", section 3). ``segment_ids`` number the
documents of a row from 1, with 0 for padding: attention keeps to equal numbers.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from cetd.data.tokenizer import PAD_ID


def schema(length: int) -> pa.Schema:
    """Columns ``token_ids`` and ``segment_ids``, each (length,)."""
    ids = pa.list_(pa.int32(), length)
    return pa.schema([("token_ids", ids), ("segment_ids", ids)])


def pieces(ids: Sequence[int], length: int) -> list[Sequence[int]]:
    """``ids`` in pieces of at most ``length``."""
    return [ids[start : start + length] for start in range(0, len(ids), length)]


def packed(documents: Iterable[Sequence[int]], length: int) -> pa.Table:
    """Rows of :func:`schema` that hold every token of ``documents``; each is ``length`` tokens long at most."""
    rows: list[list[Sequence[int]]] = []
    room: list[tuple[int, int]] = []  # (tokens free, row), sorted
    for document in sorted((one for one in documents if one), key=len, reverse=True):
        place = bisect_left(room, (len(document), -1))
        free, row = room.pop(place) if place < len(room) else (length, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(document)
        if free > len(document):
            insort(room, (free - len(document), row))
    return _table(rows, length)


def _table(rows: Sequence[Sequence[Sequence[int]]], length: int) -> pa.Table:
    tokens = np.full((len(rows), length), PAD_ID, np.int32)
    segments = np.zeros((len(rows), length), np.int32)
    for row, documents in enumerate(rows):
        start = 0
        for number, document in enumerate(documents, start=1):
            stop = start + len(document)
            tokens[row, start:stop], segments[row, start:stop] = document, number
            start = stop
    columns = [pa.FixedSizeListArray.from_arrays(pa.array(ids.ravel()), length) for ids in (tokens, segments)]
    return pa.table(columns, schema=schema(length))
