"""BM25 over code: words of identifiers, so that "wrap the text" finds ``TextWrapper.wrap_text``."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import bm25s
import numpy as np

# It sets itself to tell every index that it builds.
logging.getLogger("bm25s").setLevel(logging.WARNING)

# Camel case ends a word before an upper letter that follows a lower one, or begins one after an acronym.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
# What says nothing about the subject.
# fmt: off
_STOP = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "do", "does", "for", "from", "function",
    "has", "have", "if", "in", "into", "is", "it", "its", "method", "class", "module", "may", "must", "no", "not",
    "of", "on", "or", "other", "shall", "should", "so", "such", "than", "that", "the", "their", "then", "there",
    "these", "they", "this", "to", "used", "using", "was", "when", "where", "whether", "which", "will", "with", "you",
    "your", "provide", "given", "def", "self", "none", "true", "false", "return", "returns",
})
# fmt: on


def words(text: str) -> list[str]:
    """Lower-case words of prose or code, identifiers split at underscores and camel case, stop words left out."""
    found = (match.lower() for match in _WORD.findall(text))
    return [_singular(word) for word in found if len(word) > 1 and word not in _STOP]


class Index:
    """BM25 (Robertson and Zaragoza 2009; Lucene's variant, k1 1.5, b 0.75) over texts.

    Raises:
        ValueError: no texts.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        if not texts:
            raise ValueError("texts: none were given; there is nothing to search")
        self._size = len(texts)
        corpus = [words(text) for text in texts]
        self._index = bm25s.BM25() if any(corpus) else None
        if self._index:
            self._index.index(corpus, show_progress=False)

    def scores(self, query: str) -> np.ndarray:
        """The score (texts,) of each text; all 0 where no word of the query occurs."""
        if self._index is None:
            return np.zeros(self._size, dtype=np.float32)
        known = [word for word in words(query) if word in self._index.vocab_dict]
        return self._index.get_scores(known) if known else np.zeros(self._size, dtype=np.float32)


def ranked(scores: np.ndarray) -> list[int]:
    """Indices from the highest score to the lowest, the first of equals first."""
    return np.argsort(-scores, kind="stable").tolist()


def _singular(word: str) -> str:
    """Strings are found by "string": a plural's ending goes, of long words only."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
