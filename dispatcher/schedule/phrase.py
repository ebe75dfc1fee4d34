"""Cadences as people write them, and the one way in which we write them back.

instant · hourly · daily at 07:30 · weekdays at 07:30 · weekly on mon,thu at 08:00 · monthly on 1,15 at 08:00
cron 0 8 * * mon-fri
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import time
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from dispatcher.errors import CadenceError
from dispatcher.schedule import cron
from dispatcher.schedule.days import EVERY_DAY, MONDAY_TO_FRIDAY, Days, Monthly, Weekly

Kind = Literal["instant", "hourly", "daily", "weekdays", "weekly", "monthly", "cron"]

DEFAULT_TIME = "08:00"
DEFAULT_WEEKDAY = "mon"
DEFAULT_MONTH_DAY = "1"
LONGEST_TEXT = 200

_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT_WEEK = ", ".join(day[:3] for day in _WEEK)
_CLOCK = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))? ?(?:([ap])\.?m\.?)?")


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a reader hears from us, in the reader's own zone. Made by `parse`; equal when the texts are.

    `days` and `times` are those of the wall clock. `is_sub_daily`: comes round by elapsed time, not once a local day.
    """

    text: str
    kind: Kind = field(compare=False)
    days: Days = field(default=EVERY_DAY, compare=False, repr=False)
    times: tuple[time, ...] = field(default=(), compare=False, repr=False)
    is_sub_daily: bool = field(default=False, compare=False, repr=False)

    def __str__(self) -> str:
        return self.text

    @property
    def label(self) -> str:
        """The word under which two digests count as the same cadence for a reader."""
        return self.text if self.kind == "cron" else self.kind

    @property
    def is_instant(self) -> bool:
        """Whether each story goes out by itself, as it matches."""
        return self.kind == "instant"


@lru_cache(maxsize=4096)
def parse(text: str) -> Cadence:
    """Read a cadence, leniently as to case, blanks, full day names, am and pm.

    CadenceError, with what is wrong and a valid one, if it is none.
    """
    words = _words(text)
    if not words:
        raise CadenceError('a cadence is missing; write one such as "daily at 07:30"')
    reader = _READERS.get(words[0])
    if reader is None:
        raise _unknown(words)
    return reader(words[1:])


def _words(text: str) -> list[str]:
    """The words in lower case, fit to be quoted: nothing is left in them that moves a terminal's cursor."""
    written = unicodedata.normalize("NFKC", text[: LONGEST_TEXT + 1]).lower()
    words = [
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in w) for w in written.split()
    ]
    if max(len(text), len(written)) > LONGEST_TEXT:  # a single character can stand for eighteen
        raise _error(f"{_quoted(' '.join(words))} is too long for a cadence", _EXAMPLES["daily"])
    return words


def _instant(words: Sequence[str]) -> Cadence:
    _stands_alone("instant", words)
    return Cadence("instant", "instant")


def _hourly(words: Sequence[str]) -> Cadence:
    _stands_alone("hourly", words)
    return Cadence("hourly", "hourly", times=tuple(time(hour) for hour in range(24)), is_sub_daily=True)


def _daily(words: Sequence[str]) -> Cadence:
    at = _time(_clauses("daily", words).get("at"), "daily")
    return Cadence(f"daily at {at:%H:%M}", "daily", EVERY_DAY, (at,))


def _weekdays(words: Sequence[str]) -> Cadence:
    at = _time(_clauses("weekdays", words).get("at"), "weekdays")
    return Cadence(f"weekdays at {at:%H:%M}", "weekdays", MONDAY_TO_FRIDAY, (at,))


def _weekly(words: Sequence[str]) -> Cadence:
    clauses = _clauses("weekly", words)
    days = sorted({_weekday(word) for word in _listed(clauses.get("on", DEFAULT_WEEKDAY), _EXAMPLES["weekly"])})
    at = _time(clauses.get("at"), "weekly")
    names = ",".join(_WEEK[day][:3] for day in days)
    return Cadence(f"weekly on {names} at {at:%H:%M}", "weekly", Weekly(tuple(days)), (at,))


def _monthly(words: Sequence[str]) -> Cadence:
    clauses = _clauses("monthly", words)
    days = sorted({_month_day(word) for word in _listed(clauses.get("on", DEFAULT_MONTH_DAY), _EXAMPLES["monthly"])})
    at = _time(clauses.get("at"), "monthly")
    numbers = ",".join(map(str, days))
    return Cadence(f"monthly on {numbers} at {at:%H:%M}", "monthly", Monthly(tuple(days)), (at,))


def _cron(words: Sequence[str]) -> Cadence:
    expression = cron.parse(words)
    return Cadence(f"cron {expression}", "cron", expression, expression.times, expression.hours.is_star)


_READERS: dict[str, Callable[[Sequence[str]], Cadence]] = {
    "instant": _instant,
    "hourly": _hourly,
    "daily": _daily,
    "weekdays": _weekdays,
    "weekly": _weekly,
    "monthly": _monthly,
    "cron": _cron,
}
_EXAMPLES = {
    "daily": "daily at 07:30",
    "weekdays": "weekdays at 07:30",
    "weekly": "weekly on mon,thu at 08:00",
    "monthly": "monthly on 1 at 08:00",
    "cron": "cron 0 8 * * mon-fri",
}
_CLAUSES = {"daily": ("at",), "weekdays": ("at",), "weekly": ("on", "at"), "monthly": ("on", "at")}
_MEANT = {
    "immediately": "instant", "immediate": "instant", "now": "instant", "realtime": "instant", "real-time": "instant",
    "day": "daily", "everyday": "daily", "morning": "daily", "week": "weekly", "month": "monthly", "hour": "hourly",
    "weekend": "weekly on sat,sun at 08:00", "weekends": "weekly on sat,sun at 08:00",
    "biweekly": "monthly on 1,15 at 08:00", "fortnightly": "monthly on 1,15 at 08:00",
    "yearly": "cron 0 8 1 1 *", "annually": "cron 0 8 1 1 *", "year": "cron 0 8 1 1 *",
}  # fmt: skip


def _unknown(words: Sequence[str]) -> CadenceError:
    first = words[0]
    if re.match(r"[0-9*@]", first):
        return CadenceError(f'{_quoted(first)} is not a cadence; a crontab line is written "cron 0 8 * * mon-fri"')
    sought = words[1] if first in ("every", "each") and len(words) > 1 else first
    meant = _MEANT.get(sought) or next(iter(get_close_matches(sought, _READERS, 1)), None)
    if meant:
        return CadenceError(f'{_quoted(first)} is not a cadence; did you mean "{_EXAMPLES.get(meant, meant)}"?')
    known = ", ".join(_READERS)
    return CadenceError(f'{_quoted(first)} is not a cadence; start with one of {known}, as in "daily at 07:30"')


def _stands_alone(kind: str, words: Sequence[str]) -> None:
    if words:
        raise _error(f'"{kind}" stands alone, without {_quoted(" ".join(words))}', kind)


def _clauses(kind: str, words: Sequence[str]) -> dict[str, str]:
    """What stands after `on` and after `at`, each at most once."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for word in words:
        if word in ("on", "at"):
            if word not in _CLAUSES[kind]:
                raise _error(f'"{kind}" takes no "on"; for days of the week there is "weekly"', _EXAMPLES["weekly"])
            if word in found:
                raise _error(f'"{word}" stands there twice', _EXAMPLES[kind])
            current = found.setdefault(word, [])
        elif current is None:
            expected = " or ".join(f'"{clause}"' for clause in _CLAUSES[kind])
            raise _error(f'after "{kind}" comes {expected}, not {_quoted(word)}', _EXAMPLES[kind])
        else:
            current.append(word)
    for clause, content in found.items():
        if not content:
            raise _error(f'after "{clause}" comes a {"time" if clause == "at" else "day"}', _EXAMPLES[kind])
    return {clause: " ".join(content) for clause, content in found.items()}


def _listed(text: str, example: str) -> list[str]:
    found = [word for word in re.split(r"[,\s]+", text) if word not in ("", "and")]
    if not found:
        raise _error(f"{_quoted(text)} names no day", example)
    return found


def _weekday(word: str) -> int:
    singular = word.rstrip("s")
    for number, name in enumerate(_WEEK):
        if len(singular) >= 3 and name.startswith(singular):
            return number
    problem = f"{_quoted(word)} is not a day of the week; those are {', '.join(day[:3] for day in _WEEK)}"
    if "-" in word:
        raise _error(f"{problem}: name each, or from Monday to Friday use weekdays", _EXAMPLES["weekdays"])
    raise _error(problem, _EXAMPLES["weekly"])


def _month_day(word: str) -> int:
    number = re.fullmatch("([0-9]{1,2})(?:st|nd|rd|th)?", word)
    if number is None or not 1 <= int(number[1]) <= 31:
        problem = f"{_quoted(word)} is not a day of the month, from 1 to 31, where 31 is the last day of every month"
        raise _error(problem, _EXAMPLES["monthly"])
    return int(number[1])


def _time(text: str | None, kind: str) -> time:
    """A time such as 7:30, 19:30, 7:30 pm or 7pm."""
    if text is None:
        return time.fromisoformat(DEFAULT_TIME)
    read = _CLOCK.fullmatch(text)
    if read is None or (read[2] is None and read[3] is None):
        raise _error(f"{_quoted(text)} is not a time: hours and minutes, such as 07:30 or 7:30 pm", _EXAMPLES[kind])
    hour, minute = int(read[1]), int(read[2] or 0)
    if read[3]:
        if not 1 <= hour <= 12:
            raise _error(f"{_quoted(text)} is not a time: with am or pm, hours go from 1 to 12", _EXAMPLES[kind])
        hour = hour % 12 + (12 if read[3] == "p" else 0)
    if hour > 23 or minute > 59:
        raise _error(f"{_quoted(text)} is not a time: it goes from 00:00 to 23:59", _EXAMPLES[kind])
    return time(hour, minute)


def _error(problem: str, example: str) -> CadenceError:
    return CadenceError(f'{problem}; write, for instance, "{example}"')


def _quoted(text: str) -> str:
    """Somebody's words inside a message, shortened."""
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'
