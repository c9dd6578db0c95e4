"""The record of a sweep: ``ledger.jsonl``, one line when a segment begins and one when it ends, never rewritten.

It is all that a killed sweep needs to go on: rungs, promotions and proposals follow from it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cetd.sweeps.cells import Segment, SweepError

LEDGER_FILE = "ledger.jsonl"


@dataclass(frozen=True)
class Event:
    """Where a segment failed, ``loss`` is infinite and ``error`` says why. ``seconds`` and ``steps`` are its own."""

    kind: Literal["begun", "ended"]
    segment: Segment
    loss: float = math.inf
    seconds: float = 0.0
    steps: int = 0
    error: str = ""


class Ledger:
    """Appends events; a half line that a killed writer left is dropped first."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER_FILE
        if self._path.exists():
            whole = self._path.read_bytes().rpartition(b"\n")
            os.truncate(self._path, len(whole[0]) + len(whole[1]))

    def append(self, event: Event) -> None:
        """On disk when it returns.

        Raises:
            OSError: the disk is full.
        """
        segment = event.segment
        line = {"event": event.kind, "cell": segment.cell, "seed": segment.seed, "rung": segment.rung}
        if event.kind == "ended":
            loss = event.loss if math.isfinite(event.loss) else None
            line |= {"loss": loss, "seconds": round(event.seconds, 3), "steps": event.steps, "error": event.error}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[Event]:
        """All events, in order.

        Raises:
            SweepError: a line is not as it was written.
        """
        return list(self._events()) if self._path.exists() else []

    def _events(self) -> Iterator[Event]:
        for number, text in enumerate(self._path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                line = json.loads(text)
                segment = Segment(line["cell"], line["seed"], line["rung"])
                if line["event"] == "begun":
                    yield Event("begun", segment)
                else:
                    loss = math.inf if line["loss"] is None else line["loss"]
                    yield Event("ended", segment, loss, line["seconds"], line["steps"], line["error"])
            except (ValueError, KeyError, TypeError) as error:
                where = f"{self._path}:{number}"
                raise SweepError(f"{where}: no line of a ledger ({error!r}); remove it, or use --restart") from None
