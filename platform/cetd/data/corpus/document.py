"""What the corpus is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A file's text, and the repository that it belongs to."""

    repository: str
    path: str
    language: str
    text: str
