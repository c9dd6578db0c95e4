"""Bytes to text: encodings, line ends, control characters; and files that are no text or that no one wrote.

Promises: what is kept is text without NUL and other control characters but tab and new line, with new lines as line
ends and one at its end.
"""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from collections import Counter

import charset_normalizer
import pyarrow as pa

from cetd.config.data import CleaningConfig
from cetd.data.corpus.counts import Stage, sifted

_BOMS = (
    # the longer ones first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Other controls, marks of byte order, and those that make code read otherwise than it runs (CVE-2021-42574).
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\u202a-\u202e\u2066-\u2069]")
_MOST_CONTROLS = 0.01
_MOST_FOREIGN = 0.1
_GENERATED = re.compile(
    r"@generated\b|\bdo not (?:edit|modify)\b|\bauto(?:matically)?[- ]?generated\b|\bgenerated (?:by|from|with)\b", re.I
)
_HEAD_LINES = 10
_LONG_MEAN = 200


def decoded(rows: pa.Table, config: CleaningConfig) -> tuple[pa.Table, Stage]:
    """Rows of :data:`~cetd.data.corpus.document.RAW` with ``text`` and ``encoding`` in the place of ``content``."""
    texts: list[str] = []
    encodings: list[str] = []
    reasons: list[str | None] = []
    for content, language in zip(rows["content"], rows["language"], strict=True):
        text, encoding = decode(content.as_py(), language.as_py())
        reason = "binary" if text is None else unusable(text, config.max_line)
        texts.append("" if reason or text is None else cleaned(text))
        encodings.append(encoding)
        reasons.append(reason)
    rows = rows.drop_columns(["content"])
    rows = rows.append_column("text", pa.array(texts, pa.large_string()))
    rows = rows.append_column("encoding", pa.array(encodings, pa.string()))
    kept = Counter(encoding for encoding, reason in zip(encodings, reasons, strict=True) if reason is None)
    return sifted("decode and clean", rows, reasons, dict(kept))


def decode(content: bytes, language: str) -> tuple[str | None, str]:
    """The text and its encoding; None where it is no text.

    In this order: a byte order mark, Python's declaration (PEP 263), UTF-8; then, where few bytes are not ASCII, UTF-8
    line by line with Windows-1252 for the lines that are none; else what charset_normalizer finds.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _strict(content, encoding), encoding
    if b"\0" in content:
        return None, "binary"
    if language == "python" and (declared := _declared(content)):
        text = _strict(content, declared)
        if text is not None:
            return text, declared
    text = _strict(content, "utf-8")
    if text is not None:
        return text, "utf-8"
    if sum(byte > 127 for byte in content) <= _MOST_FOREIGN * len(content):
        lines = [_strict(line, "utf-8") or _western(line) for line in content.splitlines(keepends=True)]
        return "".join(lines), "mixed"
    best = charset_normalizer.from_bytes(content).best()
    return (None, "binary") if best is None else (str(best), best.encoding)


def unusable(text: str, max_line: int) -> str | None:
    """Why a text is no code that somebody wrote; None where it may be."""
    if not text.strip():
        return "empty"
    if len(_CONTROLS.findall(text)) > _MOST_CONTROLS * len(text):
        return "binary"
    lines = _LINE_ENDS.sub("\n", text).split("\n")
    filled = [len(line) for line in lines if line.strip()]
    if max(filled) > max_line or sum(filled) > _LONG_MEAN * len(filled):
        return "minified or data"
    return "generated" if any(_GENERATED.search(line) for line in lines[:_HEAD_LINES]) else None


def cleaned(text: str) -> str:
    """``text`` with one kind of line end, without control characters, and with one new line at its end."""
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    return text.rstrip("\n") + "\n"


def _declared(content: bytes) -> str | None:
    try:
        declared, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        # A codec such as zlib or rot13 turns bytes into something that is not the file's text.
        return declared if codecs.lookup(declared)._is_text_encoding else None  # pyright: ignore
    except (SyntaxError, LookupError):
        return None


def _strict(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeError:
        return None


def _western(line: bytes) -> str:
    return _strict(line, "cp1252") or line.decode("latin-1")
