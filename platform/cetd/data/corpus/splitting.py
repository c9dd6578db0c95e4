"""Training or validation, by groups of repositories that share copies, so that none straddles the split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cetd.seeds import derive


def validation_repositories(
    repositories: Sequence[str], groups: Sequence[int], sizes: Sequence[int], share: float, seed: int
) -> set[str]:
    """Repositories for validation: whole groups in random order, as long as they fit into ``share`` of all text.

    Args:
        repositories: (documents,) names.
        groups: (documents,) numbers; documents of equal ones stay together.
        sizes: (documents,) bytes.

    The groups' order depends on the seed and their names alone, so a corpus that grows keeps most of its split.
    """
    members: dict[int, set[str]] = defaultdict(set)
    weights: dict[int, int] = defaultdict(int)
    for repository, group, size in zip(repositories, groups, sizes, strict=True):
        members[int(group)].add(repository)
        weights[int(group)] += int(size)
    room = share * sum(weights.values())
    chosen: set[str] = set()
    for group in sorted(members, key=lambda one: derive("split", seed, min(members[one]))):
        if weights[group] <= room:
            room -= weights[group]
            chosen |= members[group]
    return chosen
