"""Rearranged documents say where their parts are, and lose nothing."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cetd.data.corpus.fim import EXTRA, FimIds, rearranged

MARKS = FimIds(prefix=3, middle=4, suffix=5)


def restored(ids: list[int], order: str) -> list[int]:
    middle = ids.index(MARKS.middle) if order != "as is" else 0
    match order:
        case "psm":
            suffix = ids.index(MARKS.suffix)
            return [*ids[1:suffix], *ids[middle + 1 :], *ids[suffix + 1 : middle]]
        case "spm":
            return [*ids[middle + 1 :], *ids[2:middle]]
    return ids


@given(st.lists(st.integers(10, 99), max_size=40), st.integers(), st.floats(0, 1), st.floats(0, 1))
def test_a_document_can_be_put_together_again(ids: list[int], seed: int, fim_rate: float, spm_rate: float) -> None:
    changed, order = rearranged(ids, MARKS, fim_rate, spm_rate, seed)
    assert restored(changed, order) == ids
    assert len(changed) == len(ids) + (EXTRA if order != "as is" else 0)


def test_rates_are_kept() -> None:
    orders = Counter(rearranged(range(10, 50), MARKS, 0.5, 0.25, seed)[1] for seed in range(4000))
    assert abs(orders["as is"] - 2000) < 150
    assert abs(orders["spm"] - 500) < 100


def test_the_same_seed_makes_the_same_cuts() -> None:
    assert rearranged(range(10, 50), MARKS, 1.0, 0.5, 7) == rearranged(range(10, 50), MARKS, 1.0, 0.5, 7)
