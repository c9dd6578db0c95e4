"""Fill-in-the-middle: a document cut at two places and put in an order in which the middle comes last.

Bavarian et al. 2022, "Efficient Training of Language Models to Fill in the Middle", section 3: cuts are uniform over
characters there, over tokens here, so that no token is cut; PSM is prefix, suffix, middle, and SPM in its variant that
lets the prefix run into the middle (appendix D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from cetd.data.tokenizer import FIM_TOKENS, Tokenizer

Order = Literal["as is", "psm", "spm"]
# The three tokens that a rearranged document is longer by.
EXTRA = 3


@dataclass(frozen=True)
class FimIds:
    """Ids of the three tokens."""

    prefix: int
    middle: int
    suffix: int

    @staticmethod
    def of(tokenizer: Tokenizer) -> FimIds:
        return FimIds(*(tokenizer.id_of(token) for token in FIM_TOKENS))


def rearranged(
    ids: Sequence[int], marks: FimIds, fim_rate: float, spm_rate: float, seed: int
) -> tuple[list[int], Order]:
    """``ids`` as they are, or in one of the two orders, by chance."""
    rng = Random(seed)
    if rng.random() >= fim_rate or len(ids) < 3:
        return list(ids), "as is"
    start, stop = sorted(rng.sample(range(len(ids) + 1), 2))
    prefix, middle, suffix = ids[:start], ids[start:stop], ids[stop:]
    if rng.random() < spm_rate:
        return [marks.prefix, marks.suffix, *suffix, marks.middle, *prefix, *middle], "spm"
    return [marks.prefix, *prefix, marks.suffix, *suffix, marks.middle, *middle], "psm"
