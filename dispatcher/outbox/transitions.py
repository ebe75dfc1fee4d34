"""The moves a delivery may make, as data.

      ┌──────── claim released or lost ────────┐
      ▼                                        │
    queued ─────────── claimed ──────────▶ sending ──▶ sent
      ▲                                     ▲   ├────▶ failed ──┐
      │                                     │   ├────▶ held ────┤
      │              claimed when due again │   ▼               │
      │                                    deferred             │
      │                                                         │
      └──────── put back by a person, what expired too ─────────┘

    queued, deferred, held ──▶ expired (too old to be news) · suppressed (the reader has left) · cancelled (by a person)

`sending` may expire or be suppressed too, when that shows between claim and wire. It goes back to `queued` when the
claim is released or its holder has died; it may not be cancelled, because the message may be on the wire. What is
`held` waits for a person, who releases it, cancels it, or knows that it did arrive (`sent`). Nothing leaves `sent`,
`suppressed` or `cancelled`: a later bounce is an event, and a reader who returns gets the next message, not an old one.
"""

from __future__ import annotations

from types import MappingProxyType

from dispatcher.model.values import DeliveryStatus as S

WAITING = frozenset({S.QUEUED, S.DEFERRED})
"""May be claimed as soon as it is due."""

TERMINAL = frozenset({S.SENT, S.FAILED, S.SUPPRESSED, S.EXPIRED, S.CANCELLED})
"""Nothing moves these by itself; a person may still put back what failed or expired."""

TRANSITIONS = MappingProxyType(
    {
        S.QUEUED: frozenset({S.SENDING, S.HELD, S.EXPIRED, S.SUPPRESSED, S.CANCELLED}),
        S.SENDING: frozenset({S.SENT, S.DEFERRED, S.FAILED, S.HELD, S.QUEUED, S.EXPIRED, S.SUPPRESSED}),
        S.DEFERRED: frozenset({S.SENDING, S.QUEUED, S.HELD, S.EXPIRED, S.SUPPRESSED, S.CANCELLED}),
        S.HELD: frozenset({S.QUEUED, S.SENT, S.EXPIRED, S.SUPPRESSED, S.CANCELLED}),
        S.FAILED: frozenset({S.QUEUED}),
        S.EXPIRED: frozenset({S.QUEUED}),
        S.SENT: frozenset[S](),
        S.SUPPRESSED: frozenset[S](),
        S.CANCELLED: frozenset[S](),
    }
)


def allowed(before: S, after: S) -> bool:
    """Whether a delivery may move from `before` to `after`. Staying is not a move."""
    return after in TRANSITIONS[before]
