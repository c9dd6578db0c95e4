"""Decision gates: what follows a phase, from the pass rate that it reached on held-out apps.

Pure functions of a run's summary; which command carries a decision out is the job's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cetd.evaluation.scores import mean

# Decimals of a pass rate that decide: (0.55 + 0.65) / 2 is on the boundary 0.6, and in binary a little above it.
_DECIMALS = 9


class Decision(StrEnum):
    """What follows."""

    FIX_THE_DATA = "fix the data"
    GATHER_MORE_DATA = "gather more data"
    SCALE_TO_3B = "scale to 3B"
    STAY = "stay"
    SCALING_IS_OPTIONAL = "scaling to 5B is optional"
    SCALE_TO_5B = "scale to 5B"


@dataclass(frozen=True)
class Gate:
    """Two thresholds between three decisions; a pass rate on a threshold is ``between``."""

    low: float
    high: float
    below: Decision
    between: Decision
    above: Decision

    def decide(self, pass_rate: float) -> Decision:
        """The decision for a pass rate (0 to 1): ``below`` under ``low``, ``above`` over ``high``, else ``between``."""
        rounded = round(pass_rate, _DECIMALS)
        if rounded < self.low:
            return self.below
        return self.above if rounded > self.high else self.between


_TO_3B = Gate(0.50, 0.60, Decision.FIX_THE_DATA, Decision.GATHER_MORE_DATA, Decision.SCALE_TO_3B)
_TO_5B = Gate(0.65, 0.70, Decision.STAY, Decision.SCALING_IS_OPTIONAL, Decision.SCALE_TO_5B)
_GATES = {1: _TO_3B, 2: _TO_3B, 3: _TO_5B}


def gate_after(phase: int) -> Gate:
    """The gate behind a phase.

    Raises:
        ValueError: none stands there.
    """
    if phase not in _GATES:
        raise ValueError(f"phase={phase}: no gate follows it; gates follow phases {', '.join(map(str, _GATES))}")
    return _GATES[phase]


def gate_pass_rate(summary: Mapping[str, Any]) -> float:
    """The figure that decides: the mean over LLMs of the held-out pass rate (0 to 1) after the run.

    An LLM that has none, because all its reconstructions were unscored, leaves the mean.

    Raises:
        ValueError: the summary has no such figures.
    """
    try:
        figure = mean(rates["after"] for rates in summary["pass_rate"].values())
    except (KeyError, TypeError, AttributeError):
        raise ValueError("pass_rate: expected {LLM: {before, after}} in the summary") from None
    if figure is None:
        raise ValueError("pass_rate: no LLM has a figure after the run; all reconstructions were unscored")
    return figure
