"""Durations as people write them, such as "15m", "7d" or "1h30m", to and from timedelta."""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PATTERN = re.compile(r"(?:([0-9]{1,9})w)?(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_SPELT_OUT = re.compile(r"([0-9]{1,9})(weeks?|days?|hours?|hrs?|hr|minutes?|mins?|seconds?|secs?)")
_LONGEST = timedelta(days=36_500)


def parse(text: str) -> timedelta:
    """The duration that `text` names: whole weeks, days, hours, minutes, seconds in that order, a day being 24 hours.

    ValueError, with a sentence for the person who wrote it, if it is not one or is longer than a century.
    """
    match = _PATTERN.fullmatch(text.strip())
    if not text.strip() or match is None:
        raise ValueError(f'"{text[:60]}" is not a duration; {_hint(text)}')
    counts = zip(match.groups(default="0"), _SECONDS.values(), strict=True)
    seconds = sum(int(count) * worth for count, worth in counts)
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f'"{text[:60]}" is longer than a hundred years; expected at most "36500d"')
    return timedelta(seconds=seconds)


def write(duration: timedelta) -> str:
    """The shortest text that `parse` reads as `duration`; "0s" for none. Fractions of a second are dropped."""
    rest = int(duration.total_seconds())
    parts = []
    for unit, worth in list(_SECONDS.items())[1:]:  # "7d" reads better than "1w" beside "90d"
        count, rest = divmod(rest, worth)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _hint(text: str) -> str:
    compact = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"[0-9]{1,9}", compact):
        return f'it has no unit; did you mean "{compact}s"?'
    spelt_out = re.sub(_SPELT_OUT, lambda found: found[1] + found[2][0], compact)
    if spelt_out and _PATTERN.fullmatch(spelt_out):
        return f'did you mean "{spelt_out}"?'
    return 'expected a number and a unit (s, m, h, d, w), such as "15m" or "1h30m"'
