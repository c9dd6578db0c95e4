"""Whether a candidate is better than the live model: rewards on the same apps, compared in pairs.

The question of phase 4's gate. A candidate that is as good, or that may be better by luck alone, does not win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from cetd.errors import InfrastructureError

# More apps than this without a reward on either side say nothing about the models.
MOST_UNSCORED = 0.1
_RESAMPLES = 9_999


@dataclass(frozen=True)
class Contest:
    """Mean rewards over the apps that both have one for, and the confidence that the candidate's is higher."""

    apps: int
    unscored: int
    live: float
    candidate: float
    better: int
    worse: int
    confidence: float
    needed: float

    @property
    def won(self) -> bool:
        """Whether the candidate may take the live model's place."""
        return self.candidate > self.live and self.confidence >= self.needed

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "won": self.won}


def contest(live: Mapping[str, float | None], candidate: Mapping[str, float | None], needed: float) -> Contest:
    """Compare rewards by app; None where infrastructure left an app without one.

    The confidence is 1 - p of a one-sided paired permutation test: under the hypothesis that the models are alike, the
    sign of each app's difference is a coin's (Fisher 1935, section 21). Exact where there are few apps, else of drawn
    signs, the same in every run.

    Raises:
        ValueError: the apps differ.
        InfrastructureError: too many apps have no reward.
    """
    if live.keys() != candidate.keys():
        raise ValueError(f"contest: {len(live.keys() ^ candidate.keys())} apps were measured on one side only")
    pairs = [
        (ours, theirs) for app, ours in live.items() if ours is not None and (theirs := candidate[app]) is not None
    ]
    unscored = len(live) - len(pairs)
    if not pairs or unscored > MOST_UNSCORED * len(live):
        raise InfrastructureError(
            f"contest: {unscored} of {len(live)} held-out apps are without a reward; mend the engines and run again"
        )
    differences = [theirs - ours for ours, theirs in pairs]
    return Contest(
        apps=len(pairs),
        unscored=unscored,
        live=fmean(ours for ours, _ in pairs),
        candidate=fmean(theirs for _, theirs in pairs),
        better=sum(one > 0 for one in differences),
        worse=sum(one < 0 for one in differences),
        confidence=_confidence(differences),
        needed=needed,
    )


def _confidence(differences: list[float]) -> float:
    moved = [one for one in differences if one]  # a sign makes no odds to the others
    if len(moved) < 2:  # of which SciPy asks for two
        return 0.5 if sum(moved) > 0 else 0.0
    import numpy as np
    from scipy import stats

    test = stats.permutation_test(
        (np.asarray(moved),),
        np.sum,
        permutation_type="samples",
        n_resamples=_RESAMPLES,
        alternative="greater",
        rng=np.random.default_rng(0),
        axis=0,
        vectorized=True,
    )
    return 1 - float(test.pvalue)
