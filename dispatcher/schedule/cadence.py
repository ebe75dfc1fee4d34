"""When a cadence is due, in a reader's zone, and the slot that is filled then.

Wall-clock cadences come once per local day: a time in a gap moves behind it (RFC 5545 §3.3.5), of a repeated one the
first counts, and a day that a zone left out has none. Sub-daily ones go by elapsed time: `hourly` on every full hour
of UTC, a cron whose hour starts with `*` whenever the clock really shows a time it names.

Every `zone` is an IANA name, unknown ones raise CadenceError; every instant is aware, those returned in UTC. An
`instant` cadence is never due: asked when, these raise ValueError.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, pairwise, takewhile
from statistics import median_low
from zoneinfo import ZoneInfo

from dispatcher.schedule import zones
from dispatcher.schedule.days import ONE_DAY, walls_back_from, walls_from
from dispatcher.schedule.phrase import Cadence, parse

__all__ = [
    "Cadence", "expiry", "latest_due", "next_after_change", "next_due", "parse", "period", "previous_due", "slot",
]  # fmt: skip

_EXPIRY = {
    "instant": timedelta(hours=12),
    "hourly": timedelta(minutes=50),
    "daily": timedelta(hours=20),
    "weekdays": timedelta(hours=20),
    "weekly": timedelta(days=4),
    "monthly": timedelta(days=10),
}
_NEW_YEAR = datetime.combine(date(2001, 1, 1), time.min)


def next_due(cadence: Cadence, after: datetime, zone: str) -> datetime:
    """The first due instant strictly after `after`."""
    return _next_due(cadence, _utc(after), zone)


def latest_due(cadence: Cadence, at: datetime, zone: str) -> datetime:
    """The last due instant that is not after `at`."""
    return _latest_due(cadence, _utc(at), zone)


def previous_due(cadence: Cadence, before: datetime, zone: str) -> datetime:
    """The last due instant strictly before `before`."""
    return _latest_due(cadence, _utc(before) - datetime.resolution, zone)


def next_after_change(
    cadence: Cadence, now: datetime, zone: str, last_due_at: datetime | None, last_zone: str
) -> datetime:
    """The next due instant after a change of zone or time, no nuisance after the last digest of the same label.

    It is at least half a period after `last_due_at`, and its slot is a later one than that of `last_due_at` in
    `last_zone`: in another zone, the same local day can come again.
    """
    if last_due_at is None:
        return next_due(cadence, now, zone)
    due_at = next_due(cadence, max(_utc(now), _utc(last_due_at) + period(cadence) / 2 - datetime.resolution), zone)
    last_slot = slot(cadence, last_due_at, last_zone)
    while slot(cadence, due_at, zone) <= last_slot:  # one label, and dates that sort as text
        due_at = next_due(cadence, due_at, zone)
    return due_at


def slot(cadence: Cadence, due_at: datetime, zone: str) -> str:
    """The part of a delivery's key that says which digest this is: the label, and the local date or the instant."""
    clock = _clock(cadence, zone)
    if cadence.is_sub_daily:
        return f"{cadence.label}:{_utc(due_at):%Y-%m-%dT%H:%M:%SZ}"
    wall = zones.wall_at(_utc(due_at), clock)
    if len(cadence.times) > 1:
        return f"{cadence.label}:{wall:%Y-%m-%dT%H:%M}"
    day_before = datetime.combine(wall.date() - ONE_DAY, cadence.times[0])
    if wall.time() < cadence.times[0] and due_at in _instants(cadence, day_before, clock):
        return f"{cadence.label}:{day_before:%Y-%m-%d}"  # a gap before midnight pushed it into the next day
    return f"{cadence.label}:{wall:%Y-%m-%d}"


def expiry(cadence: Cadence) -> timedelta:
    """How long after its slot a digest is still worth sending; for a cron as for the kinds of a like period."""
    return _EXPIRY.get(cadence.kind) or _expiry_of(period(cadence))


@lru_cache(maxsize=4096)
def period(cadence: Cadence) -> timedelta:
    """What typically lies between two digests: the median, on a calendar whose clocks are never changed."""
    _clock(cadence, "UTC")
    walls = islice(walls_from(cadence.days, cadence.times, _NEW_YEAR), 50)
    return median_low(later - earlier for earlier, later in pairwise(walls))


@lru_cache(maxsize=1 << 16)  # a million readers share a few slots in a few zones
def _next_due(cadence: Cadence, after: datetime, zone: str) -> datetime:
    clock = _clock(cadence, zone)
    start = zones.wall_at(after, clock) - zones.jump_near(after, clock)
    later = (
        (wall, due_at)
        for wall in walls_from(cadence.days, cadence.times, start)
        for due_at in _instants(cadence, wall, clock)
        if due_at > after
    )
    wall, first = next(later)
    jump = zones.jump_near(first, clock)
    if not jump:
        return first
    # Around a change of the clocks, later wall times can come earlier: 02:45 means 03:45 where two becomes three.
    return min(due_at for _, due_at in [(wall, first), *takewhile(lambda pair: pair[0] <= wall + jump, later)])


@lru_cache(maxsize=1 << 16)
def _latest_due(cadence: Cadence, at: datetime, zone: str) -> datetime:
    clock = _clock(cadence, zone)
    start = zones.wall_at(at, clock) + zones.jump_near(at, clock)
    earlier = (
        (wall, due_at)
        for wall in walls_back_from(cadence.days, cadence.times, start)
        for due_at in _instants(cadence, wall, clock)
        if due_at <= at
    )
    wall, last = next(earlier)
    jump = zones.jump_near(last, clock)
    if not jump:
        return last
    return max(due_at for _, due_at in [(wall, last), *takewhile(lambda pair: pair[0] >= wall - jump, earlier)])


def _expiry_of(period: timedelta) -> timedelta:
    """Five sixths up to a day, four sevenths up to a week, a third beyond; never less for a longer period."""
    if period <= ONE_DAY:
        return period * 5 / 6
    if period <= 7 * ONE_DAY:
        return max(_EXPIRY["daily"], period * 4 / 7)
    return min(max(_EXPIRY["weekly"], period / 3), _EXPIRY["monthly"])


def _utc(at: datetime) -> datetime:
    """An instant in UTC, where alone it can be reckoned with: elsewhere sums, equality and hashes ignore `fold`."""
    if at.tzinfo is None:
        raise ValueError(f"an instant must be aware: {at!r}")
    return at.astimezone(UTC)


def _clock(cadence: Cadence, zone: str) -> ZoneInfo:
    """The clock a cadence goes by: the reader's, but for `hourly`, which no change of clocks or zone disturbs."""
    if cadence.is_instant:
        raise ValueError("an instant cadence is never due: its stories go out as they match")
    return zones.zone("UTC" if cadence.kind == "hourly" else zone)


def _instants(cadence: Cadence, wall: datetime, clock: ZoneInfo) -> Sequence[datetime]:
    """When a wall-clock time of a cadence is due: one instant, but for gaps, repeated hours and days left out."""
    if cadence.is_sub_daily:
        return zones.instants_showing(wall, clock)
    due_at = zones.instant_of(wall, clock)
    if zones.wall_at(due_at, clock).date() != wall.date() and zones.is_skipped(wall.date(), clock):
        return ()
    return (due_at,)
