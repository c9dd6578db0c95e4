"""Which documents are copies of earlier ones, and which repositories share copies.

Candidates come from the bands of MinHash signatures (LSH; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets,
section 3.4), pairs are then decided by the signatures' agreement, an estimate of the Jaccard similarity. Bands are
looked at one after the other, so the memory needed beside the signatures is 16 bytes per document. Bands and signatures
come from datasketch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from datasketch import MinHashLSH

# Repositories that share documents this similar stand on the same side of the split, though both documents are kept.
LINK_THRESHOLD = 0.5
_EXACT, _NEAR = "exact copy", "near copy"


@dataclass(frozen=True)
class Decisions:
    """``reasons`` (documents): why each is dropped, or None; ``groups`` (documents): equal numbers stay together."""

    reasons: list[str | None]
    groups: np.ndarray


class Sets:
    """Disjoint sets of numbers; the least member stands for its set."""

    def __init__(self, size: int) -> None:
        self._parent = np.arange(size)

    def find(self, member: int) -> int:
        root = member
        while self._parent[root] != root:
            root = int(self._parent[root])
        while self._parent[member] != root:
            self._parent[member], member = root, int(self._parent[member])
        return root

    def join(self, one: int, other: int) -> None:
        least, greatest = sorted((self.find(one), self.find(other)))
        self._parent[greatest] = least

    def roots(self) -> np.ndarray:
        return np.array([self.find(member) for member in range(len(self._parent))], dtype=np.int64)


def decide(exact: np.ndarray, signatures: np.ndarray, repositories: np.ndarray, threshold: float) -> Decisions:
    """Keep the first document of each set of copies.

    Args:
        exact: (documents,) hashes; equal ones are exact copies.
        signatures: (documents, permutations) MinHash values.
        repositories: (documents,) numbers of repositories.
        threshold: Jaccard similarity from which documents are near copies.
    """
    _, first_of, same = np.unique(exact, return_index=True, return_inverse=True)
    firsts = first_of[same]
    copies = Sets(len(exact))
    linked = Sets(int(repositories.max()) + 1 if len(repositories) else 0)
    for document, first in enumerate(firsts):
        if document != first:
            copies.join(int(first), document)
            linked.join(int(repositories[first]), int(repositories[document]))
    distinct = np.unique(firsts)
    for one, other in _candidates(signatures, distinct, min(threshold, LINK_THRESHOLD)):
        if copies.find(one) == copies.find(other):
            continue
        alike = float(np.mean(signatures[one] == signatures[other]))
        if alike >= threshold:
            copies.join(one, other)
        if alike >= min(threshold, LINK_THRESHOLD):
            linked.join(int(repositories[one]), int(repositories[other]))
    roots = copies.roots()
    reasons = [
        None if root == document else _EXACT if first != document else _NEAR
        for document, (root, first) in enumerate(zip(roots, firsts, strict=True))
    ]
    return Decisions(reasons, linked.roots()[repositories] if len(repositories) else np.zeros(0, np.int64))


def _candidates(signatures: np.ndarray, documents: np.ndarray, threshold: float) -> Iterator[tuple[int, int]]:
    """Pairs of ``documents`` that agree in a band: each with the first of its bucket, and with the one before it."""
    lsh = MinHashLSH(threshold=threshold, num_perm=signatures.shape[1])
    for band in range(lsh.b):
        rows = np.ascontiguousarray(signatures[documents, band * lsh.r : (band + 1) * lsh.r])
        keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * lsh.r))).ravel()
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        for start, stop in zip(starts, np.r_[starts[1:], len(ordered)], strict=True):
            bucket = documents[order[start:stop]]
            for place in range(1, len(bucket)):
                for other in {int(bucket[0]), int(bucket[place - 1])}:
                    yield other, int(bucket[place])
