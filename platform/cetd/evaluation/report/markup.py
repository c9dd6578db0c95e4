"""HTML that cannot be injected into: what is not made by :func:`element` is text, and text is escaped.

Programs are hostile text. Besides HTML's own characters, control characters and those that reorder or hide text
(bidirectional overrides, zero-width ones) are shown by name instead of obeyed.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable

# Other, format, surrogate, private use; line and paragraph separators.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
VOID = {"meta", "br", "line", "path", "circle", "rect"}

Attribute = str | float | bool | None


class Html(str):
    """Markup that needs no escaping; only :func:`element`, :func:`join` and :func:`trusted` make it."""

    __slots__ = ()


Content = str | Html | None


def element(tag: str, /, *content: Content, **attributes: Attribute) -> Html:
    """``<tag attributes>content</tag>``; plain strings are escaped, None is left out.

    A trailing underscore of an attribute is dropped and others become dashes: ``class_``, ``stroke_width``. True
    gives a bare attribute; False and None give none.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in VOID and not content:
        return Html(f"<{tag}{written}/>")
    return Html(f"<{tag}{written}>{join(content)}</{tag}>")


def join(content: Iterable[Content]) -> Html:
    """Pieces one after another, escaped where they are plain strings."""
    return Html(
        "".join(piece if isinstance(piece, Html) else _escaped(piece) for piece in content if piece is not None)
    )


def trusted(markup: str) -> Html:
    """Markup that this program wrote itself."""
    return Html(markup)


def cut(text: str, limit: int = 6000) -> str:
    """Text of at most ``limit`` characters; says what is missing."""
    return text if len(text) <= limit else f"{text[:limit]}\n… {len(text) - limit:,} more characters"


def visible(text: str) -> str:
    """Text whose control and format characters are spelled out; new lines and tabs stay."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in HIDDEN:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    match value:
        case None | False:
            return ""
        case True:
            return f" {name}"
        case float():
            return f' {name}="{value:.4g}"'
        case _:
            return f' {name}="{_escaped(str(value))}"'
