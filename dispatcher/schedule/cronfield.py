"""One field of a crontab(5) expression: `*`, `*/15`, `7`, `mon-fri`, `1,15`, `8-18/2`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dispatcher.errors import CadenceError

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip

_STEP = re.compile(r"(.*)/(.*)")
_RANGE = re.compile(r"([^-]+)-([^-]+)")


@dataclass(frozen=True, slots=True)
class Span:
    """What a field may hold: its name, the numbers from `low` to `high`, and names for those from `low` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, word: str) -> int:
        """The number that a word stands for."""
        if re.fullmatch("[0-9]{1,4}", word):
            if not self.low <= int(word) <= self.high:
                raise _error(f"{self.name} {word} does not exist: it goes from {self.low} to {self.high}")
            return int(word)
        for number, name in enumerate(self.names, self.low):
            if word in (name, name[:3]):
                return number
        raise _error(f'"{word}" is not {self._kind()}')

    def _kind(self) -> str:
        named = f" or a name such as {self.names[1][:3]}" if self.names else ""
        return f"a number from {self.low} to {self.high}{named}, which the {self.name} field needs"


MINUTE = Span("minute", 0, 59)
HOUR = Span("hour", 0, 23)
MONTH_DAY = Span("day of month", 1, 31)
MONTH = Span("month", 1, 12, MONTHS)
WEEKDAY = Span("day of week", 0, 7, WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Field:
    """The numbers a field admits, ascending, and its canonical text. `is_star` if it starts with an asterisk.

    Days of the week are numbered from Monday, 0, to Sunday, 6, as Python does.
    """

    values: tuple[int, ...]
    text: str

    @property
    def is_star(self) -> bool:
        """Whether the field is, by crontab(5), unrestricted."""
        return self.text.startswith("*")


def parse(text: str, span: Span) -> Field:
    """Read one field, in lower case. CadenceError if it is not one."""
    if text.startswith("*"):
        return _star(text, span)
    found = sorted({_as_python(number, span) for part in text.split(",") for number in _part(part, span)})
    return Field(tuple(found), _write(found, span))


def _star(text: str, span: Span) -> Field:
    step = 1
    if text != "*":
        if not text.startswith("*/"):
            raise _error(f'"{text}": in the {span.name} field, * stands alone or has a step, such as */2')
        step = _step(text[2:], span)
    numbers = range(span.low, span.high + 1, step)
    found = sorted({_as_python(number, span) for number in numbers})
    return Field(tuple(found), "*" if step == 1 else f"*/{step}")


def _part(part: str, span: Span) -> range:
    """One element of a list: a number, a range, or a range with a step."""
    stepped = _STEP.fullmatch(part)
    bounds = _RANGE.fullmatch(stepped[1] if stepped else part)
    if stepped and not bounds:
        raise _error(f'"{part}": a step needs a range or *, such as {span.low}-{span.high}/2')
    if not part:
        raise _error(f"the list of the {span.name} field has an empty place; commas stand between two values")
    if not bounds:
        number = span.number(part)
        return range(number, number + 1)
    first, last = span.number(bounds[1]), span.number(bounds[2])
    if span is WEEKDAY and last == 0 < first:
        last = 7  # sat-sun: Sunday closes the week
    if first > last:
        start = 1 if span is WEEKDAY else span.low
        raise _error(f'"{part}" runs backwards: make two of it, {bounds[1]}-{span.high},{start}-{bounds[2]}')
    return range(first, last + 1, _step(stepped[2], span) if stepped else 1)


def _step(word: str, span: Span) -> int:
    if not re.fullmatch("[0-9]{1,4}", word) or not 1 <= int(word) <= span.high:
        raise _error(f'"/{word}" is not a step: the {span.name} field takes one from /1 to /{span.high}')
    return int(word)


def _as_python(number: int, span: Span) -> int:
    """Days of the week from Monday: crontab(5) has Sunday first, as 0, and again as 7."""
    return (number - 1) % 7 if span is WEEKDAY else number


def _write(values: list[int], span: Span) -> str:
    """Runs and single values; many at even distances as one range with a step."""
    width = values[1] - values[0] if len(values) > 5 else 1
    if width > 1 and values == list(range(values[0], values[-1] + 1, width)):
        return f"{_word(values[0], span)}-{_word(values[-1], span)}/{width}"
    return ",".join(_write_run(run, span) for run in _runs(values))


def _runs(values: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return runs


def _write_run(run: list[int], span: Span) -> str:
    words = [_word(value, span) for value in run]
    return f"{words[0]}-{words[-1]}" if len(words) > 2 else ",".join(words)


def _word(value: int, span: Span) -> str:
    """Days by name, because half the world's crons disagree about their numbers."""
    return WEEKDAYS[(value + 1) % 7][:3] if span is WEEKDAY else str(value)


def _error(problem: str) -> CadenceError:
    return CadenceError(f'{problem}; write, for instance, "cron 0 8 * * mon-fri"')
