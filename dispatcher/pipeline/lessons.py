"""Lessons: what complaints about our pace have taught this process, and all the others."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from dispatcher.observability.logs import logger
from dispatcher.outbox import slowdown
from dispatcher.outbox.slowdown import Slowdown
from dispatcher.pipeline.ways import SLOW, slow_meter
from dispatcher.store import Connection, buckets
from dispatcher.store.buckets import Kept

log = logger("send")

LOOK_EVERY = 5.0
"""Seconds between looks at what other processes have learnt, and at what is over by now."""

FORGET_EVERY = 3600.0


class Lessons:
    """What is slowed down, by scope, as far as this process knows; and news, which nobody else knows yet."""

    def __init__(self) -> None:
        self.slowed: dict[str, Slowdown] = {}
        self._news: dict[str, float] = {}  # scope → the pace that was complained about
        self._look_at = self._forget_at = 0.0

    @property
    def news(self) -> set[str]:
        """The meters that have to be held so that what is new can be written."""
        return {slow_meter(scope) for scope in self._news}

    def hear(self, scope: str, pace: float) -> None:
        """Somebody complained."""
        self._news.setdefault(scope, pace)

    @property
    def is_stale(self) -> bool:
        """Whether it is time to look."""
        return time.monotonic() >= self._look_at

    def look(self, connection: Connection) -> datetime:
        """Read what everybody has learnt; returns the database's time."""
        self._look_at = time.monotonic() + LOOK_EVERY
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_EVERY
            buckets.forget(connection)
        now, found = buckets.slowed(connection, slowdown.LONGEST)
        self._know({name.removesuffix(f"/{SLOW}"): kept for name, kept in found.items()}, now)
        return now

    def write(self, kept: Mapping[str, Kept], now: datetime) -> dict[str, Kept]:
        """Make of news what everybody shall know: the changed among these buckets, which are held."""
        changed = {}
        for scope, pace in self._news.items():
            one = kept[slow_meter(scope)]
            after = slowdown.after_complaint(one.slowed, one.pace, one.changed_at, now, pace)
            if after is not None:
                changed[slow_meter(scope)] = one._replace(slowed=after.part, pace=after.pace, changed_at=now)
        self._news.clear()
        self._look_at = 0.0
        return changed

    def _know(self, found: Mapping[str, Kept], now: datetime) -> None:
        known = {
            scope: Slowdown(slowdown.in_force(kept.slowed, kept.changed_at, now), kept.pace)
            for scope, kept in found.items()
            if kept.changed_at is not None
        }
        known = {scope: one for scope, one in known.items() if one.part < 1.0}
        for scope, one in known.items():
            before = self.slowed.get(scope)
            if before is None or one.part < before.part:
                log.warning("asked to slow down", scope=scope, part=round(one.part, 3), per_minute=_per_minute(one))
            elif one.part > before.part:
                log.info("a little faster again", scope=scope, part=round(one.part, 3), per_minute=_per_minute(one))
        for scope in self.slowed.keys() - known.keys():
            log.info("as fast as before again", scope=scope)
        self.slowed = known


def _per_minute(one: Slowdown) -> int:
    return round(one.rate.count)
