"""How likely a document is worth learning from: a score from 0 to 1 with the reasons for what it lacks.

Each reason takes its weight off 1. The rules are those of published code corpora (The Stack, Kocetkov et al. 2022,
section 3; RefinedWeb's line filters, Penedo et al. 2023, appendix G), with round thresholds.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter

import pyarrow as pa

from cetd.data.corpus.counts import Stage, sifted

WEIGHTS = {
    "too short": 1.0,
    "few letters": 0.6,
    "repeated lines": 0.6,
    "mostly data": 0.6,
    "does not parse": 0.6,
    "long lines": 0.3,
    "no comments": 0.1,
}
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{40,}|(?:\\x[0-9a-fA-F]{2}){8,}|(?:0x[0-9a-fA-F]+,\s*){8,}|(?:\d+,\s*){16,}")
_COMMENT = re.compile(r"^\s*(?:#|//|/\*|\*|--|;|%|\"\"\"|''')|[\"']{3}|\s(?:#|//)\s", re.M)


def scored(rows: pa.Table, least: float) -> tuple[pa.Table, Stage]:
    """The rows whose score is at least ``least``, with ``quality`` and ``reasons``.

    A dropped row counts for its weightiest reason; reasons of rows that stay are noted.
    """
    reasons = [
        reasons_against(text.as_py(), language.as_py())
        for text, language in zip(rows["text"], rows["language"], strict=True)
    ]
    scores = [score(one) for one in reasons]
    rows = rows.append_column("quality", pa.array(scores, pa.float32()))
    rows = rows.append_column("reasons", pa.array(reasons, pa.list_(pa.string())))
    dropped = [
        max(one, key=WEIGHTS.__getitem__) if value < least else None for one, value in zip(reasons, scores, strict=True)
    ]
    noted = Counter(reason for one, drop in zip(reasons, dropped, strict=True) if drop is None for reason in one)
    return sifted("quality", rows, dropped, dict(noted))


def score(reasons: list[str]) -> float:
    """1 less the weights of ``reasons``, never below 0."""
    return max(0.0, 1.0 - sum(WEIGHTS[reason] for reason in reasons))


def reasons_against(text: str, language: str) -> list[str]:
    """Keys of :data:`WEIGHTS` that apply to ``text``."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    filled = "".join(lines)
    checks = {
        "too short": len(lines) < 3 or len(filled) < 60,
        "few letters": sum(map(str.isalpha, filled)) < 0.25 * len(filled),
        "repeated lines": len(lines) > 20 and len(set(lines)) < 0.3 * len(lines),
        "mostly data": sum(len(found[0]) for found in _BLOB.finditer(text)) > 0.3 * len(text),
        "does not parse": language == "python" and not parses(text),
        "long lines": len(filled) > 100 * max(1, len(lines)),
        "no comments": len(lines) > 50 and not _COMMENT.search(text),
    }
    return [reason for reason, applies in checks.items() if applies]


def parses(text: str) -> bool:
    """Whether Python reads ``text``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
