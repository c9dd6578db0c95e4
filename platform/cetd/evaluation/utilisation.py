"""How busy the loop's stages were, from intervals of work, and so how much of the wall time was needed.

A stage is busy while at least one of its workers is: overlapping intervals count once. Pure: intervals go in, in any
order and late if need be, seconds come out. All times are seconds of one clock, whichever the caller uses.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import inf

STAGES = ("generate", "reconstruct", "test", "update")


class StageClock:
    """Intervals of work per stage, merged as they come.

    Adding costs O(log n) where intervals arrive roughly in the order in which they end (else a list insertion more);
    n is the number of merged intervals, which is far below the number of added ones.
    """

    def __init__(self, stages: tuple[str, ...] = STAGES) -> None:
        self._starts: dict[str, list[float]] = {stage: [] for stage in stages}
        self._ends: dict[str, list[float]] = {stage: [] for stage in stages}
        self._worker_seconds: dict[str, dict[str, float]] = {stage: {} for stage in stages}

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(self._starts)

    def add(self, stage: str, worker: str, start: float, end: float) -> None:
        """Count an interval of work; touching and overlapping ones of a stage become one.

        Raises:
            ValueError: the stage is unknown, or the interval ends before it starts.
        """
        starts, ends = self._intervals(stage)
        if not start <= end:
            raise ValueError(f"{stage}: interval {start} to {end} must not end before it starts")
        seconds = self._worker_seconds[stage]
        seconds[worker] = seconds.get(worker, 0.0) + end - start
        # Intervals first … last - 1 touch the new one: they end at its start or later, and start at its end or earlier.
        first, last = bisect_left(ends, start), bisect_right(starts, end)
        if first < last:
            start, end = min(start, starts[first]), max(end, ends[last - 1])
        starts[first:last], ends[first:last] = [start], [end]

    def busy_seconds(self, stage: str, since: float = -inf, until: float = inf) -> float:
        """Seconds within the window in which at least one worker of the stage was at work."""
        starts, ends = self._intervals(stage)
        first, last = bisect_right(ends, since), bisect_left(starts, until)
        return sum(
            min(end, until) - max(start, since) for start, end in zip(starts[first:last], ends[first:last], strict=True)
        )

    def worker_seconds(self, stage: str) -> dict[str, float]:
        """Seconds of work by worker; concurrent intervals of one worker count each."""
        self._intervals(stage)
        return dict(self._worker_seconds[stage])

    def shares(self, wall: float, since: float = -inf, until: float = inf) -> dict[str, float]:
        """Busy seconds of each stage within the window, divided by ``wall`` seconds; 0 where ``wall`` is 0."""
        return {stage: self.busy_seconds(stage, since, until) / wall if wall > 0 else 0.0 for stage in self.stages}

    def efficiency(self, wall: float, since: float = -inf, until: float = inf) -> float:
        """Busy time of the busiest stage / wall time: 1 where the bottleneck never waits for the others.

        For the steady state give the window from the first iteration that counts, and ``wall = until - since``.
        """
        return max(self.shares(wall, since, until).values(), default=0.0)

    def _intervals(self, stage: str) -> tuple[list[float], list[float]]:
        if stage not in self._starts:
            raise ValueError(f"stage={stage!r}: known stages are {', '.join(self._starts)}")
        return self._starts[stage], self._ends[stage]
