"""A page of anything, newest first: what comes after a number never depends on what was added meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Article, Match, Topic
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import SubscriptionStatus
from dispatcher.store.engine import Noun, Transaction, many, table

ARTICLE, MATCH, TOPIC = table(Article), table(Match), table(Topic)
SUBSCRIBER, SUBSCRIPTION = table(Subscriber), table(Subscription)
DELIVERY, DIGEST = table(Delivery), table(Digest)


async def articles(
    tx: Transaction, *, before: int | None, limit: int, source_id: int | None = None, topic: Topic | None = None,
    since: datetime | None = None,
) -> list[Article]:  # fmt: skip
    """Articles that are still kept: of one source, of one topic, first seen since an instant."""
    where: list[Any] = [ARTICLE.c.pruned_at.is_(None)]
    where += [] if source_id is None else [ARTICLE.c.source_id == source_id]
    where += [] if since is None else [ARTICLE.c.seen_at >= since]
    if topic is not None:
        matched = sa.exists().where((MATCH.c.article_id == ARTICLE.c.id) & (MATCH.c.query_id == topic.query_id))
        where.append(matched)
    return await _page(tx, Article, before, limit, *where)


async def topics(tx: Transaction, *, before: int | None, limit: int) -> list[Topic]:
    """The publisher's topics."""
    return await _page(tx, Topic, before, limit, TOPIC.c.owner_id.is_(None))


async def subscribers(
    tx: Transaction, *, before: int | None, limit: int, email: str | None = None, status: str | None = None,
    topic_id: int | None = None,
) -> list[Subscriber]:  # fmt: skip
    """People who were not erased: with an address, of a status, actively following a topic."""
    where: list[Any] = [SUBSCRIBER.c.email != ""]
    where += [] if email is None else [SUBSCRIBER.c.email == email]
    where += [] if status is None else [SUBSCRIBER.c.status == status]
    if topic_id is not None:
        active = (SUBSCRIPTION.c.topic_id == topic_id) & (SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE)
        where.append(sa.exists().where((SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id) & active))
    return await _page(tx, Subscriber, before, limit, *where)


async def deliveries(
    tx: Transaction, *, before: int | None, limit: int, since: datetime | None = None, **same: Any
) -> list[Delivery]:
    """Deliveries, made since an instant; `same` are columns and the values they must have, None being any."""
    where = _same(DELIVERY, same) + ([] if since is None else [DELIVERY.c.created_at >= since])
    return await _page(tx, Delivery, before, limit, *where)


async def digests(tx: Transaction, *, before: int | None, limit: int, since: datetime | None = None) -> list[Digest]:
    """Digests with articles in them; letters are none."""
    where = [DIGEST.c.letter == ""] + ([] if since is None else [DIGEST.c.created_at >= since])
    return await _page(tx, Digest, before, limit, *where)


async def _page(tx: Transaction, noun: type[Noun], before: int | None, limit: int, *where: Any) -> list[Noun]:
    number = table(noun).c.id
    older = [] if before is None else [number < before]
    return await many(tx, noun, *where, *older, order=number.desc(), limit=limit)


def _same(of: sa.Table, values: Mapping[str, Any]) -> list[Any]:
    return [of.c[name] == value for name, value in values.items() if value is not None]
