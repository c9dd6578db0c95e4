"""Which piece of work is next: cells are proposed, their seeds trained to a rung, and the better ones promoted.

Pure: events in, segments out. A sweep that was killed is replayed from its ledger, and every rung stands as it stood.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean

from cetd.sweeps.asha import Asha
from cetd.sweeps.cells import Segment
from cetd.sweeps.ledger import Event

# The losses of each cell tried, by rung, to the next cell; None when there is none left.
Propose = Callable[[Mapping[str, list[float]]], str | None]


class Schedule:
    """Hands out segments; a cell stands on a rung with the mean loss of its seeds."""

    def __init__(self, rungs: int, reduction: int, seeds: int, propose: Propose) -> None:
        self.asha = Asha(rungs, reduction)
        self.running: set[Segment] = set()
        self.ended: dict[Segment, float] = {}
        self._seeds, self._propose = seeds, propose
        self._waiting: deque[Segment] = deque()

    def next(self) -> Segment | None:
        """The next segment, which counts as running from now on; None where there is none, at the moment or at all."""
        if not self._waiting:
            self._choose()
        if not self._waiting:
            return None
        segment = self._waiting.popleft()
        self.running.add(segment)
        return segment

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing is left to begin."""
        if not self._waiting and not self.running:
            self._choose()
        return not self._waiting and not self.running

    def end(self, segment: Segment, loss: float) -> None:
        """A segment has ended; with infinity where it failed."""
        self.running.discard(segment)
        self.ended[segment] = loss
        cell, rung = segment.cell, segment.rung
        seeds = self._seeds_at(cell, rung)
        losses = [self.ended[one] for one in seeds if one in self.ended]
        if len(losses) == len(seeds):
            finite = [loss for loss in losses if math.isfinite(loss)]
            self.asha.record(cell, rung, fmean(finite) if finite else math.inf)

    def replay(self, events: Iterable[Event]) -> None:
        """Come to where a ledger's sweep stood; what had begun and not ended is handed out first."""
        begun: dict[Segment, None] = {}
        for event in events:
            segment = event.segment
            if segment.cell not in self.asha.begun[segment.rung]:
                self._begin(segment.cell, segment.rung)
            if segment in self._waiting:
                self._waiting.remove(segment)
            if event.kind == "begun":
                begun[segment] = None
                self.running.add(segment)
            else:
                begun.pop(segment, None)
                self.end(segment, event.loss)
        self.running.clear()
        self._waiting.extendleft(reversed(begun))

    def _choose(self) -> None:
        """A new candidate, else a promotion.

        Algorithm 2's get_job asks the other way round, because its candidates have no end. Here they have, and a
        promotion among the first few is a third of a rung's tokens for a cell that the others would have beaten.
        """
        cell = self._propose(self._history())
        chosen = (cell, 0) if cell is not None else self.asha.promotion()
        if chosen is None and not self.running:
            chosen = self.asha.last_resort()
        if chosen:
            self._begin(*chosen)

    def _begin(self, cell: str, rung: int) -> None:
        self._waiting.extend(self._seeds_at(cell, rung))
        self.asha.begin(cell, rung)

    def _seeds_at(self, cell: str, rung: int) -> list[Segment]:
        """A seed that failed goes no further."""
        return [
            Segment(cell, seed, rung)
            for seed in range(self._seeds)
            if rung == 0 or math.isfinite(self.ended.get(Segment(cell, seed, rung - 1), math.inf))
        ]

    def _history(self) -> dict[str, list[float]]:
        """Losses by rung of every cell that was begun."""
        return {
            cell: [losses[cell] for losses in self.asha.losses if cell in losses] for cell in sorted(self.asha.begun[0])
        }
