"""What is recorded in production: the requests that were served and the verdicts on them, and how both are read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa

from cetd.serving import segments

log = logging.getLogger(__name__)

SERVED, VERDICTS = "served", "verdicts"
SCHEMAS = {
    SERVED: pa.schema(
        [
            ("request_id", pa.string()),
            ("time", pa.float64()),
            ("model_version", pa.string()),
            ("source", pa.string()),
            ("requirements", pa.string()),
            ("options", pa.string()),
            ("latency_ms", pa.float64()),
        ]
    ),
    VERDICTS: pa.schema(
        [
            ("request_id", pa.string()),
            ("passed", pa.bool_()),
            ("rating", pa.int32()),
            ("comment", pa.string()),
            ("time", pa.float64()),
        ]
    ),
}


@dataclass(frozen=True)
class Served:
    """A request that was answered; ``time`` in seconds since 1970, ``options`` as JSON."""

    request_id: str
    time: float
    model_version: str
    source: str
    requirements: str
    options: str
    latency_ms: float


@dataclass(frozen=True)
class Verdict:
    """What a user made of an answer."""

    passed: bool | None
    rating: int | None
    comment: str
    time: float


def on_record(folder: Path, request_id: str) -> bool:
    """Whether a request of that id was written; segments that cannot be read are said in the log and passed over."""
    for path in reversed(segments.paths(folder, SERVED)):
        try:
            table = segments.table(path, ["request_id"])
        except ValueError as error:
            log.warning("%s", error)
            continue
        if table is not None and request_id in table["request_id"].to_pylist():
            return True
    return False


def examples(folder: Path) -> list[tuple[Served, Verdict]]:
    """Requests with the last verdict on each, oldest first; of equal ids the last request counts.

    Raises:
        ValueError: a segment cannot be read.
    """
    verdicts: dict[str, Verdict] = {}
    given = [row for table in _tables(folder, VERDICTS) for row in table.to_pylist()]
    for row in sorted(given, key=lambda row: row["time"]):
        verdicts[row["request_id"]] = Verdict(**{one.name: row[one.name] for one in fields(Verdict)})
    requests: dict[str, Served] = {}
    for table in _tables(folder, SERVED):
        for row in table.to_pylist():
            before = requests.get(row["request_id"])
            if row["request_id"] in verdicts and (before is None or before.time <= row["time"]):
                requests[row["request_id"]] = Served(**row)
    ordered = sorted(requests.values(), key=lambda served: served.time)
    return [(served, verdicts[served.request_id]) for served in ordered]


def _tables(folder: Path, kind: str) -> Iterator[pa.Table]:
    read = (segments.table(path) for path in segments.paths(folder, kind))
    return (table for table in read if table is not None)
