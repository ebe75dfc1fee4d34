"""Editions: what people write, how far each has come, and to whom it goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Article, Topic
from dispatcher.model.edition import EDITION_MOVES, Audience, Edition, EditionStatus
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import DeliveryStatus, SubscriptionStatus
from dispatcher.store.engine import Transaction, add, chunks, load, many, one, table
from dispatcher.store.newsletters import is_read_by

EDITION, DIGEST, DELIVERY, ARTICLE = table(Edition), table(Digest), table(Delivery), table(Article)
SUBSCRIBER, SUBSCRIPTION, TOPIC = table(Subscriber), table(Subscription), table(Topic)

FURTHEST_EAST = timedelta(hours=14)
"""How much earlier than in UTC it is any hour on the wall anywhere."""


async def by_slug(tx: Transaction, slug: str) -> Edition | None:
    """The edition of this name."""
    return await one(tx, Edition, EDITION.c.slug == slug)


async def by_ids(tx: Transaction, ids: Sequence[int]) -> dict[int, Edition]:
    """Editions by id."""
    found: dict[int, Edition] = {}
    for part in chunks(sorted(set(ids))):
        found |= {edition.id or 0: edition for edition in await many(tx, Edition, EDITION.c.id.in_(part))}
    return found


async def every(tx: Transaction, *, limit: int, before: int | None = None) -> list[Edition]:
    """The newest editions, or those that are older than one."""
    older = () if before is None else (EDITION.c.id < before,)
    return await many(tx, Edition, *older, order=EDITION.c.id.desc(), limit=limit)


async def insert(tx: Transaction, edition: Edition) -> int:
    """Keep a new one; returns its id."""
    return await add(tx, edition)


async def lock(tx: Transaction, edition_id: int) -> Edition:
    """An edition that nobody else can change until this transaction ends."""
    (found,) = await load(tx, sa.select(Edition).where(EDITION.c.id == edition_id).with_for_update())
    return found


async def write(tx: Transaction, edition_id: int, **changes: Any) -> None:
    """Change anything of an edition but where it stands."""
    assert "status" not in changes
    await tx.execute(sa.update(EDITION).where(EDITION.c.id == edition_id).values(**changes))


async def move(tx: Transaction, edition_id: int, after: EditionStatus, **changes: Any) -> bool:
    """Have an edition stand elsewhere, if there is a move that leads there from where it stands."""
    before = [status for status, moves in EDITION_MOVES.items() if after in moves]
    change = sa.update(EDITION).where((EDITION.c.id == edition_id) & EDITION.c.status.in_(before))
    return bool((await tx.execute(change.values(status=after, **changes))).rowcount)


async def due(tx: Transaction, now: datetime) -> list[int]:
    """Editions that may have readers to whom it is time to send them."""
    is_time = (EDITION.c.send_at <= now) | EDITION.c.in_reader_zone & (EDITION.c.send_at <= now + FURTHEST_EAST)
    stands = EDITION.c.status.in_((EditionStatus.SCHEDULED, EditionStatus.SENDING))
    return [row[0] for row in await tx.execute(sa.select(EDITION.c.id).where(stands & is_time).order_by(EDITION.c.id))]


async def readers(
    tx: Transaction, newsletter_id: int, audience: Audience, *, after_id: int, limit: int, zone: str = ""
) -> list[Subscriber]:
    """A page of those who get an edition, by id; `zone`: only those who live in it."""
    where = _reached(newsletter_id, audience) & (SUBSCRIBER.c.id > after_id)
    if zone:
        where &= SUBSCRIBER.c.timezone == zone
    return await many(tx, Subscriber, where, order=SUBSCRIBER.c.id, limit=limit)


async def zones(tx: Transaction, newsletter_id: int, audience: Audience) -> list[str]:
    """Where those live who get an edition."""
    found = sa.select(SUBSCRIBER.c.timezone).where(_reached(newsletter_id, audience)).distinct()
    return sorted(row[0] for row in await tx.execute(found))


async def count_readers(tx: Transaction, newsletter_id: int, audience: Audience) -> int:
    """How many would get it now."""
    counted = sa.select(sa.func.count()).select_from(SUBSCRIBER).where(_reached(newsletter_id, audience))
    return int((await tx.execute(counted)).scalar_one())


async def standing(tx: Transaction, edition_id: int) -> dict[str, int]:
    """How many of its mails stand in each status."""
    counted = sa.select(DELIVERY.c.status, sa.func.count()).where(is_of(edition_id)).group_by(DELIVERY.c.status)
    return {str(row[0]): row[1] for row in await tx.execute(counted.order_by(DELIVERY.c.status))}


async def reasons(tx: Transaction, edition_id: int, limit: int) -> list[tuple[str, str, int]]:
    """Why its mails were not sent, the commonest first: status, reason, how many."""
    many_of = sa.func.count().label("many")
    why = (DELIVERY.c.status, DELIVERY.c.reason)
    unsent = is_of(edition_id) & (DELIVERY.c.status != DeliveryStatus.SENT) & (DELIVERY.c.reason != "")
    counted = sa.select(*why, many_of).where(unsent).group_by(*why).order_by(many_of.desc(), *why).limit(limit)
    return [(str(row[0]), row[1], row[2]) for row in await tx.execute(counted)]


def is_of(edition_id: int) -> Any:
    """The condition that a delivery is one of an edition, for a query over deliveries."""
    return DELIVERY.c.digest_id.in_(sa.select(DIGEST.c.id).where(DIGEST.c.edition_id == edition_id))


async def articles_at(tx: Transaction, urls: Sequence[str]) -> dict[str, Any]:
    """What an item of a digest needs to know of the articles at these addresses."""
    columns = (ARTICLE.c.url, ARTICLE.c.id, ARTICLE.c.version, ARTICLE.c.cluster_id)
    found: dict[str, Any] = {}
    for part in chunks(sorted(set(urls))):
        found.update({row.url: row for row in await tx.execute(sa.select(*columns).where(ARTICLE.c.url.in_(part)))})
    return found


def _reached(newsletter_id: int, audience: Audience) -> Any:
    """The newsletter's readers to whom all that the audience asks applies."""
    where = is_read_by(newsletter_id)
    if audience.topics:
        follows = (
            (SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id)
            & (SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE)
            & (TOPIC.c.id == SUBSCRIPTION.c.topic_id)
            & TOPIC.c.owner_id.is_(None)
            & TOPIC.c.slug.in_(audience.topics)
        )
        where &= sa.exists().where(follows)
    if audience.locale:
        tongue = SUBSCRIBER.c.locale
        where &= sa.or_(*[(tongue == one) | tongue.startswith(f"{one}-", autoescape=True) for one in audience.locale])
    if audience.cadence:
        mine = SUBSCRIBER.c.cadence
        where &= sa.or_(*[mine.startswith(one, autoescape=True) for one in audience.cadence])
    for name in ("timezone", "origin"):
        if wanted := getattr(audience, name):
            where &= SUBSCRIBER.c[name].in_(wanted)
    if audience.since:
        where &= SUBSCRIBER.c.created_at >= _midnight(audience.since)
    if audience.before:
        where &= SUBSCRIBER.c.created_at < _midnight(audience.before)
    return where


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
