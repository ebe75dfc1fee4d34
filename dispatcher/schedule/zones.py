"""Zones: what the clock on the wall shows at an instant, and the instants at which it shows a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from dispatcher.errors import CadenceError

LONGEST_JUMP = timedelta(hours=25)
"""No clock was ever moved further at once: a place that changes sides of the date line moves it by a day."""


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. CadenceError if there is none. ZoneInfo's own cache keeps only the last eight."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        message = f'"{name[:60]}" is not a time zone we know; use an IANA name, such as "Europe/London"'
        raise CadenceError(message) from None


def wall_at(at: datetime, clock: ZoneInfo) -> datetime:
    """What the wall clock shows at an aware instant: naive."""
    return at.astimezone(clock).replace(tzinfo=None, fold=0)


def instant_of(wall: datetime, clock: ZoneInfo) -> datetime:
    """The instant that a wall-clock time means, in UTC: of two the first; in a gap, by the offset before the gap.

    Half past two, in a night in which two o'clock becomes three, is half past three (RFC 5545 §3.3.5).
    """
    return wall.replace(tzinfo=clock).astimezone(UTC)


def instants_showing(wall: datetime, clock: ZoneInfo) -> list[datetime]:
    """Every instant at which the clock really shows this: none in a gap, two where the clocks were put back."""
    found = {wall.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in found if wall_at(at, clock) == wall)


def is_skipped(day: date, clock: ZoneInfo) -> bool:
    """Whether the zone left a whole day out, as Pacific/Apia did with 30 December 2011."""
    return not any(instants_showing(datetime.combine(day, edge), clock) for edge in (time.min, time.max))


def jump_near(at: datetime, clock: ZoneInfo) -> timedelta:
    """By how much the clocks are moved around an instant, either way: zero on all but a few days of a year."""
    before, after = (at - LONGEST_JUMP).astimezone(clock), (at + LONGEST_JUMP).astimezone(clock)
    return abs((after.utcoffset() or timedelta()) - (before.utcoffset() or timedelta()))
