"""What the admin's pages list and count. Every question is answered from an index, or stops after a known number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Match, Topic
from dispatcher.model.outbound import DONE, Delivery
from dispatcher.model.values import DeliveryStatus, SubscriptionStatus
from dispatcher.store.engine import Transaction, many, table

SUBSCRIBER, SUBSCRIPTION, MATCH = table(Subscriber), table(Subscription), table(Match)
DELIVERY = table(Delivery)

COUNTED = 10_000
"""Beyond this, "more than" is said: counting a million rows takes longer than a page may."""

_WAITING = (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED, DeliveryStatus.SENDING, DeliveryStatus.HELD)
_LAST = "\U0010ffff"  # sorts behind every character that an address may have


@dataclass(frozen=True, slots=True)
class Counted:
    """How many there are, or `is_more`: more than so many."""

    number: int
    is_more: bool = False


async def count(tx: Transaction, query: sa.Select[Any]) -> Counted:
    """How many rows a query finds, as far as we count."""
    some = (
        query.order_by(None).with_only_columns(sa.literal(1), maintain_column_froms=True).limit(COUNTED + 1).subquery()
    )
    found = int((await tx.execute(sa.select(sa.func.count()).select_from(some))).scalar_one())
    return Counted(min(found, COUNTED), found > COUNTED)


def beginning(tx: Transaction | AsyncEngine, column: sa.Column[Any], text: str) -> sa.ColumnElement[bool]:
    """That a text column begins so, said in a way that an index answers.

    SQLite compares octets, so that a range will do. PostgreSQL's order is the language's: there it is LIKE.
    """
    if tx.dialect.name == "sqlite":
        return (column >= text) & (column < text + _LAST)
    return column.startswith(text, autoescape=True)


async def readers(tx: Transaction, start: str, limit: int) -> list[Subscriber]:
    """People whose address begins so, by address; without a beginning the latest."""
    if not start:
        return await many(tx, Subscriber, SUBSCRIBER.c.email != "", order=SUBSCRIBER.c.id.desc(), limit=limit)
    where = (SUBSCRIBER.c.email != "") & beginning(tx, SUBSCRIBER.c.email, start)
    return await many(tx, Subscriber, where, order=SUBSCRIBER.c.email, limit=limit)


async def deliveries(tx: Transaction, status: DeliveryStatus, limit: int) -> list[Delivery]:
    """Deliveries of a status: the most urgent of those that wait, the latest of those that are done."""
    of_it = DELIVERY.c.status == status
    if status in _WAITING:
        order = sa.text("priority, due_at")
        return await many(tx, Delivery, of_it, order=order, limit=limit)
    return await many(tx, Delivery, of_it, DONE, order=DELIVERY.c.finished_at.desc(), limit=limit)


async def topic_figures(tx: Transaction, topic: Topic) -> tuple[Counted, Counted]:
    """How many articles match a topic, and how many follow it."""
    matched = sa.select(MATCH.c.release).where(MATCH.c.query_id == topic.query_id)
    active = SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE
    following = sa.select(SUBSCRIPTION.c.id).where((SUBSCRIPTION.c.topic_id == topic.id) & active)
    return await count(tx, matched), await count(tx, following)
