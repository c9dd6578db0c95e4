"""The response cache: an answer that was written for the same content by the same model version is not written again.

Content-addressed, so a wrong hit would need a collision of BLAKE2b. Never larger than its bound, in bytes of keys and
values (Python's own, some 300 an entry, come on top), and never older than its time. Lives in the memory of one
process, for one thread; knows nothing of what the values mean.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any


@dataclass(frozen=True)
class _Entry:
    value: bytes
    size: int
    expires: float


class ResponseCache:
    """Past ``max_bytes`` the least recently used values leave; past ``ttl_s`` seconds each does."""

    def __init__(self, ttl_s: float, max_bytes: int, clock: Callable[[], float]) -> None:
        """``clock`` counts seconds and never goes back; a ``ttl_s`` of 0 keeps nothing."""
        self._ttl_s, self._max_bytes, self._clock = ttl_s, max_bytes, clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self.size = 0
        self.hits = self.misses = 0
        # Values that left to make room; not those that were too old.
        self.evictions = 0

    @staticmethod
    def key(version: str, request: Mapping[str, Any]) -> str:
        """Digest of everything that an answer depends on; the order of ``request``'s keys is none of it."""
        content = json.dumps([version, request], sort_keys=True, separators=(",", ":"))
        return blake2b(content.encode(), digest_size=32).hexdigest()

    def get(self, key: str) -> bytes | None:
        entry = self._entries.get(key)
        if entry and self._clock() >= entry.expires:
            self._drop(key)
            entry = None
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: str, value: bytes) -> None:
        """Keep ``value``, unless it exceeds the bound by itself; what stood under ``key`` leaves either way."""
        self._drop(key)
        size = len(key.encode("utf-8", "surrogatepass")) + len(value)
        if self._ttl_s == 0 or size > self._max_bytes:
            return
        while self.size + size > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self.evictions += 1
        self._entries[key] = _Entry(value, size, self._clock() + self._ttl_s)
        self.size += size

    def _drop(self, key: str) -> None:
        if entry := self._entries.pop(key, None):
            self.size -= entry.size
