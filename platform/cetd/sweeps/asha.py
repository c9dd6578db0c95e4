"""Asynchronous successive halving as a pure state machine: losses at rungs in, what to train next out.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", Algorithm 2, the variant that promotes: a
candidate rests at a rung until it is among the best 1/reduction of those that have reached it. A sweep is finite, so
one rule is added: when nothing is left to begin or to wait for, the best of the highest rung goes on, so that some
candidate always reaches the last one.
"""

from __future__ import annotations

import math


class Asha:
    """Rungs and who stands on them. Candidates are names; a loss that is not finite is a failure."""

    def __init__(self, rungs: int, reduction: int) -> None:
        self.reduction = reduction
        self.losses: list[dict[str, float]] = [{} for _ in range(rungs)]
        self.begun: list[set[str]] = [set() for _ in range(rungs)]

    def begin(self, candidate: str, rung: int) -> None:
        """``candidate`` is being trained up to ``rung``."""
        self.begun[rung].add(candidate)

    def record(self, candidate: str, rung: int, loss: float) -> None:
        """``candidate`` has come to ``rung`` with ``loss``."""
        self.losses[rung][candidate] = loss

    def promotion(self) -> tuple[str, int] | None:
        """A candidate and the rung that it is promoted to, the highest first; None where none may go on yet."""
        for rung in reversed(range(len(self.losses) - 1)):
            best = self._ranked(rung)[: len(self.losses[rung]) // self.reduction]
            for candidate in best:
                if candidate not in self.begun[rung + 1]:
                    return candidate, rung + 1
        return None

    def last_resort(self) -> tuple[str, int] | None:
        """When nothing else is left to do: the best of the highest rung that any has reached, unless it is the last."""
        reached = [rung for rung, losses in enumerate(self.losses) if any(map(math.isfinite, losses.values()))]
        if not reached or reached[-1] == len(self.losses) - 1:
            return None
        for candidate in self._ranked(reached[-1]):
            if candidate not in self.begun[reached[-1] + 1]:
                return candidate, reached[-1] + 1
        return None

    def _ranked(self, rung: int) -> list[str]:
        """Names break ties, so that a replay decides alike."""
        finite = [(loss, candidate) for candidate, loss in self.losses[rung].items() if math.isfinite(loss)]
        return [candidate for _, candidate in sorted(finite)]
