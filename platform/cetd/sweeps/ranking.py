"""Cells in order, and with what confidence the first differs from the second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from cetd.sweeps.results import Row


@dataclass(frozen=True)
class Standing:
    """A cell: the highest rung that it came to, and its seeds' losses there and at each rung below.

    ``losses[rung]`` are by seed; a seed that failed is missing.
    """

    cell: str
    losses: tuple[tuple[float, ...], ...]
    rows: tuple[Row, ...]

    @property
    def rung(self) -> int:
        return len(self.losses) - 1

    @property
    def mean(self) -> float:
        """At the highest rung."""
        return fmean(self.losses[-1])

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds at the highest rung; None with one."""
        return stdev(self.losses[-1]) if len(self.losses[-1]) > 1 else None


def ranked(rows: Sequence[Row]) -> list[Standing]:
    """Cells that have a loss: those that came further first, then by their mean loss."""
    by_cell: dict[str, list[Row]] = {}
    for row in rows:
        by_cell.setdefault(row.cell, []).append(row)
    standings = []
    for cell, members in by_cell.items():
        reached = max((len(row.losses) for row in members), default=0)
        if reached:
            losses = tuple(
                tuple(row.losses[rung] for row in members if len(row.losses) > rung) for rung in range(reached)
            )
            standings.append(Standing(cell, losses, tuple(members)))
    return sorted(standings, key=lambda one: (-one.rung, one.mean, one.cell))


def confidence(first: Standing, second: Standing) -> float | None:
    """Confidence that ``first`` has the lower loss, at the highest rung that both have come to.

    1 - p of Welch's one-sided t-test over seeds (Welch 1947), which lets the cells' spreads differ; None where it says
    nothing: with fewer than two seeds of either, or without any spread.
    """
    rung = min(first.rung, second.rung)
    ours, theirs = first.losses[rung], second.losses[rung]
    if min(len(ours), len(theirs)) < 2 or (stdev(ours) == 0 == stdev(theirs)):
        return None
    import numpy as np
    from scipy import stats

    p = float(np.asarray(stats.ttest_ind(ours, theirs, equal_var=False, alternative="less"))[1])
    return None if math.isnan(p) else 1 - p
