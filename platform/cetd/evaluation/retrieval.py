"""How well relevant sections are found: accuracy@1, MRR, and "none of these" precision and recall, of any ranking.

A ranking gives every candidate a score, and "none of these" one too: what scores highest is the answer. The score of
"none of these" is a threshold, chosen on training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

NONE = -1


@dataclass(frozen=True)
class Ranking:
    """A row: its true candidate (-1: none of them), the candidates' scores, and that of "none of these"."""

    label: int
    scores: tuple[float, ...]
    none_score: float

    @property
    def answer(self) -> int:
        """The index of the highest score, the first of equals; -1 where none is above that of "none of these"."""
        best = max(range(len(self.scores)), key=lambda index: self.scores[index], default=NONE)
        return best if best != NONE and self.scores[best] > self.none_score else NONE

    @property
    def rank(self) -> int:
        """1 for the best: the place of the truth among candidates and "none of these". Before what scores as much
        stand the candidates that come before it, and all of them before "none of these" where they score more."""
        if self.label == NONE:
            return 1 + sum(score > self.none_score for score in self.scores)
        return self.candidate_rank + (self.none_score >= self.scores[self.label])

    @property
    def candidate_rank(self) -> int:
        """The place of the true candidate among the candidates alone."""
        own = self.scores[self.label]
        before = sum(score >= own for score in self.scores[: self.label])
        return 1 + before + sum(score > own for score in self.scores[self.label + 1 :])


@dataclass(frozen=True)
class RetrievalFigures:
    """Shares of rows, 0 to 1; None where there is no row to take a share of.

    ``accuracy``: the answer is the truth. ``mrr``: mean of 1 / rank of the truth (Voorhees 1999), "none of these" being
    one of the ranked. ``candidate_accuracy`` and ``candidate_mrr``: the same on rows with a true candidate, among the
    candidates alone. ``none_precision``: of rows answered "none of these", those where it is true; ``none_recall``: of
    rows where it is true, those so answered.
    """

    rows: int
    accuracy: float | None
    mrr: float | None
    candidate_accuracy: float | None
    candidate_mrr: float | None
    none_precision: float | None
    none_recall: float | None


def figures(rankings: Sequence[Ranking]) -> RetrievalFigures:
    """The figures of a ranker over rows."""
    answered = [one for one in rankings if one.answer == NONE]
    nowhere = [one for one in rankings if one.label == NONE]
    there = [one for one in rankings if one.label != NONE]
    return RetrievalFigures(
        rows=len(rankings),
        accuracy=_mean([one.answer == one.label for one in rankings]),
        mrr=_mean([1 / one.rank for one in rankings]),
        candidate_accuracy=_mean([one.candidate_rank == 1 for one in there]),
        candidate_mrr=_mean([1 / one.candidate_rank for one in there]),
        none_precision=_mean([one.label == NONE for one in answered]),
        none_recall=_mean([one.answer == NONE for one in nowhere]),
    )


def threshold(labels: Sequence[int], scores: Sequence[Sequence[float]]) -> float:
    """The score of "none of these" at which a ranking by ``scores`` has most rows right; minus infinity: never said.

    Raises:
        ValueError: no rows.
    """
    if not labels:
        raise ValueError("rows: none were given; a threshold is chosen on training rows")
    best = np.array([max(one) for one in scores])
    right = np.array([int(np.argmax(one)) == label for label, one in zip(labels, scores, strict=True)])
    nowhere = np.array([label == NONE for label in labels])
    order = np.argsort(best, kind="stable")
    # Rows up to a place in this order are answered "none of these", those behind it with their best candidate.
    gained = np.concatenate([[0], np.cumsum(nowhere[order].astype(int) - right[order])])
    ends = np.concatenate([[True], best[order][1:] != best[order][:-1], [True]])  # equal scores stand on one side
    place = int(np.argmax(np.where(ends, gained, -len(labels) - 1)))
    return float(best[order][place - 1]) if place else -np.inf


def by_place(rankings: Sequence[Ranking]) -> dict[str, list[Ranking]]:
    """Rows by where BM25, whose order the candidates are in, has the truth: first, further down, last, or nowhere.

    Phase 1 puts a true section that BM25 does not find among the best into the last place.
    """
    groups: dict[str, Callable[[Ranking], bool]] = {
        "first": lambda one: one.label == 0,
        "further down": lambda one: 0 < one.label < len(one.scores) - 1,
        "last": lambda one: 0 < one.label == len(one.scores) - 1,
        "nowhere": lambda one: one.label == NONE,
    }
    return {name: [one for one in rankings if fits(one)] for name, fits in groups.items()}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
