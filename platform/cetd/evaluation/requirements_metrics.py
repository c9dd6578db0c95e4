"""How close structured requirements come to the wanted ones: token F1, ROUGE-L, BLEU, and items found in their section.

An item counts as found exactly where its normalised text (lower case, punctuation and spacing dropped) is that of a
wanted item of the same section, softly where its token F1 with one is 0.5 or more. Each wanted item is found once.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from cetd.data.phases.sections import sections
from cetd.data.tokenizer import STRUCTURE_TOKENS

SOFT = 0.5
_TOKEN = re.compile(r"<[A-Z_]+>|\w+|[^\w\s]")
logging.getLogger("absl").setLevel(logging.WARNING)  # it tells which tokenizer it takes by default
_rouge = RougeScorer(["rougeL"])


@dataclass(frozen=True)
class Found:
    """Items: how many there were, how many were wanted, and how many of them agree."""

    given: int = 0
    wanted: int = 0
    agreeing: int = 0

    def __add__(self, other: Found) -> Found:
        return Found(self.given + other.given, self.wanted + other.wanted, self.agreeing + other.agreeing)

    @property
    def precision(self) -> float | None:
        """Share of the given items that are wanted; None where none was given."""
        return self.agreeing / self.given if self.given else None

    @property
    def recall(self) -> float | None:
        """Share of the wanted items that are given; None where none was wanted."""
        return self.agreeing / self.wanted if self.wanted else None


@dataclass(frozen=True)
class RequirementsFigures:
    """Figures over rows, 0 to 1.

    ``token_f1`` and ``rouge_l`` (F1; Lin 2004) are means over rows, ``bleu`` (Papineni et al. 2002) is of the corpus.
    ``exact`` and ``soft`` count items by structure token; those of all sections together stand under ``all``.
    """

    rows: int
    token_f1: float
    rouge_l: float
    bleu: float
    exact: Mapping[str, Found]
    soft: Mapping[str, Found]


def figures(given: Sequence[str], wanted: Sequence[str]) -> RequirementsFigures:
    """Compare texts row by row.

    Raises:
        ValueError: no rows, or not as many of the one as of the other.
    """
    if not wanted or len(given) != len(wanted):
        raise ValueError(
            f"given={len(given)} texts for {len(wanted)} wanted ones: one for each is needed, and one at least"
        )
    pairs = list(zip(given, wanted, strict=True))
    flat = [[" ".join(text.split()) for text in texts] for texts in (given, wanted)]
    return RequirementsFigures(
        rows=len(pairs),
        token_f1=sum(token_f1(*pair) for pair in pairs) / len(pairs),
        rouge_l=sum(_rouge.score(want, give)["rougeL"].fmeasure for give, want in pairs) / len(pairs),
        bleu=sacrebleu.corpus_bleu(flat[0], [flat[1]]).score / 100,
        exact=_found(pairs, _same),
        soft=_found(pairs, _alike),
    )


def token_f1(given: str, wanted: str) -> float:
    """Harmonic mean of precision and recall of the tokens, as bags; 1 where both are empty."""
    ours, theirs = Counter(_TOKEN.findall(given)), Counter(_TOKEN.findall(wanted))
    if not ours and not theirs:
        return 1.0
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())


def _found(pairs: Sequence[tuple[str, str]], agree: Callable[[str, str], bool]) -> dict[str, Found]:
    totals = dict.fromkeys(STRUCTURE_TOKENS, Found())
    for given, wanted in pairs:
        ours, theirs = sections(given), sections(wanted)
        for tag in STRUCTURE_TOKENS:
            items, targets = ours.get(tag, []), theirs.get(tag, [])
            totals[tag] += Found(len(items), len(targets), _agreeing(items, targets, agree))
    return {**totals, "all": sum(totals.values(), Found())}


def _agreeing(items: Sequence[str], targets: Sequence[str], agree: Callable[[str, str], bool]) -> int:
    """Items that agree with a wanted one that no earlier item has taken."""
    left = list(targets)
    count = 0
    for item in items:
        match = next((target for target in left if agree(item, target)), None)
        if match is not None:
            left.remove(match)
            count += 1
    return count


def _same(item: str, target: str) -> bool:
    return _normalised(item) == _normalised(target)


def _alike(item: str, target: str) -> bool:
    return token_f1(item.lower(), target.lower()) >= SOFT


def _normalised(text: str) -> str:
    """Words in lower case; where there is none, the text as it is."""
    return " ".join(re.findall(r"\w+", text.lower())) or text
