"""Rates as people write them, such as "1000/min" or "14/s, 50000/day"."""

from __future__ import annotations

import re

from dispatcher.config.nearest import did_you_mean
from dispatcher.model.rates import UNITS, Rate

_ONE = re.compile(r"([0-9]{1,9})\s*/\s*(\S+)")
_SPELT_OUT = {"sec": "s", "second": "s", "minute": "min", "m": "min", "hour": "h", "hr": "h", "d": "day"}
_EXPECTED = 'expected a number and a unit (s, min, h, day), such as "1000/min" or "14/s, 50000/day"'


def parse(text: str) -> dict[str, Rate]:
    """The rates that `text` names, by unit; none if it is blank.

    ValueError, with a sentence for the person who wrote it, if one is not a rate or two have the same unit.
    """
    found: dict[str, Rate] = {}
    for part in text.split(",") if text.strip() else ():
        match = _ONE.fullmatch(part.strip())
        if match is None or int(match[1]) == 0:
            raise ValueError(f'"{part.strip()[:60]}" is not a rate; {_EXPECTED}')
        if match[2] not in UNITS:
            raise ValueError(f'"{part.strip()[:60]}" is not a rate{_meant(match[1], match[2])}')
        if match[2] in found:
            raise ValueError(f'"{text[:60]}" gives two rates per {match[2]}; keep one of the two')
        found[match[2]] = Rate.per(int(match[1]), UNITS[match[2]])
    return found


def check(text: str) -> str:
    """The text, if it is one or more rates, or blank."""
    parse(text)
    return text


def _meant(count: str, unit: str) -> str:
    spelt = _SPELT_OUT.get(unit.lower().rstrip("s")) or _SPELT_OUT.get(unit.lower())
    if spelt:
        return f'; did you mean "{count}/{spelt}"?'
    return did_you_mean(f"{count}/{unit}", [f"{count}/{unit}" for unit in UNITS], _EXPECTED)
