"""The outbox's own words: its lanes, the statuses that count as waiting, and whose mail is not wanted any more.

It has lanes: one for mail, one for each webhook. Whoever works on a lane claims, renews and takes back in it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Subscriber
from dispatcher.model.feedback import Suppression
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryStatus as Status
from dispatcher.model.values import Priority, SubscriberStatus, SuppressionScope
from dispatcher.store.engine import table

DELIVERY, SUBSCRIBER, SUPPRESSION = table(Delivery), table(Subscriber), table(Suppression)

WAITING = (Status.QUEUED, Status.DEFERRED)
OPEN = (*WAITING, Status.SENDING, Status.HELD)


def is_other_than(column: Any, *values: str) -> sa.ColumnElement[bool]:
    """Not one of these. Unlike `not_in`, it needs no words of its own for each number of them: see Prepared."""
    return sa.and_(*[column != value for value in values])


is_suppressed = sa.exists().where(
    (SUPPRESSION.c.address_hash == DELIVERY.c.address_hash)
    & (
        (SUPPRESSION.c.scope == SuppressionScope.ADDRESS)
        | (SUPPRESSION.c.newsletter_id == DELIVERY.c.newsletter_id)
        & is_other_than(DELIVERY.c.kind, "confirmation", "owner")
    )
)
"""Nothing may go to this address, or nothing of this newsletter."""

has_left = sa.exists().where(
    (SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
    & is_other_than(SUBSCRIBER.c.status, SubscriberStatus.ACTIVE, SubscriberStatus.PENDING)
    # who has paused still gets the letters they ask for, such as the one with the link to go on
    & ((SUBSCRIBER.c.status != SubscriberStatus.PAUSED) | (DELIVERY.c.kind != "confirmation"))
)
"""Its reader has left, or has paused."""

SUPPRESSED, LEFT = "the address is suppressed", "the reader has left or paused"
"""What is kept with a delivery that ended because of the one or the other."""

is_webhook = DELIVERY.c.channel == sa.literal_column("'webhook'")
"""Said as the partial index of these rows says it: with a bound value, SQLite could not know that it may use it."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A part of the outbox that is worked on by itself: what goes to one `webhook`, or, without one, all mail."""

    webhook: str = ""

    @property
    def where(self) -> Any:
        """The rows of this lane, in the words that lead to its index."""
        if self.webhook:
            return is_webhook & (DELIVERY.c.recipient == self.webhook)
        return DELIVERY.c.priority < int(Priority.WEBHOOK)

    @property
    def order(self) -> tuple[Any, ...]:
        """The columns after which the most urgent of its rows come first."""
        return (DELIVERY.c.due_at,) if self.webhook else (DELIVERY.c.priority, DELIVERY.c.due_at, DELIVERY.c.id)


MAIL = Lane()
