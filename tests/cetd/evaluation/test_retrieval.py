from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.evaluation.retrieval import NONE, Ranking, by_place, figures, threshold

SCORES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=5).map(tuple)


@st.composite
def rankings(draw: st.DrawFn) -> Ranking:
    scores = draw(SCORES)
    return Ranking(draw(st.integers(-1, len(scores) - 1)), scores, draw(st.integers(-4, 4)) + 0.5)


def test_figures_are_those_computed_by_hand() -> None:
    rows = [
        Ranking(0, (3.0, 1.0), 2.0),  # right
        Ranking(1, (3.0, 1.0), 2.0),  # third: behind a candidate and none
        Ranking(1, (1.0, 3.0), 4.0),  # none said; second
        Ranking(NONE, (1.0, 0.5), 2.0),  # none said, rightly
        Ranking(NONE, (3.0, 2.5), 2.0),  # third
    ]
    found = figures(rows)
    assert found.rows == 5
    assert found.accuracy == pytest.approx(2 / 5)
    assert found.mrr == pytest.approx((1 + 1 / 3 + 1 / 2 + 1 + 1 / 3) / 5)
    assert found.candidate_accuracy == pytest.approx(2 / 3)
    assert found.candidate_mrr == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert found.none_precision == pytest.approx(1 / 2)
    assert found.none_recall == pytest.approx(1 / 2)


def test_what_there_is_no_row_for_has_no_figure() -> None:
    found = figures([Ranking(0, (1.0,), 0.0)])
    assert (found.none_precision, found.none_recall) == (None, None)
    assert figures([]).accuracy is None
    assert figures([Ranking(NONE, (1.0,), 0.0)]).candidate_mrr is None


@given(rankings())
def test_the_answer_is_right_where_the_truth_ranks_first(one: Ranking) -> None:
    assert (one.answer == one.label) == (one.rank == 1)
    assert 1 <= one.rank <= len(one.scores) + 1
    if one.label != NONE:
        assert one.candidate_rank <= one.rank <= one.candidate_rank + 1


@given(SCORES, st.integers(-4, 4))
def test_ranks_of_all_answers_are_a_ranking(scores: tuple[float, ...], none_score: int) -> None:
    ranks = [Ranking(label, scores, none_score + 0.5).rank for label in range(-1, len(scores))]
    assert sorted(ranks) == list(range(1, len(scores) + 2))


@given(st.lists(rankings(), min_size=1, max_size=12))
def test_the_threshold_is_the_best_one(rows: list[Ranking]) -> None:
    labels, scores = [one.label for one in rows], [one.scores for one in rows]

    def right(level: float) -> int:
        return sum(Ranking(label, one, level).answer == label for label, one in zip(labels, scores, strict=True))

    assert right(threshold(labels, scores)) == max(right(level) for level in (-math.inf, *(max(one) for one in scores)))


def test_the_threshold_that_parts_them_is_found() -> None:
    assert threshold([0, NONE, 0, NONE], [(5.0, 1.0), (2.0, 1.0), (6.0, 0.0), (1.0, 1.0)]) == 2.0
    assert threshold([0], [(5.0,)]) == -math.inf
    with pytest.raises(ValueError, match="rows: none were given"):
        threshold([], [])


def test_rows_are_told_apart_by_the_place_of_the_truth() -> None:
    rows = [Ranking(label, (3.0, 2.0, 1.0), 0.0) for label in (0, 1, 2, NONE, 0)]
    assert {place: len(group) for place, group in by_place(rows).items()} == {
        "first": 2,
        "further down": 1,
        "last": 1,
        "nowhere": 1,
    }
