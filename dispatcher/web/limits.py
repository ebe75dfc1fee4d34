"""How much one network may ask: token buckets in memory, bounded in number."""

from __future__ import annotations

import time
from collections import OrderedDict

MOST_KEPT = 50_000  # buckets; the longest unused are forgotten


class Limiter:
    """Token buckets by key: each holds `burst` and refills at `per_minute`."""

    def __init__(self, per_minute: float, burst: float | None = None) -> None:
        self._rate, self._burst = per_minute / 60, burst or per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float | None = None) -> float:
        """Take one; returns 0 if there was one, else the seconds until there is. `now` is monotonic seconds."""
        moment = time.monotonic() if now is None else now
        left, since = self._buckets.pop(key, (self._burst, moment))
        left = min(self._burst, left + (moment - since) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[key] = (left if wait else left - 1, moment)
        if len(self._buckets) > MOST_KEPT:
            self._buckets.popitem(last=False)
        return wait
