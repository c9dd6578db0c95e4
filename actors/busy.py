"""When a worker of a stage was at work: what the stages' busy shares and the loop's efficiency are made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Busy:
    """An interval of wall-clock seconds since the epoch, comparable between processes of one machine."""

    stage: str
    worker: str
    start: float = 0.0
    end: float = 0.0


@contextmanager
def busy(stage: str, worker: str) -> Iterator[Busy]:
    """Time the body."""
    interval = Busy(stage, worker, time.time())
    try:
        yield interval
    finally:
        interval.end = time.time()
