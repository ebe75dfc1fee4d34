"""The numbers of `dispatcher status`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Article, Match, Source, Topic
from dispatcher.model.feedback import Suppression
from dispatcher.model.values import SubscriberStatus, SubscriptionStatus
from dispatcher.store import instances, outbox, pauses
from dispatcher.store.engine import Store, Transaction, table


async def overview(store: Store) -> dict[str, Any]:
    """`status`, what keeps mail back, and the daemon that runs on this database, if there is one."""
    daemon = await instances.living_daemon(store)
    async with store.read() as tx:
        found = await status(tx)
        found["pauses"] = [
            pause.model_dump(include={"scope", "cause", "reason", "by", "since"}) for pause in await pauses.in_force(tx)
        ]
    found["daemon"] = {"pid": daemon.pid, "host": daemon.host, "since": daemon.started_at} if daemon else None
    return found


async def status(tx: Transaction) -> dict[str, Any]:
    """Counts of everything that flows through the pipe."""
    source, subscriber, subscription = table(Source), table(Subscriber), table(Subscription)
    return {
        "sources": await _count(tx, Source),
        "sources_failing": await _count(tx, Source, source.c.failures > 0),
        "sources_paused": await _count(tx, Source, source.c.is_paused.is_(True)),
        "articles": await _count(tx, Article),
        "topics": await _count(tx, Topic),
        "matches": await _count(tx, Match),
        "subscribers": await _count(tx, Subscriber),
        "subscribers_active": await _count(tx, Subscriber, subscriber.c.status == SubscriberStatus.ACTIVE),
        "subscriptions": await _count(tx, Subscription, subscription.c.status == SubscriptionStatus.ACTIVE),
        "suppressions": await _count(tx, Suppression),
        "deliveries": await outbox.counts(tx),
    }


async def _count(tx: Transaction, noun: type[SQLModel], *where: Any) -> int:
    return int((await tx.execute(sa.select(sa.func.count()).select_from(table(noun)).where(*where))).scalar_one())
