"""Leakage: how much of an app's source a requirements text repeats verbatim.

A policy can win by pasting the source instead of describing it. Texts are split lexically (identifiers, numbers, single
punctuation characters; white space does not count), not by a model's tokenizer, whose tokens can be whole phrases:
the measure does not depend on who wrote the text, and reformatting pasted code does not hide it.
"""

from __future__ import annotations

import re
from functools import lru_cache

TOKEN = re.compile(r"[^\W\d]\w*|\d+|[^\w\s]")

NGram = tuple[str, ...]


def leakage(requirements: str, source: str, interface: str, n: int) -> float:
    """Verbatim overlap in [0, 1], in n-grams of lexical tokens that the source has and the interface has not.

    The greater of two shares: of the requirements' n-grams, those that are such; and of the source's such n-grams,
    those that the requirements hold. The first sees a short quotation, the second a pasted source that is
    diluted with filler. So a text that holds the whole source scores 1, whatever surrounds it.

    Sources shorter than ``n`` tokens are compared as a whole (n becomes their length). Requirements shorter than
    that quote nothing: 0. So does any text where the interface says all that the source says.

    Raises:
        ValueError: ``n`` is not positive.
    """
    if n < 1:
        raise ValueError(f"leakage_ngram={n}: must be at least 1")
    size, secret = _secret(source, interface, n)
    grams = _grams(_tokens(requirements), size)
    if not secret or not grams:
        return 0.0
    quoted = sum(gram in secret for gram in grams) / len(grams)
    revealed = len(secret.intersection(grams)) / len(secret)
    return max(quoted, revealed)


@lru_cache(maxsize=4096)
def _secret(source: str, interface: str, n: int) -> tuple[int, frozenset[NGram]]:
    """The n-gram length in use, and the source's n-grams that the interface lacks; one app serves many rollouts."""
    tokens = _tokens(source)
    size = max(1, min(n, len(tokens)))
    return size, frozenset(_grams(tokens, size)).difference(_grams(_tokens(interface), size))


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


def _grams(tokens: list[str], size: int) -> list[NGram]:
    return [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]
