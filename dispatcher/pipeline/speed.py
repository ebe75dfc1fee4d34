"""Speed: how fast mail was taken of late, measured for the case that somebody complains about it."""

from __future__ import annotations

import time

WINDOW = 10.0
"""Seconds; what was taken in this window and the one before it counts."""

Counts = dict[str, tuple[int, float]]
"""Scope → how many, and when the first of them was."""


class Speed:
    """Messages a second, by scope, of this process."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._counts: Counts = {}
        self._before: Counts = {}

    def count(self, *scopes: str) -> None:
        """One more was taken."""
        now = self._turn()
        for scope in scopes:
            number, first_at = self._counts.get(scope, (0, now))
            self._counts[scope] = number + 1, first_at

    def pace(self, scope: str) -> float:
        """Messages a second."""
        now = self._turn()
        number, first_at = self._counts.get(scope, (0, now))
        before, began_at = self._before.get(scope, (0, first_at))
        return (number + before) / max(now - began_at, 1.0)

    def _turn(self) -> float:
        now = time.monotonic()
        if now - self._since >= WINDOW:
            self._before = self._counts if now - self._since < 2 * WINDOW else {}
            self._counts, self._since = {}, now
        return now
