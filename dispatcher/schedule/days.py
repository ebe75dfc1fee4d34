"""Days of the calendar that a cadence falls on, and the wall-clock times on them; no zone is involved yet."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Protocol

ONE_DAY = timedelta(days=1)


class Days(Protocol):
    """An endless choice of days."""

    def on_or_after(self, day: date) -> date:
        """The first of these days that is not before `day`."""
        ...

    def on_or_before(self, day: date) -> date:
        """The last of these days that is not after `day`."""
        ...


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same days every week; Monday is 0."""

    weekdays: tuple[int, ...]

    def on_or_after(self, day: date) -> date:
        """The first of these days that is not before `day`."""
        today = day.weekday()
        return day if today in self.weekdays else day + timedelta(min((w - today) % 7 for w in self.weekdays))

    def on_or_before(self, day: date) -> date:
        """The last of these days that is not after `day`."""
        today = day.weekday()
        return day if today in self.weekdays else day - timedelta(min((today - w) % 7 for w in self.weekdays))


@dataclass(frozen=True, slots=True)
class Monthly:
    """The same days every month, in ascending order; in a month too short for one, its last day stands in."""

    month_days: tuple[int, ...]

    def on_or_after(self, day: date) -> date:
        """The first of these days that is not before `day`."""
        longest = days_in_month(day)
        found = next((d for d in self.month_days if min(d, longest) >= day.day), None)
        if found is None:
            return self.on_or_after(first_of_next_month(day))
        return day.replace(day=min(found, longest))

    def on_or_before(self, day: date) -> date:
        """The last of these days that is not after `day`."""
        longest = days_in_month(day)
        found = next((d for d in reversed(self.month_days) if min(d, longest) <= day.day), None)
        if found is None:
            return self.on_or_before(last_of_previous_month(day))
        return day.replace(day=min(found, longest))


EVERY_DAY = Weekly((0, 1, 2, 3, 4, 5, 6))
MONDAY_TO_FRIDAY = Weekly((0, 1, 2, 3, 4))


def walls_from(days: Days, times: Sequence[time], wall: datetime) -> Iterator[datetime]:
    """The naive wall-clock times from `wall` on, itself included, forwards without end. `times` ascend."""
    day = days.on_or_after(wall.date())
    start = bisect_left(times, wall.time()) if day == wall.date() else 0
    while True:
        for at in times[start:]:
            yield datetime.combine(day, at)
        day, start = days.on_or_after(day + ONE_DAY), 0


def walls_back_from(days: Days, times: Sequence[time], wall: datetime) -> Iterator[datetime]:
    """The naive wall-clock times from `wall` on, itself included, backwards without end. `times` ascend."""
    day = days.on_or_before(wall.date())
    end = bisect_right(times, wall.time()) if day == wall.date() else len(times)
    while True:
        for at in reversed(times[:end]):
            yield datetime.combine(day, at)
        day, end = days.on_or_before(day - ONE_DAY), len(times)


def days_in_month(day: date) -> int:
    """How many days the month of `day` has."""
    return monthrange(day.year, day.month)[1]


def first_of_next_month(day: date) -> date:
    """The first day of the month after that of `day`."""
    return day.replace(day=days_in_month(day)) + ONE_DAY


def last_of_previous_month(day: date) -> date:
    """The last day of the month before that of `day`."""
    return day.replace(day=1) - ONE_DAY
