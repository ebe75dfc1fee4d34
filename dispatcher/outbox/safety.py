"""Safety: what keeps a mistake from becoming a million mails. Pure.

Too much that comes back (S14), or far more going out than usual, keeps bulk mail back until a person has looked; a
daily cap lets it go on tomorrow. Alerts and letters are never kept back by these: only a pause of everything does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dispatcher.model.values import DeliveryKind, PauseScope, Priority

BULK = (DeliveryKind.DIGEST, DeliveryKind.EDITION)
"""What many people get at the same time, and what can wait."""

JUDGED = (*BULK, DeliveryKind.ALERT, DeliveryKind.BREAKING)
"""What bounces and complaints are held against: mail to readers. Letters are not: anybody can have one sent to an
address that does not exist, and could so stop the digests."""

USUAL_DAYS = 30
HISTORY_DAYS = 14
"""How far back the usual is looked for, and how long there must have been mail before anything counts as unusual."""

APPROVED_FOR = timedelta(hours=24)
APPROVED_TIMES = 2
"""An approval holds for a day, and for up to twice as many as were shown: a run may still be growing."""

WINDOWS = (timedelta(days=1), timedelta(days=7))
"""What comes back is held against what was sent in the last day, and in the last week: the one stops a bad batch while
it goes out, the other sees small lists and late complaints."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be claimed now: only priorities that are a lower number than `priority_below`, and at most so many.

    None is no restriction; `priority_below` 0 is nothing at all.
    """

    priority_below: int | None = None
    most: int | None = None

    def lets(self, priority: int) -> bool:
        """Whether something of this priority may go: asked again for what is claimed but not begun."""
        return self.priority_below is None or priority < self.priority_below


@dataclass(frozen=True, slots=True)
class Counts:
    """What came to an end in some stretch of time, and what came back of it."""

    sent: int = 0
    failed: int = 0
    bounced: int = 0
    complained: int = 0

    @property
    def ended(self) -> int:
        """How many were tried to their end."""
        return self.sent + self.failed

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            max(self.sent - other.sent, 0),
            max(self.failed - other.failed, 0),
            max(self.bounced - other.bounced, 0),
            max(self.complained - other.complained, 0),
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may come back: parts of 1 of what ended, once at least `batch` did. 0 is no limit."""

    bounced: float
    complained: float
    batch: int


@dataclass(slots=True)
class Watch:
    """What a process remembers between two claims, so that most of them need not count anything.

    Deliveries are numbered as they come: between two looks no more can have come than the highest number has grown by.
    On `day`, by `chosen` settings, `slack` more after number `newest` are not too many; None: any number is not.
    `looked_at` is when it last looked at what came back.
    """

    day: date | None = None
    newest: int = 0
    slack: int | None = 0
    chosen: object = None
    looked_at: datetime | None = None

    def is_calm(self, day: date, newest: int, chosen: object) -> bool:
        """Whether there cannot be too many, whatever has come since the last count."""
        if (self.day, self.chosen) != (day, chosen) or newest < self.newest:
            return False
        return self.slack is None or newest - self.newest <= self.slack

    def keep(self, day: date, newest: int, chosen: object, slack: int | None) -> bool:
        """Remember a count: so many more would not be too many. Whether it is not too many already.

        Too many is not remembered: whatever a person decides about it, the next look counts.
        """
        self.day, self.newest, self.chosen, self.slack = day, newest, chosen, slack
        if slack is not None and slack < 0:
            self.day = None
        return self.day is not None


def allowance(scopes: Sequence[PauseScope], left_today: int | None) -> Allowance:
    """What the open pauses and the rest of the daily cap allow. The cap counts all mail and holds up only bulk mail."""
    if PauseScope.ALL in scopes:
        return Allowance(priority_below=0)
    if PauseScope.BULK in scopes or (left_today is not None and left_today <= 0):
        return Allowance(priority_below=int(Priority.DIGEST))
    return Allowance(most=left_today)


def too_much_back(counts: Counts, limits: Limits) -> str:
    """What is wrong with what came back, in words; empty if nothing is."""
    if counts.ended < limits.batch:
        return ""
    if limits.bounced and counts.bounced >= limits.bounced * counts.ended:
        return _said(counts.bounced, counts.ended, "bounced for good", limits.bounced)
    if limits.complained and counts.complained >= limits.complained * counts.ended:
        return _said(counts.complained, counts.ended, "brought a complaint", limits.complained)
    return ""


def _said(number: int, ended: int, did: str, limit: float) -> str:
    return f"{number:,} of {ended:,} mails {did}: {number / ended:.2%}, where {limit:.2%} is the limit"


def usual(daily: Mapping[date, int], first: date | None, today: date) -> int | None:
    """The most bulk mail on one of the last 30 days before today; None while there are not yet 14 days of history."""
    if first is None or today - first < timedelta(days=HISTORY_DAYS):
        return None
    recent = (number for day, number in daily.items() if timedelta(0) < today - day <= timedelta(days=USUAL_DAYS))
    return max(recent, default=0)


def most_unasked(usual_number: int | None, *, factor: float, over: int, approved: int = 0) -> int | None:
    """How much bulk mail may go out on one day without anybody being asked; None: as much as there is."""
    if usual_number is None or not factor:
        return None
    return max(over, int(usual_number * factor), approved * APPROVED_TIMES)


def hour_of(moment: datetime) -> datetime:
    """The full hour that a moment is counted in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """The midnight, UTC, that a moment's day began with."""
    return hour_of(moment).replace(hour=0)
