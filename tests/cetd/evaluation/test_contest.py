"""Whether a candidate is better than what is live."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cetd.errors import InfrastructureError
from cetd.evaluation.contest import Contest, contest


def compared(live: Sequence[float | None], candidate: Sequence[float | None], needed: float = 0.95) -> Contest:
    return contest(dict(named(live)), dict(named(candidate)), needed)


def named(rewards: Sequence[float | None]) -> list[tuple[str, float | None]]:
    return [(f"app-{index}", reward) for index, reward in enumerate(rewards)]


def test_a_candidate_that_is_better_on_many_apps_wins() -> None:
    result = compared([0.0] * 20, [0.0] * 10 + [1.0] * 10)
    assert result.won
    assert (result.live, result.candidate, result.better, result.worse) == (0.0, 0.5, 10, 0)
    # Of ten coins all heads: 1/1024.
    assert result.confidence == pytest.approx(1 - 2**-10)


def test_the_test_is_exact_on_few_apps() -> None:
    # Sums of four signs that come to at least the one that was seen, 4 - 1: those with at most the last one minus.
    assert compared([0.0] * 4, [1.0, 1.0, 1.0, -0.5]).confidence == pytest.approx(1 - 2 / 16)


def test_luck_does_not_win() -> None:
    result = compared([0.0] * 20, [1.0] * 6 + [-1.0] * 3 + [0.0] * 11)
    assert result.candidate > result.live
    # Nine coins, at least six heads: 130/512.
    assert result.confidence == pytest.approx(1 - 130 / 512)
    assert not result.won


def test_the_same_model_does_not_win() -> None:
    result = compared([0.5, 0.7], [0.5, 0.7])
    assert (result.won, result.confidence, result.better, result.worse) == (False, 0.0, 0, 0)


def test_an_app_without_a_reward_leaves_both_means() -> None:
    result = compared([*[0.0] * 19, None], [*[1.0] * 19, 0.0])
    assert (result.apps, result.unscored, result.live, result.candidate) == (19, 1, 0.0, 1.0)


def test_with_too_many_such_apps_nothing_is_decided() -> None:
    with pytest.raises(InfrastructureError, match="2 of 10 held-out apps are without a reward"):
        compared([None, *[0.0] * 9], [*[1.0] * 9, None])
    with pytest.raises(InfrastructureError, match="0 of 0"):
        compared([], [])


def test_other_apps_are_refused() -> None:
    with pytest.raises(ValueError, match="2 apps were measured on one side only"):
        contest({"a": 1.0}, {"b": 1.0}, 0.95)


pairs = st.lists(st.tuples(st.floats(-1, 1, width=16), st.floats(-1, 1, width=16)), min_size=1, max_size=12)


@given(pairs)
def test_of_two_models_at_most_one_wins(rewards: list[tuple[float, float]]) -> None:
    one, other = [list(column) for column in zip(*rewards, strict=True)]
    forth, back = compared(one, other, 0.6), compared(other, one, 0.6)
    assert not (forth.won and back.won)
    assert 0 <= forth.confidence < 1
    assert (forth.better, forth.worse) == (back.worse, back.better)
    if forth.won:
        assert forth.candidate > forth.live
