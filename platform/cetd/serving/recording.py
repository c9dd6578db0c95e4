"""Production feedback: served requests and, later, verdicts on them, kept for phase 4.

Nothing reaches the disk before it is redacted; API keys and headers are never given to this module. Requests wait in
memory, and a thread writes them: after so many, after so many seconds, and when asked. A killed process loses what
waited, and leaves no half segment. Failing to record never fails a request: what cannot be written is said in the log.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from cetd.config.serve import RecordingConfig
from cetd.serving import segments
from cetd.serving.records import SCHEMAS, SERVED, VERDICTS, Served, Verdict, examples, on_record
from cetd.serving.redaction import redact
from cetd.serving.segments import Segment

__all__ = ["Recorder", "Served", "UnknownRequest", "Verdict", "examples"]

log = logging.getLogger(__name__)

# What users wrote, or a model after them; the rest is this platform's own.
_FREE = ("source", "requirements", "options", "comment")

FLUSH_ROWS = 256
FLUSH_S = 5.0
# A segment is complete at so many rows, or characters, or at this share of the greatest age.
_SEGMENT_ROWS = 1024
_SEGMENT_CHARACTERS = 4 * 2**20
_SEGMENT_AGE = 1 / 30
# Where writing cannot keep up, further requests are not recorded.
_MOST_WAITING = 32 * 2**20
_RECENT_IDS = 10_000
_DAY_S = 24 * 3600.0


class UnknownRequest(ValueError):  # noqa: N818 (it is an answer to a client rather than a fault)
    """No request of that id is on record."""


class Recorder:
    """Records into ``folder``; several in several processes may share one. Any thread may call."""

    def __init__(self, folder: Path, config: RecordingConfig, clock: Callable[[], float]) -> None:
        """``clock`` counts seconds since 1970.

        Raises:
            OSError: ``folder`` cannot be made.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._config, self._clock = folder, config, clock
        self._characters = min(_SEGMENT_CHARACTERS, config.max_bytes // 8)
        self._max_age_s = config.max_age_days * _DAY_S
        # Of the lock: what waits, its size, the ids seen lately, when all was last written, and the thread that does.
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, dict[str, Any]]] = []
        self._waiting_size = 0
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._flushed = clock()
        self._writer: threading.Thread | None = None
        # Of the writing lock: the segments that rows are added to.
        self._writing = threading.Lock()
        self._open: dict[str, Segment] = {}

    def record(self, served: Served) -> None:
        """Keep a request, where it belongs to the share that is kept; one of an id seen before takes its place."""
        request_id = _storable(served.request_id)
        if not _is_kept(request_id, self._config.share):
            return
        size = len(served.source) + len(served.requirements)
        with self._lock:
            if self._waiting_size + size > _MOST_WAITING:
                log.warning("request %s is not recorded: writing does not keep up", request_id)
                return
            self._remember(request_id)
            self._waiting.append((SERVED, {**asdict(served), "request_id": request_id}))
            self._waiting_size += size
        self._flush_when_due()

    def verdict(self, request_id: str, verdict: Verdict) -> None:
        """Keep a verdict; the last one of a request counts. May read the folder.

        Raises:
            UnknownRequest: no such request is on record.
        """
        request_id = _storable(request_id)
        if not self._knows(request_id):
            raise UnknownRequest(f"request_id={request_id!r}: not on record")
        with self._lock:
            self._remember(request_id)
            self._waiting.append((VERDICTS, {"request_id": request_id, **asdict(verdict)}))
        self._flush_when_due()

    def flush(self) -> None:
        """Write what waits, and remove what is too old."""
        with self._writing:
            with self._lock:
                rows, self._waiting, self._waiting_size = self._waiting, [], 0
                self._flushed = now = self._clock()
            for kind, row in rows:
                segment = self._segment(kind, now)
                segment.add({name: redact(value) if name in _FREE else value for name, value in row.items()})
                if self._is_complete(segment, now):
                    self._write(self._open.pop(kind))
            for segment in self._open.values():
                if segment.written < len(segment.rows):
                    self._write(segment)
            try:
                segments.remove_older(self._folder, now - self._max_age_s)
            except OSError as error:
                log.warning("old records are not removed: %s", error)

    def _segment(self, kind: str, now: float) -> Segment:
        segment = self._open.get(kind)
        if segment is None or self._is_complete(segment, now):
            segment = self._open[kind] = Segment(kind, SCHEMAS[kind], now)
        return segment

    def _is_complete(self, segment: Segment, now: float) -> bool:
        full = len(segment.rows) >= _SEGMENT_ROWS or segment.characters >= self._characters
        return full or now - segment.begun >= self._max_age_s * _SEGMENT_AGE

    def _write(self, segment: Segment) -> None:
        """Rows that cannot be written are tried again as long as their segment is not complete, then lost."""
        try:
            segment.write(self._folder, self._config.max_bytes)
        except OSError as error:
            log.warning("%d records are not written: %s", len(segment.rows) - segment.written, error)

    def _flush_when_due(self) -> None:
        with self._lock:
            if self._is_due() and (self._writer is None or not self._writer.is_alive()):
                self._writer = threading.Thread(target=self._flush_while_due, name="recording", daemon=True)
                self._writer.start()

    def _flush_while_due(self) -> None:
        while True:
            self.flush()
            with self._lock:
                # Decided under the lock: what falls due from here on finds no writer, and starts one.
                if not self._is_due():
                    self._writer = None
                    return

    def _is_due(self) -> bool:
        late = self._clock() - self._flushed >= FLUSH_S
        return len(self._waiting) >= FLUSH_ROWS or (late and bool(self._waiting))

    def _remember(self, request_id: str) -> None:
        self._recent[request_id] = None
        self._recent.move_to_end(request_id)
        if len(self._recent) > _RECENT_IDS:
            self._recent.popitem(last=False)

    def _knows(self, request_id: str) -> bool:
        with self._lock:
            if request_id in self._recent:
                return True
        return on_record(self._folder, request_id)


def _is_kept(request_id: str, share: float) -> bool:
    return int.from_bytes(blake2b(request_id.encode(), digest_size=8).digest()) < share * 2**64


def _storable(request_id: str) -> str:
    """Clients choose ids, and UTF-8 has no lone surrogates."""
    return request_id.encode("utf-8", "replace").decode()
