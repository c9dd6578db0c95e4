"""How often each holder of a key may call: a token bucket per name.

Invariant: in any t seconds a name is admitted at most burst + rate × t times. A bucket is one number, the time at
which it will be full again (the generic cell rate algorithm), in whole nanoseconds, so that nothing is rounded in
a caller's favour. Lives in the memory of one process: several gateways admit as often each.
"""

from __future__ import annotations

from collections.abc import Callable

_SECOND = 10**9
_MOST_NAMES = 10_000


class RateLimit:
    """The buckets of all names; those that are full again are forgotten when there are too many."""

    def __init__(
        self, requests_per_minute: int, burst: int, clock: Callable[[], float], most_names: int = _MOST_NAMES
    ) -> None:
        """``requests_per_minute`` is the rate of names without one of their own; ``clock`` counts seconds."""
        self._requests_per_minute, self._burst, self._clock = requests_per_minute, burst, clock
        self._most_names = most_names
        self._full_at: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: str, rpm: int | None = None) -> float:
        """Admit a request of ``name``, whose own rate is ``rpm``: 0, or the seconds to wait before asking again."""
        now = int(self._clock() * _SECOND)
        # Rounded up: a request more rarely rather than more often.
        interval = -(-60 * _SECOND // (rpm or self._requests_per_minute))
        full_at = max(self._full_at.get(name, now), now) + interval
        wait = full_at - now - self._burst * interval
        if wait <= 0 and name not in self._full_at:
            wait = self._make_room(now)
        if wait > 0:
            return wait / _SECOND
        self._full_at[name] = full_at
        return 0.0

    def _make_room(self, now: int) -> int:
        """Nanoseconds until there is room for one more name: 0 unless every bucket is in use."""
        if len(self._full_at) < self._most_names:
            return 0
        self._full_at = {name: full_at for name, full_at in self._full_at.items() if full_at > now}
        return min(self._full_at.values()) - now if len(self._full_at) >= self._most_names else 0
