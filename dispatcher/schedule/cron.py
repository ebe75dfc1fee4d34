"""The expression of a `cron` cadence, as crontab(5) has it: minute, hour, day of month, month, day of week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time

from dispatcher.errors import CadenceError
from dispatcher.schedule.cronfield import HOUR, MINUTE, MONTH, MONTH_DAY, WEEKDAY, Field
from dispatcher.schedule.cronfield import parse as parse_field
from dispatcher.schedule.days import ONE_DAY, first_of_next_month, last_of_previous_month

_SPANS = (MINUTE, HOUR, MONTH_DAY, MONTH, WEEKDAY)
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_NICKNAMES = {
    "@hourly": "hourly",
    "@daily": "daily at 00:00",
    "@midnight": "daily at 00:00",
    "@weekly": "weekly on sun at 00:00",
    "@monthly": "monthly on 1 at 00:00",
    "@yearly": "cron 0 0 1 1 *",
    "@annually": "cron 0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Cron:
    """A crontab(5) expression: which days, and which times on them."""

    minutes: Field
    hours: Field
    month_days: Field
    months: Field
    weekdays: Field

    def __str__(self) -> str:
        fields = (self.minutes, self.hours, self.month_days, self.months, self.weekdays)
        return " ".join(field.text for field in fields)

    @property
    def times(self) -> tuple[time, ...]:
        """The wall-clock times of one day, ascending."""
        return tuple(time(hour, minute) for hour in self.hours.values for minute in self.minutes.values)

    def on_or_after(self, day: date) -> date:
        """The first of these days that is not before `day`."""
        while not self._has(day):
            day = day + ONE_DAY if day.month in self.months.values else first_of_next_month(day)
        return day

    def on_or_before(self, day: date) -> date:
        """The last of these days that is not after `day`."""
        while not self._has(day):
            day = day - ONE_DAY if day.month in self.months.values else last_of_previous_month(day)
        return day

    def _has(self, day: date) -> bool:
        """crontab(5): when both day fields are restricted, either may match; one that starts with * is not."""
        if day.month not in self.months.values:
            return False
        by_month, by_week = day.day in self.month_days.values, day.weekday() in self.weekdays.values
        return (by_month or by_week) if self._either_day() else (by_month and by_week)

    def _either_day(self) -> bool:
        return not (self.month_days.is_star or self.weekdays.is_star)

    def never_comes(self) -> bool:
        """Whether no calendar has such a day, like 30 February."""
        shortest = self.month_days.values[0]
        return not self._either_day() and all(shortest > _LONGEST.get(month, 31) for month in self.months.values)


def parse(words: Sequence[str]) -> Cron:
    """Read the five fields, in lower case. CadenceError if they are not a crontab(5) expression that can come true."""
    if words and words[0].startswith("@"):
        raise _error(f'"{words[0]}" is a nickname', _NICKNAMES.get(words[0], "daily at 07:30"))
    if len(words) != len(_SPANS):
        raise _error(f"a cron has five fields (minute, hour, day of month, month, day of week), not {len(words)}")
    cron = Cron(*(parse_field(word, span) for word, span in zip(words, _SPANS, strict=True)))
    if cron.never_comes():
        raise _error(f'"cron {cron}" never comes: its months have no such day', "monthly on 31 at 08:00")
    return cron


def _error(problem: str, example: str = "cron 0 8 * * mon-fri") -> CadenceError:
    return CadenceError(f'{problem}; write, for instance, "{example}"')
