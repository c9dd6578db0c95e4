"""The health of one engine: starting, ready, degraded or dead, and when a dead one may be restarted.

A state machine with the clock passed in. A failure means dead; a request past its deadline means degraded, and
``DEGRADED_LIMIT`` of them in a row mean dead. Restarts wait ``backoff_s``, doubled by each failure in a row up to
``max_backoff_s``; a completed request ends the row.
"""

from __future__ import annotations

from enum import StrEnum

from cetd.config import EngineLimits

DEGRADED_LIMIT = 3


class EngineState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    DEAD = "dead"


class EngineHealth:
    """Events in, state out. Times are seconds of any one monotonic clock."""

    def __init__(self, limits: EngineLimits) -> None:
        self._limits = limits
        self._failures_in_row = 0
        self._timeouts_in_row = 0
        self.state = EngineState.STARTING
        self.reason = ""
        self.restarts = 0
        self.restart_at = 0.0

    @property
    def serving(self) -> bool:
        return self.state in (EngineState.READY, EngineState.DEGRADED)

    def starting(self) -> None:
        self.restarts += self.state is EngineState.DEAD
        self.state = EngineState.STARTING

    def ready(self) -> None:
        self.state, self.reason = EngineState.READY, ""

    def completed(self) -> None:
        """A request was answered."""
        self._failures_in_row = self._timeouts_in_row = 0
        if self.state is EngineState.DEGRADED:
            self.ready()

    def timed_out(self, now: float) -> None:
        """A request passed its deadline."""
        self._timeouts_in_row += 1
        if self._timeouts_in_row >= DEGRADED_LIMIT:
            self.failed(now, f"{self._timeouts_in_row} requests in a row passed their deadline")
        elif self.serving:
            self.state, self.reason = EngineState.DEGRADED, "a request passed its deadline"

    def failed(self, now: float, reason: str) -> None:
        """The engine is gone. Saying so again of an engine known to be dead changes nothing."""
        if self.state is EngineState.DEAD:
            return
        wait = min(self._limits.backoff_s * 2**self._failures_in_row, self._limits.max_backoff_s)
        self._failures_in_row += 1
        self._timeouts_in_row = 0
        self.state, self.reason, self.restart_at = EngineState.DEAD, reason, now + wait
