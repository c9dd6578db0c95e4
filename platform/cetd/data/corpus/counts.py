"""What a stage did to documents: how many came, went on, and fell away for which reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Stage:
    """One stage's counts; ``dropped`` and ``noted`` map reasons to documents, and noted ones stay."""

    name: str
    documents_in: int = 0
    documents_out: int = 0
    bytes_out: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    noted: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Stage) -> Stage:
        """The counts of both, of one stage in two places."""
        assert self.name == other.name
        return Stage(
            self.name,
            self.documents_in + other.documents_in,
            self.documents_out + other.documents_out,
            self.bytes_out + other.bytes_out,
            dict(Counter(self.dropped) + Counter(other.dropped)),
            dict(Counter(self.noted) + Counter(other.noted)),
        )

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Stage:
        return Stage(**value)


def added(shards: Iterable[Sequence[Stage]]) -> list[Stage]:
    """Stage by stage the sum over shards, which all have the same stages."""
    totals: list[Stage] = []
    for stages in shards:
        totals = [a + b for a, b in zip(totals, stages, strict=True)] if totals else list(stages)
    return totals


def sifted(
    name: str, rows: pa.Table, reasons: Sequence[str | None], noted: Mapping[str, int] | None = None
) -> tuple[pa.Table, Stage]:
    """The rows without a reason against them, and the stage's counts."""
    kept = rows.filter(pa.array([reason is None for reason in reasons], pa.bool_()))
    dropped = dict(Counter(reason for reason in reasons if reason is not None))
    column = "text" if "text" in kept.column_names else "content"
    return kept, Stage(name, rows.num_rows, kept.num_rows, int(lengths(kept[column]).sum()), dropped, noted or {})


def lengths(column: pa.ChunkedArray) -> np.ndarray:
    """Bytes of each text or binary of a column."""
    return np.asarray(pc.call_function("binary_length", [column]), np.int64)
