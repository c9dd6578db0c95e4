"""From a docstring to a requirement: one sentence of what the code shall do, or nothing where it says nothing."""

from __future__ import annotations

import re
from pathlib import Path

from cetd.data.phases.bm25 import words

_DOCTEST = re.compile(r"^\s*(>>>|\.\.\.|In \[\d+\]:)")
_DIRECTIVE = re.compile(
    r"^\s*(\.\. |:\w[^:]*:(\s|$)|@\w+[ :]|[-=~^]{3,}\s*$|(Args|Parameters|Returns|Raises|Examples?)\s*:?\s*$)"
)
_ROLE = re.compile(r":[\w:.+-]+:`~?([^`<]*?)(?:\s*<[^`>]*>)?`")
_MARKUP = re.compile(r"``([^`]*)``|`([^`]*)`|\*\*([^*]+)\*\*")
# "wrap(text, width) -> list", as C code documents itself.
_SIGNATURE = re.compile(r"^[\w.]+\([^)]*\)\s*(->|--|=>|:)?\s*[\w.\[\], |]*$")
_EMPTY = re.compile(
    r"^(see\b|todo|fixme|xxx|deprecated|undocumented|\(?internal\b|overrid|same as|like\b|alias|inherit|"
    r"not implemented|implement[s]? (the )?(abstract|interface)|helper\b)",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(this|the|a) (?:\w+ )?(function|method|class|decorator|routine|property|generator|module|context manager)"
    r"(?: (?:is|that|which|to|will|can be|used to))*\s+",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_VERBS = frozenset(Path(__file__).with_name("verbs.txt").read_text(encoding="utf-8").split())


def requirement(docstring: str, name: str, is_class: bool, min_words: int, limit: int) -> str | None:
    """The docstring of ``name`` as "The function shall …", of at most ``limit`` characters.

    None where it says nothing: fewer than ``min_words`` words, "See …", or the name alone.
    """
    said = summary(docstring)
    if not said or _EMPTY.match(said) or len(re.findall(r"\w+", said)) < min_words:
        return None
    if set(words(said)) <= set(words(name)):
        return None
    subject = "class" if is_class else "function"
    return shortened(f"The {subject} shall {_obligation(said)}", limit)


def summary(docstring: str) -> str:
    """The first paragraph on one line, as prose: doctests, directives and markup left out."""
    paragraph: list[str] = []
    for line in docstring.split("\n"):
        if not line.strip() or _DOCTEST.match(line) or _DIRECTIVE.match(line):
            if paragraph:
                break
        elif paragraph or not _SIGNATURE.match(line.strip()):
            paragraph.append(line)
    text = _ROLE.sub(r"\1", " ".join(paragraph))
    text = _MARKUP.sub(lambda found: found[1] or found[2] or found[3] or "", text)
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    """The sentences of prose on one line."""
    return [one for one in _SENTENCE_END.split(text) if one]


def shortened(text: str, limit: int) -> str:
    """``text`` cut between words to at most ``limit`` characters."""
    if len(text) <= limit:
        return text
    cut = text[:limit]
    return cut.rpartition(" ")[0] or cut


def _obligation(said: str) -> str:
    """What follows "shall": a verb's base form, or "provide" with the noun that the docstring names."""
    said = _OPENING.sub("", said) or said
    first, _, rest = said.partition(" ")
    bare = first.rstrip(",:;.").lower()
    for base in (bare, *_bases(bare)):
        if base in _VERBS:
            return f"{base}{first[len(bare) :]} {rest}".rstrip()
    return f"provide: {_lowered(said)}"


def _bases(word: str) -> list[str]:
    """Base forms that a third person or a gerund may have: returns, matches, copies, setting."""
    endings = {"s": ("",), "es": ("",), "ies": ("y",), "ing": ("", "e")}
    found = [word[: -len(end)] + new for end, news in endings.items() if word.endswith(end) for new in news]
    doubled = word[:-4] if word.endswith("ing") and len(word) > 5 and word[-4] == word[-5] else None
    return [*found, doubled] if doubled else found


def _lowered(text: str) -> str:
    """The first letter in lower case, but for an acronym or a name."""
    head = text.split(" ", 1)[0]
    return text if head[1:] != head[1:].lower() or (len(head) == 1 and head != "A") else text[:1].lower() + text[1:]
