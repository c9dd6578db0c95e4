"""Copies go, their first stays, and repositories that share copies are linked."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.config.data import DeduplicationConfig
from cetd.data.corpus.deduplication import decide
from cetd.data.corpus.fingerprints import fingerprints
from tests.cetd.data.corpus.tables import documents

CONFIG = DeduplicationConfig()


def text_of(seed: int, words: int = 300) -> str:
    rng = np.random.default_rng(seed)
    return " ".join(f"word{number}" for number in rng.integers(0, 10_000, words))


def decided(texts: list[str], repositories: list[int], threshold: float = 0.8) -> tuple[list[str | None], list[int]]:
    table = fingerprints(documents(texts), CONFIG)
    exact = np.frombuffer(b"".join(table["exact"].to_pylist()), "V16")
    signatures = np.array(table["signature"].to_pylist(), np.uint32)
    found = decide(exact, signatures, np.array(repositories), threshold)
    return found.reasons, found.groups.tolist()


def edited(text: str, words: int) -> str:
    """``text`` with some of its words replaced, evenly spread."""
    parts = text.split()
    for place in range(0, len(parts), len(parts) // words):
        parts[place] = "edited"
    return " ".join(parts)


def test_exact_copies_are_those_with_the_same_words_whatever_their_spacing() -> None:
    reasons, _ = decided([text_of(1), text_of(2), text_of(1).replace(" ", "\n   ")], [0, 1, 2])
    assert reasons == [None, None, "exact copy"]


def test_near_copies_go_and_others_stay() -> None:
    reasons, _ = decided([text_of(1), edited(text_of(1), 5), edited(text_of(1), 60), text_of(2)], [0, 1, 2, 3])
    assert reasons == [None, "near copy", None, None]


def test_repositories_with_similar_documents_are_linked_though_both_stay() -> None:
    reasons, groups = decided([text_of(1), edited(text_of(1), 12), text_of(3)], [0, 1, 2], threshold=0.95)
    assert reasons == [None, None, None]
    assert groups[0] == groups[1] != groups[2]


def test_signatures_estimate_the_similarity_of_shingles() -> None:
    table = fingerprints(documents([text_of(1, 2000), edited(text_of(1, 2000), 40)]), CONFIG)
    one, other = np.array(table["signature"].to_pylist())
    # 40 edits take five shingles each out of 1996, and bring as many.
    assert abs(np.mean(one == other) - (1996 - 200) / (1996 + 200)) < 0.12


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=12))
def test_one_document_of_each_text_stays_and_no_copy_crosses_groups(drawn: list[tuple[int, int]]) -> None:
    texts, repositories = [text_of(text, 50) for text, _ in drawn], [repository for _, repository in drawn]
    reasons, groups = decided(texts, repositories)
    kept = [text for text, reason in zip(texts, reasons, strict=True) if reason is None]
    assert sorted(kept) == sorted(set(texts))
    for one, first in zip(texts, groups, strict=True):
        assert {group for text, group in zip(texts, groups, strict=True) if text == one} == {first}


def test_a_corpus_of_nothing_has_nothing_to_decide() -> None:
    found = decide(np.empty(0, "V16"), np.empty((0, 128), np.uint32), np.empty(0, np.int64), 0.8)
    assert (found.reasons, found.groups.tolist()) == ([], [])
