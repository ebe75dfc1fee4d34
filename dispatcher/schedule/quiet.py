"""Quiet time: the hours and days on which a reader wants no mail, by the wall clock of their zone.

An instant is quiet if the clock then shows an hour between the two, or a date whose day of the week is not allowed. So
a window that the clocks skip does not exist that day, one that they repeat is quiet twice, and a day is its local date.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from dispatcher.errors import CadenceError
from dispatcher.model.audience import Subscriber
from dispatcher.schedule import phrase, zones
from dispatcher.schedule.days import ONE_DAY, Weekly

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_SECOND = timedelta(seconds=1)


class Quiet(NamedTuple):
    """A reader's quiet time, each part as `Subscriber` keeps it; empty: none."""

    quiet_from: str = ""
    quiet_until: str = ""
    allowed_days: str = ""

    @classmethod
    def of(cls, reader: Subscriber) -> Self:
        """What a reader chose."""
        return cls(reader.quiet_from, reader.quiet_until, reader.allowed_days)


NEVER = Quiet()


def release_at(moment: datetime, zone: str, quiet_from: str, quiet_until: str, allowed_days: str) -> datetime:
    """The first instant that is not before `moment` and not quiet, in UTC: `moment` itself if it is not.

    CadenceError if the fields are not as the two parsers below make them.
    """
    at = moment.astimezone(UTC)
    if quiet_from == quiet_until and not allowed_days:
        return at
    clock, hours, days = zones.zone(zone), _hours(quiet_from, quiet_until), _days(allowed_days)
    while (end := _end(zones.wall_at(at, clock), hours, days)) is not None:
        at = _when_shown(end, at, clock)
    return at


def parse_window(quiet_from: str, quiet_until: str) -> tuple[str, str]:
    """Quiet hours as they are kept, such as ("22:00", "07:00"); two empty fields, or twice the same time: none.

    Times are read as leniently as those of a cadence. CadenceError says which one is wrong.
    """
    if not quiet_from.strip() and not quiet_until.strip():
        return "", ""
    begin, end = _clock_time(quiet_from, "beginning"), _clock_time(quiet_until, "end")
    return ("", "") if begin == end else (begin, end)


def parse_days(text: str) -> str:
    """Allowed days as they are kept, such as "mon,tue", in the order of the week; all seven: "".

    Days are read as leniently as those of a cadence. CadenceError if there is none, or one that is no day.
    """
    if not text.strip(" ,"):
        raise CadenceError('no day is left on which mail may come: allow at least one, such as "mon"')
    try:
        days = phrase.parse(f"weekly on {text}").days  # a list of days is the same wherever it stands
    except CadenceError:
        days = None
    if not isinstance(days, Weekly) or "at" in text.lower().split():
        raise CadenceError(f"allowed days are some of {', '.join(WEEK)}, separated by commas")
    return "" if len(days.weekdays) == len(WEEK) else ",".join(WEEK[day] for day in days.weekdays)


def _clock_time(text: str, which: str) -> str:
    try:
        return f"{phrase.parse(f'daily at {text}').times[0]:%H:%M}"
    except CadenceError:
        message = f'the {which} of quiet hours is not a time of day; write it like "22:00" or "7:30 am"'
        raise CadenceError(message) from None


@lru_cache(maxsize=4096)
def _hours(quiet_from: str, quiet_until: str) -> tuple[time, time] | None:
    """The first moment of the window and the first one after it."""
    begin, end = parse_window(quiet_from, quiet_until)
    return (time.fromisoformat(begin), time.fromisoformat(end)) if begin else None


@lru_cache(maxsize=256)
def _days(allowed_days: str) -> frozenset[int]:
    names = parse_days(allowed_days) if allowed_days else ""
    return frozenset(WEEK.index(day) for day in names.split(",")) if names else frozenset(range(len(WEEK)))


def _end(wall: datetime, hours: tuple[time, time] | None, days: frozenset[int]) -> datetime | None:
    """Until when it is quiet at the least, by the wall clock; None if it is not quiet at all."""
    if wall.weekday() not in days:
        return datetime.combine(wall.date() + ONE_DAY, time.min)
    if hours is None or not _is_within(wall.time(), *hours):
        return None
    end = datetime.combine(wall.date(), hours[1])
    return end if end > wall else end + ONE_DAY


def _is_within(shown: time, begin: time, end: time) -> bool:
    return begin <= shown < end if begin < end else shown >= begin or shown < end


def _when_shown(end: datetime, at: datetime, clock: ZoneInfo) -> datetime:
    """When the clock shows `end` if it runs on from `at`; if it is moved before that, the instant it is moved at."""
    later = at + (end - zones.wall_at(at, clock))
    offset = at.astimezone(clock).utcoffset()
    if later.astimezone(clock).utcoffset() == offset:
        return later
    while later - at > ONE_SECOND:
        middle = at + (later - at) / 2
        at, later = (middle, later) if middle.astimezone(clock).utcoffset() == offset else (at, middle)
    return later.replace(microsecond=0)  # clocks are moved on full seconds
