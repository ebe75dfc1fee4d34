"""Warm-up: a sender nobody knows yet sends little at first, and at most twice as much each day (standards P4). Pure."""

from __future__ import annotations

from datetime import date

from dispatcher.model.rates import UNITS, Rate

FIRST_DAY = 50
LONGEST = 30
"""Days after which even a plan without an end is over: by then it would be fifty thousand million a day."""


def most_a_day(began_on: date, today: date, until: int) -> Rate | None:
    """What may leave in any 24 hours of `today`; None once the plan has reached `until`, or is over.

    Before `began_on` it is what the first day allows.
    """
    day = max((today - began_on).days, 0)
    if day >= LONGEST:
        return None
    count = FIRST_DAY << day
    return Rate(count, UNITS["day"]) if count < until else None
