"""When a webhook that could not be told is told again: soon at first, then hourly, while the event is worth it."""

from __future__ import annotations

from datetime import datetime, timedelta

from dispatcher.model.values import DeliveryStatus, Outcome, OutcomeKind
from dispatcher.outbox.retry import Decision, reason_of

DELAYS = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
EVERY = timedelta(hours=1)
"""After the last of the delays."""


def decide(
    outcome: Outcome, *, attempts: int, expires_at: datetime, now: datetime, jitter: float,
    retry_after: timedelta | None = None,
) -> Decision:  # fmt: skip
    """Turn an outcome into a decision.

    `attempts` counts the tries so far, this one included; `jitter` is in [0, 1). The program is told again no sooner
    than it asks for, and never at or after `expires_at`.
    """
    if outcome.kind is OutcomeKind.ACCEPTED:
        return Decision(DeliveryStatus.SENT)
    reason = reason_of(outcome)
    if outcome.kind is OutcomeKind.REJECTED:
        return Decision(DeliveryStatus.FAILED, reason=reason)
    retry_at = now + max(_delay(attempts) * (1 + jitter / 4), retry_after or timedelta(0))
    if retry_at < expires_at:
        return Decision(DeliveryStatus.DEFERRED, retry_at, reason=reason)
    return Decision(DeliveryStatus.EXPIRED, reason=f"no time for another try; last: {reason}")


def _delay(attempts: int) -> timedelta:
    return DELAYS[attempts - 1] if 1 <= attempts <= len(DELAYS) else EVERY
