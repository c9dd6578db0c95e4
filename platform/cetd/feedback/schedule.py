"""Which iteration is generated, trained on or dropped next: the staleness bound as a state machine.

Promises: at most ``max_staleness + 1`` iterations are between dispatch and the end of their update, so that
``max_staleness = 0`` is the synchronous mode; every iteration ends exactly once, trained or dropped; a rollout
trained on is at most ``max_staleness`` versions old. Owns no task, no clock and no rollout: numbers in, decision out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Decision:
    """What to do with an iteration whose rollouts have arrived."""

    iteration: int
    action: Literal["train", "drop"]
    staleness: int


class Schedule:
    """Iterations 0 … ``iterations`` - 1, of which ``ended`` are behind us and ``version`` updates were made."""

    def __init__(self, iterations: int, max_staleness: int, version: int = 0, ended: Iterable[int] = ()) -> None:
        self.iterations = iterations
        self.max_staleness = max_staleness
        self.version = version
        self.ended = set(ended)
        self._in_flight: dict[int, int] = {}  # iteration -> policy version of its rollouts
        self._arrived: set[int] = set()
        self._updating: int | None = None

    @property
    def finished(self) -> bool:
        return len(self.ended) == self.iterations

    @property
    def ended_before(self) -> int:
        """All iterations below this one have ended."""
        return next((i for i in range(self.iterations) if i not in self.ended), self.iterations)

    def dispatch(self) -> int | None:
        """The next iteration to generate, now in flight at the current version; None under back-pressure."""
        if len(self._in_flight) > self.max_staleness:
            return None
        for iteration in range(self.ended_before, self.iterations):
            if iteration not in self.ended and iteration not in self._in_flight:
                self._in_flight[iteration] = self.version
                return iteration
        return None

    def restore(self, iteration: int, version: int) -> None:
        """Rollouts of a version that were complete before the run was interrupted are at hand again."""
        assert iteration not in self.ended
        assert version <= self.version
        self._in_flight[iteration] = version
        self._arrived.add(iteration)

    def arrive(self, iteration: int) -> None:
        """All rollouts of a dispatched iteration are complete."""
        assert iteration in self._in_flight
        self._arrived.add(iteration)

    def decide(self) -> Decision | None:
        """Train on the oldest arrived iteration, or drop it where it is too old; None while an update runs.

        A caller that finds nothing to train on in a rollout may carry out a drop instead.
        """
        if self._updating is not None or not self._arrived:
            return None
        iteration = min(self._arrived)
        staleness = self.version - self._in_flight[iteration]
        if staleness > self.max_staleness:
            return Decision(iteration, "drop", staleness)
        return Decision(iteration, "train", staleness)

    def begin(self, decision: Decision) -> None:
        """The update of a decision to train has begun."""
        self._updating = decision.iteration

    def end(self, decision: Decision) -> None:
        """A decision was carried out; training on an iteration makes a new version."""
        if decision.action == "train":
            self._updating = None
            self.version += 1
        self._arrived.remove(decision.iteration)
        del self._in_flight[decision.iteration]
        self.ended.add(decision.iteration)

    def cursor(self) -> dict[str, object]:
        """What a checkpoint keeps; growth is bounded by the iterations in flight."""
        before = self.ended_before
        return {"version": self.version, "before": before, "beyond": sorted(i for i in self.ended if i >= before)}

    @classmethod
    def from_cursor(cls, cursor: dict, iterations: int, max_staleness: int) -> Schedule:
        ended = [*range(cursor["before"]), *cursor["beyond"]]
        return cls(iterations, max_staleness, cursor["version"], ended)
