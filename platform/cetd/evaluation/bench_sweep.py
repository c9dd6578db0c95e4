"""Whether successive halving finds the full grid's best cell, and for which share of its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cetd.sweeps.ranking import ranked
from cetd.sweeps.results import Row

# At most this share of the grid's tokens.
ALLOWED = 1 / 3


def compare(grid: Sequence[Row], halved: Sequence[Row]) -> dict[str, Any]:
    """Hold a sweep by halving against the full grid of the same cells, seeds and token budget.

    Returns:
        The best cell of each with its losses in the full grid; ``gap``, by how much the mean loss of halving's cell is
        above that of the grid's; ``spread``, the standard deviation over seeds of the grid's best; ``found``, whether
        the gap is within it; tokens and seconds of both and the ratio of tokens, ``cheap`` where it is allowed.

    Raises:
        ValueError: one of them has no losses, or halving's best cell failed in the grid.
    """
    standings = {one.cell: one for one in ranked(grid)}
    if not standings or not (chosen := ranked(halved)) or chosen[0].cell not in standings:
        raise ValueError(
            "bench sweep: the best cells cannot be compared, as trials failed; see results.parquet of both"
        )
    best, found = next(iter(standings.values())), standings[chosen[0].cell]
    tokens = {name: sum(row.tokens for row in rows) for name, rows in (("grid", grid), ("asha", halved))}
    seconds = {name: sum(row.seconds for row in rows) for name, rows in (("grid", grid), ("asha", halved))}
    gap, spread, ratio = found.mean - best.mean, best.spread or 0.0, tokens["asha"] / tokens["grid"]
    return {
        "grid_best": {"cell": best.cell, "losses": best.losses[-1]},
        "asha_best": {"cell": found.cell, "losses": found.losses[-1]},
        "rank": list(standings).index(found.cell) + 1,
        "gap": gap,
        "spread": spread,
        "found": gap <= spread,
        "tokens": tokens,
        "seconds": seconds,
        "ratio": ratio,
        "cheap": ratio <= ALLOWED,
        "means": {cell: one.mean for cell, one in standings.items()},
    }
