"""Slow-down: what a complaint about our pace leads to, and how the pace comes back. Pure.

421, 4.7.28, "too many" ──▶ half of what it was ──▶ (a quiet minute) a tenth more ──▶ … ──▶ all of it again
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.model.rates import Rate
from dispatcher.model.values import Outcome, OutcomeKind

HALF = 0.5
LEAST = 1 / 64
"""It is never stopped: nobody would find out that it is over."""

STEP = 0.1
CALM = timedelta(seconds=60)
"""After each quiet minute, a tenth of the former pace comes back."""

DEAF = timedelta(seconds=30)
"""The messages that were on their way complain too: within this time, that is one complaint."""

SLOWEST = 10.0
"""Messages a second: what counts as the former pace where less was measured. A relay that has nothing to do is not
slow, and one complaint about its first message must not hold up a whole mailing."""

CLOSING = 421  # RFC 5321 §3.8; the whole destination is to be left alone for a while (standards S3)
RATE_CODES = frozenset({"4.7.28", "4.7.650"})

_WORDS = re.compile(
    r"too (many|fast|quick|much)|rate.?limit|throttl|slow(ing)? down|un(usual|expected) (rate|volume)"
    r"|(reduc|limit)\w* .{0,40}rate|exceed\w* .{0,40}\brate|\brate .{0,40}exceed"
    r"|(rate|sending|connection|hourly|daily) limit",
    re.IGNORECASE,
)
_LATER = re.compile(r"try (it )?again later|later try|temporarily deferred", re.IGNORECASE)
_OTHER_REASONS = re.compile(
    r"gr[ae]y.?list|too many (recipients|hops|invalid|bad|unknown|errors?)"
    r"|shut(ting)? ?down|restart|time.?(d |d)?out|idle",
    re.IGNORECASE,
)


def is_complaint(outcome: Outcome) -> bool:
    """Whether the other side asks us to slow down.

    Greylisting, a full mailbox, one mailbox's own limit and a server that shuts down are not it.
    """
    if outcome.kind is not OutcomeKind.DEFERRED or _OTHER_REASONS.search(outcome.text):
        return False
    if outcome.code == CLOSING or outcome.enhanced in RATE_CODES:
        return True
    if outcome.enhanced.startswith("4.7."):
        return bool(_WORDS.search(outcome.text) or _LATER.search(outcome.text))
    return not outcome.enhanced and 400 <= outcome.code < 500 and bool(_WORDS.search(outcome.text))


@dataclass(frozen=True, slots=True)
class Slowdown:
    """What is allowed: a `part` of a `pace`, in messages a second."""

    part: float
    pace: float

    @property
    def rate(self) -> Rate:
        """The rate that this comes to."""
        return Rate.per(self.part * self.pace, 1)


def in_force(slowed: float, changed_at: datetime, now: datetime) -> float:
    """The part of the former pace that is allowed by now; 1.0 is all of it, and no limit any more."""
    steps = max((now - changed_at) // CALM, 0)
    return min(slowed + steps * STEP, 1.0)


def after_complaint(
    slowed: float, pace: float, changed_at: datetime | None, now: datetime, measured: float
) -> Slowdown | None:
    """What is allowed after a complaint at a `measured` pace; None if that is only the echo of the last one.

    What was slowed down already goes on from the pace it began with, a new one from what was measured.
    """
    if changed_at is not None and timedelta(0) <= now - changed_at < DEAF:
        return None
    before = in_force(slowed, changed_at, now) if changed_at is not None else 1.0
    former = pace if before < 1.0 else max(measured, SLOWEST)
    return Slowdown(max(before * HALF, LEAST), former)


LONGEST = CALM * (1 / STEP + 1)
"""Nothing is slowed down for longer than this after the last complaint."""
