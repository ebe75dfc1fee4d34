"""What an attempt's outcome means for its delivery: done, again later, given up, or a matter for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.model.values import Blame, DeliveryStatus, Outcome, OutcomeKind

GREYLISTED = timedelta(minutes=5)
"""The first retry: 5 to 15 minutes, allowed once, because greylisting servers want to see us again (RFC 6647 §5)."""

PATIENCE = timedelta(minutes=30)
"""Every later retry: at least half an hour, then twice as long each time (RFC 5321 §4.5.4.1)."""

LONGEST = timedelta(hours=8)

RELAY_SOONEST = timedelta(seconds=15)
RELAY_LATEST = timedelta(minutes=5)
"""A dead relay is knocked at often: it is ours, and every message waits for it."""

UNCERTAIN_SOONEST = timedelta(minutes=1)
UNCERTAIN_LIMIT = 5
"""Attempts after which a message that ends uncertain is held: each of them may have put a copy in the mailbox."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a delivery. `retry_at` is set when, and only when, it is deferred.

    `suppress` ends all mail to the address, `soft_bounce` is one strike against it, `counts` says whether this was an
    attempt at all: a relay that cannot be used is not the message's fault.
    """

    status: DeliveryStatus
    retry_at: datetime | None = None
    suppress: bool = False
    soft_bounce: bool = False
    counts: bool = True
    reason: str = ""


def decide(
    outcome: Outcome,
    *,
    attempts: int,
    expires_at: datetime,
    now: datetime,
    on_uncertain: str = "resend",
    jitter: float,
    failing_since: datetime | None = None,
) -> Decision:
    """Turn an outcome into a decision.

    `attempts` counts the tries so far, this one included, but for those with `counts` false; `jitter` is in [0, 1);
    `failing_since` is when the relay stopped working, if it has. Nothing is ever retried at or after `expires_at`.
    """
    if outcome.kind is OutcomeKind.ACCEPTED:
        return Decision(DeliveryStatus.SENT, reason=reason_of(outcome))
    if outcome.kind is OutcomeKind.REJECTED:
        return _give_up(outcome)
    if outcome.kind is OutcomeKind.UNCERTAIN and (on_uncertain == "hold" or attempts >= UNCERTAIN_LIMIT):
        return Decision(DeliveryStatus.HELD, reason=f"it may have arrived: {reason_of(outcome)}")
    return _again_or_expired(outcome, now + _delay(outcome, attempts, now, jitter, failing_since), expires_at)


def reason_of(outcome: Outcome) -> str:
    """The code, the enhanced code and the server's words on one line."""
    enhanced = "" if outcome.text.startswith(outcome.enhanced) else outcome.enhanced
    parts = (str(outcome.code or ""), enhanced, " ".join(outcome.text.split()))
    return " ".join(part for part in parts if part)


def _give_up(outcome: Outcome) -> Decision:
    return Decision(
        DeliveryStatus.FAILED,
        suppress=outcome.blame is Blame.ADDRESS,
        soft_bounce=outcome.blame is Blame.ADDRESS_SOFT,
        reason=reason_of(outcome),
    )


def _again_or_expired(outcome: Outcome, retry_at: datetime, expires_at: datetime) -> Decision:
    counts = not _is_relay_down(outcome)
    if retry_at < expires_at:
        return Decision(DeliveryStatus.DEFERRED, retry_at, counts=counts, reason=reason_of(outcome))
    return Decision(
        DeliveryStatus.EXPIRED,
        # One strike for the whole delivery, not one for each polite "mailbox full" on the way here.
        soft_bounce=outcome.blame is Blame.ADDRESS_SOFT,
        counts=counts,
        reason=f"no time for another try; last: {reason_of(outcome)}",
    )


def _is_relay_down(outcome: Outcome) -> bool:
    return outcome.kind is OutcomeKind.DEFERRED and outcome.blame is Blame.RELAY


def _delay(outcome: Outcome, attempts: int, now: datetime, jitter: float, failing_since: datetime | None) -> timedelta:
    if _is_relay_down(outcome):
        down_for = now - failing_since if failing_since else timedelta(0)
        return _spread(min(max(down_for, RELAY_SOONEST), RELAY_LATEST), jitter)
    if outcome.kind is OutcomeKind.UNCERTAIN:
        return _spread(_doubled(UNCERTAIN_SOONEST, attempts - 1), jitter)
    if attempts <= 1:
        return GREYLISTED * (1 + 2 * jitter)
    return _spread(_doubled(PATIENCE, attempts - 2), jitter)


def _doubled(first: timedelta, times: int) -> timedelta:
    """`first`, doubled so many times, up to the longest wait; the exponent is capped so that it cannot overflow."""
    return min(first * (1 << min(max(times, 0), 16)), LONGEST)


def _spread(delay: timedelta, jitter: float) -> timedelta:
    """Up to a quarter longer, never shorter: those deferred together must not come back together."""
    return delay * (1 + jitter / 4)
