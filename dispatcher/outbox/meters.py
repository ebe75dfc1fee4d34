"""Meters: what is limited, while it is given out: a rate, a ration, places to wait for a slot. Pure.

A token says when its message may leave: up to HORIZON ahead, so that a process has enough to do until it next asks. All
instants are seconds since the epoch, by one clock: the database's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from dispatcher.model.rates import Rate

HORIZON = 2.0
"""Seconds. No longer, because what is urgent waits for as long, when others have taken the tokens."""

EARLY = 1.0
"""Seconds by which what was put back comes before its token could be taken, to be claimed in time."""

EAGER = 0.95
"""What is put back comes a little faster than tokens do: some of it will not be wanted any more."""

LONGEST, RATION_LONGEST = 600.0, 3600.0
"""Seconds for which anything is put back at most: rates change, and nothing may miss it for long."""

SOONEST = 0.2
"""Seconds for which anything is put back at least."""

PLACES, SLOT_PACE = 4, 1.0
"""Places to wait for each slot, and the messages a second that one is taken to let pass while nothing is measured."""

RESERVE = 0.005
"""The part of a ration that is kept for what is urgent."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a rate stands: when its next token comes, which ones were used when, and until when mail was put back.

    `spent` is for rations: (number of the slot, tokens), the oldest first. A slot is as long as the rate's tolerance.
    """

    next_at: float = 0.0
    spent: tuple[tuple[int, int], ...] = ()
    booked_until: float = 0.0


class Meter(Protocol):
    """What is limited, while it is given out."""

    def left(self, *, is_urgent: bool) -> int:
        """How many tokens can be taken now."""
        ...

    def take(self) -> float:
        """Take one; when it may be used."""
        ...

    def book(self, number: int, *, is_urgent: bool) -> float:
        """When delivery `number`, which got none, should ask again."""
        ...


def meter(rate: Rate, standing: Standing, now: float) -> Pace | Ration:
    """The meter of a rate."""
    return Ration(rate, standing, now) if rate.is_ration else Pace(rate, standing, now)


class Pace:
    """Tokens at even distances; what is not taken in time is gone."""

    def __init__(self, rate: Rate, standing: Standing, now: float) -> None:
        self.rate, self._now = rate, now
        # a clock that was set back must not stop the mail for as long
        self._next_at = min(max(standing.next_at, now), now + HORIZON + rate.interval)
        self._booked_until, self._urgent = standing.booked_until, 0

    @property
    def standing(self) -> Standing:
        """How it stands by now."""
        return Standing(self._next_at, (), self._booked_until)

    def left(self, *, is_urgent: bool) -> int:
        """See Meter."""
        ahead = self._now + HORIZON - self._next_at
        return int(ahead / self.rate.interval) + 1 if ahead >= 0 else 0

    def take(self) -> float:
        """See Meter."""
        at, self._next_at = self._next_at, self._next_at + self.rate.interval
        return at

    def book(self, number: int, *, is_urgent: bool) -> float:
        """What is urgent comes back for the next tokens; the rest lines up behind what was put back before."""
        if is_urgent:
            self._urgent += 1
            return self._early(self._next_at + (self._urgent - 1) * self.rate.interval)
        at = max(self._booked_until, self._next_at)
        if at > self._now + LONGEST:
            return self._now + LONGEST * _share(number)
        self._booked_until = at + self.rate.interval * EAGER
        return self._early(at)

    def _early(self, at: float) -> float:
        return max(at - HORIZON - EARLY, self._now + SOONEST)


class Ration:
    """So many in any stretch of its span, counted in slots: at once, as long as there are any."""

    def __init__(self, rate: Rate, standing: Standing, now: float) -> None:
        self.rate, self._now, self._width = rate, now, rate.tolerance
        self._slot = int(now / self._width)
        # a slot counts until the last message that it let go, perhaps one slot late, is older than the span
        self._lasts = round(rate.span / self._width) + 2
        self._spent: dict[int, int] = {}
        self._used = 0
        for slot, used in standing.spent:
            if slot > self._slot - self._lasts:
                self._spend(min(slot, self._slot), used)  # it may be ahead of a clock that was set back
        self._most = max(int(rate.count), 1)
        self._reserve = math.ceil(self._most * RESERVE) if self._most > 1 else 0
        self._booked_until, self._urgent = standing.booked_until, now

    @property
    def standing(self) -> Standing:
        """How it stands by now."""
        return Standing(self._now, tuple(sorted(self._spent.items())), self._booked_until)

    def left(self, *, is_urgent: bool) -> int:
        """See Meter."""
        return max(self._most - self._used - (0 if is_urgent else self._reserve), 0)

    def take(self) -> float:
        """See Meter."""
        self._spend(self._slot, 1)
        return self._now

    def book(self, number: int, *, is_urgent: bool) -> float:
        """Tokens come back as they were used, one span later: what is put back lines up for them likewise."""
        at, then = self._returning(self._urgent if is_urgent else max(self._booked_until, self._now))
        if at > self._now + RATION_LONGEST:
            return self._now + RATION_LONGEST * _share(number)
        if is_urgent:
            self._urgent = then
        else:
            self._booked_until = then
        return max(at, self._now + SOONEST)

    def _returning(self, after: float) -> tuple[float, float]:
        """When the first token comes back that does so at `after` or later, and when the one after it does."""
        for slot, used in sorted(self._spent.items()):
            begin = (slot + self._lasts) * self._width
            at = max(begin, after)
            if at < begin + self._width:
                return at, at + self._width / used * EAGER
        return math.inf, after

    def _spend(self, slot: int, tokens: int) -> None:
        self._spent[slot] = self._spent.get(slot, 0) + tokens
        self._used += tokens


class Bench:
    """Places among those that wait for one of a destination's slots: enough to keep these busy, and no more, or they
    would take up all the room that others could use. `pace` is how fast they go, in messages a second."""

    def __init__(self, slots: int, pace: float, now: float, booked_until: float = 0.0) -> None:
        self._pace, self._now = max(pace, slots * SLOT_PACE), now
        self._places = max(slots * PLACES, math.ceil(self._pace * HORIZON * 2))
        self.booked_until = max(booked_until, now)

    def left(self, *, is_urgent: bool) -> int:
        """See Meter."""
        return self._places

    def take(self) -> float:
        """See Meter."""
        self._places -= 1
        return self._now

    def book(self, number: int, *, is_urgent: bool) -> float:
        """Who found no place comes back one after the other, twice as fast as the others go."""
        if self.booked_until > self._now + LONGEST:
            return self._now + LONGEST * _share(number)
        self.booked_until += 1 / (2 * self._pace)
        return max(self.booked_until, self._now + SOONEST)


def _share(number: int) -> float:
    """A number between a half and 1 for each delivery: neighbours come far apart."""
    return (1 + number * 0.6180339887498949 % 1.0) / 2
