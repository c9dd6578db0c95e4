"""Which language a file is in, by its name or its first line, and which languages are wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath

import pyarrow as pa
from pygments.lexers import find_lexer_class_for_filename, get_all_lexers

from cetd.data.corpus.counts import Stage, sifted

_INTERPRETERS = re.compile(rb"#!\s*\S*?(?:env\s+)?(python|node|ruby|perl|bash|sh)[\d.]*\b")
_FROM_INTERPRETER = {"node": "javascript", "sh": "bash"}
UNKNOWN = "unknown"


class LanguageError(ValueError):
    """A language that nobody knows; the message is one line for the user."""


def language_of(path: str, content: bytes = b"") -> str:
    """Pygments' short name of the language, such as ``python``; ``unknown`` where name and first line say nothing."""
    found = _by_name(PurePosixPath(path).name if "." not in path else "a" + PurePosixPath(path).suffix.lower())
    if found != UNKNOWN:
        return found
    named = _INTERPRETERS.match(content[:100])
    if named is None:
        return UNKNOWN
    name = named[1].decode()
    return _FROM_INTERPRETER.get(name, name)


def check_languages(wanted: Sequence[str]) -> None:
    """Refuse names that no file can have.

    Raises:
        LanguageError: naming the first of them.
    """
    known = {lexer[1][0] for lexer in get_all_lexers() if lexer[1]}
    for name in wanted:
        if name not in known:
            near = sorted(one for one in known if one[:2] == name[:2].lower())[:8]
            raise LanguageError(f"cleaning.languages={name!r}: no such language; some like it: {', '.join(near)}")


def in_languages(rows: pa.Table, wanted: Sequence[str]) -> tuple[pa.Table, Stage]:
    """The rows whose ``language`` is among ``wanted``, or is known where none is named."""
    reasons = [
        None if language in wanted or (not wanted and language != UNKNOWN) else f"language: {language}"
        for language in rows["language"].to_pylist()
    ]
    return sifted("language", rows, reasons)


@lru_cache(maxsize=4096)
def _by_name(name: str) -> str:
    lexer = find_lexer_class_for_filename(name)
    return lexer.aliases[0] if lexer and lexer.aliases else UNKNOWN
