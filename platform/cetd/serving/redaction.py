"""Secrets, e-mail addresses and API keys taken out of what users send, before any of it reaches a disk.

Very long words, which no one reads and which may be key material, are replaced as a whole.
"""

from __future__ import annotations

import re

from cetd.data.corpus.secrets import scrub
from cetd.serving import api_keys

_LONG_WORD = re.compile(r"[A-Za-z0-9_=.+/-]{257,}")


def redact(text: str) -> str:
    """``text`` without them; lone surrogates, which UTF-8 cannot hold, become U+FFFD."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _LONG_WORD.sub("REDACTED_LONG_WORD", text)
    text = api_keys.PATTERN.sub("REDACTED_API_KEY", text)
    return scrub(text)[0]
