"""Structured requirements as text, and back: one item a line, behind the token of its section.

What :func:`written` writes, :func:`sections` reads. It also reads what a model makes of it: items on one line, text
before the first token, tokens without an item, tokens that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cetd.data.tokenizer import STRUCTURE_TOKENS

_TAG = re.compile("(" + "|".join(map(re.escape, STRUCTURE_TOKENS)) + ")")


def written(items: Mapping[str, Sequence[str]], limit: int | None = None) -> str:
    """Lines of ``items`` by structure token, in the order given, of at most ``limit`` characters in all.

    Items that no longer fit are left out, each line whole; a token within an item loses its brackets.

    Raises:
        ValueError: a section that is none of the tokenizer's.
    """
    unknown = sorted(set(items) - set(STRUCTURE_TOKENS))
    if unknown:
        raise ValueError(f"section={unknown[0]!r} is not known: use one of {list(STRUCTURE_TOKENS)}")
    lines: list[str] = []
    room = limit
    for tag, texts in items.items():
        for text in texts:
            line = f"{tag} {item(text)}"
            if line == f"{tag} ":
                continue
            if room is not None:
                if len(line) + 1 > room:
                    return "\n".join(lines)
                room -= len(line) + 1
            lines.append(line)
    return "\n".join(lines)


def sections(text: str) -> dict[str, list[str]]:
    """Items by structure token, in the order of the text; of tokens that have an item."""
    found: dict[str, list[str]] = {}
    _, *pieces = _TAG.split(text)
    for tag, piece in zip(pieces[::2], pieces[1::2], strict=True):
        if said := item(piece):
            found.setdefault(tag, []).append(said)
    return found


def untagged(text: str) -> list[str]:
    """Lines of what stands before the first structure token."""
    return [said for line in _TAG.split(text)[0].splitlines() if (said := item(line))]


def item(text: str) -> str:
    """``text`` as an item may stand in a line: white space is single spaces, structure tokens have no brackets."""
    return " ".join(_TAG.sub(lambda tag: tag[1].strip("<>"), text).split())
