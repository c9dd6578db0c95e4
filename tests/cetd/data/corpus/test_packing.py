"""Every token has one place in the rows, and documents stay whole where they can."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cetd.data.corpus.packing import packed, pieces


@given(st.lists(st.lists(st.integers(3, 99), max_size=16), max_size=30))
def test_rows_hold_each_document_once_and_in_one_piece(documents: list[list[int]]) -> None:
    rows = packed(documents, 16)
    found = []
    for tokens, segments in zip(rows["token_ids"].to_pylist(), rows["segment_ids"].to_pylist(), strict=True):
        filled = [segment for segment in segments if segment]
        assert segments == [*filled, *[0] * (16 - len(filled))]
        assert filled == sorted(filled)
        assert set(filled) == set(range(1, max(filled) + 1))
        found += [
            [token for token, segment in zip(tokens, segments, strict=True) if segment == number]
            for number in sorted(set(filled))
        ]
    assert sorted(found) == sorted(document for document in documents if document)


@given(st.lists(st.integers(1, 16), min_size=1, max_size=60))
def test_no_two_rows_would_fit_into_one(lengths: list[int]) -> None:
    rows = packed([[7] * length for length in lengths], 16)
    used = sorted(sum(1 for segment in row if segment) for row in rows["segment_ids"].to_pylist())
    assert len(used) < 2 or used[0] + used[1] > 16


@given(st.lists(st.integers(), max_size=50), st.integers(1, 10))
def test_pieces_are_the_whole(ids: list[int], length: int) -> None:
    cut = pieces(ids, length)
    assert [one for piece in cut for one in piece] == ids
    assert all(1 <= len(piece) <= length for piece in cut)
