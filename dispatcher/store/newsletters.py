"""Newsletters: the publications that mails belong to, which topics are whose, and who reads which.

A topic belongs to one newsletter, and with it everybody who follows it. One that names none belongs to the default
newsletter, the only one that most installations have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dispatcher.model.audience import Endpoint, Schedule, Subscriber, Subscription
from dispatcher.model.content import Topic
from dispatcher.model.feedback import Suppression
from dispatcher.model.outbound import Newsletter
from dispatcher.model.values import Channel, SubscriberStatus, SubscriptionStatus, SuppressionScope
from dispatcher.store.engine import Transaction, add_new, chunks, many, one, table

NEWSLETTER, TOPIC, ENDPOINT, SCHEDULE = table(Newsletter), table(Topic), table(Endpoint), table(Schedule)
SUBSCRIBER, SUBSCRIPTION, SUPPRESSION = table(Subscriber), table(Subscription), table(Suppression)

DEFAULT = "default"
"""The slug of the newsletter that `[site]` and `[mail]` make; config gives it to no other."""

whose = sa.func.coalesce(
    TOPIC.c.newsletter_id, sa.select(NEWSLETTER.c.id).where(NEWSLETTER.c.slug == DEFAULT).scalar_subquery()
)
"""The id of the newsletter that a topic belongs to."""


async def keep(tx: Transaction, wanted: Newsletter) -> Newsletter:
    """Make the newsletter with this slug say what is wanted; returns it with its id."""
    values = wanted.model_dump(exclude={"id"})
    await add_new(tx, Newsletter, [values])
    stored = await one(tx, Newsletter, NEWSLETTER.c.slug == wanted.slug)
    assert stored is not None
    if values != stored.model_dump(exclude={"id"}):
        await tx.execute(sa.update(NEWSLETTER).where(NEWSLETTER.c.id == stored.id).values(values))
    return Newsletter(id=stored.id, **values)


async def every(tx: Transaction) -> list[Newsletter]:
    """All newsletters, oldest first, and those that are not published any more.

    As `keep` gives them, with their fields in one order: what they say is part of a digest's key.
    """
    return [
        Newsletter(**{name: getattr(one, name) for name in Newsletter.model_fields})
        for one in await many(tx, Newsletter)
    ]


async def rest(tx: Transaction, newsletter_id: int) -> None:
    """Publish a newsletter no more. What is on its way goes out; whoever reads it gets nothing new."""
    await tx.execute(sa.update(NEWSLETTER).where(NEWSLETTER.c.id == newsletter_id).values(is_paused=True))


async def resting(tx: Transaction) -> set[int]:
    """The newsletters that are published no more."""
    return {row[0] for row in await tx.execute(sa.select(NEWSLETTER.c.id).where(NEWSLETTER.c.is_paused))}


async def move(tx: Transaction, topic_id: int, before: int, after: int) -> None:
    """Whoever follows a topic of one newsletter has it from another one from now on, at the same times."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    followed = (
        (SUBSCRIPTION.c.subscriber_id == SCHEDULE.c.subscriber_id)
        & (SUBSCRIPTION.c.channel == SCHEDULE.c.channel)
        & (SUBSCRIPTION.c.cadence == SCHEDULE.c.cadence)
        & (SUBSCRIPTION.c.topic_id == topic_id)
        & (SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE)
    )
    names = ("subscriber_id", "channel", "cadence", "label", "timezone", "next_due_at")
    columns = [SCHEDULE.c[name] for name in names]
    due = (SCHEDULE.c.newsletter_id == before) & SCHEDULE.c.next_due_at.is_not(None) & sa.exists().where(followed)
    copied = sa.select(sa.literal(after), *columns).where(due)
    insert = dialect.insert(SCHEDULE).from_select(["newsletter_id", *names], copied)
    wake = {name: insert.excluded[name] for name in ("next_due_at", "timezone")}
    unique = ["subscriber_id", "channel", "newsletter_id", "cadence"]
    await tx.execute(
        insert.on_conflict_do_update(index_elements=unique, set_=wake, where=SCHEDULE.c.next_due_at.is_(None))
    )


async def homes(tx: Transaction, topic_ids: Sequence[int]) -> dict[int, int]:
    """Topic → newsletter, of those of these topics that do not belong to the default one."""
    found: dict[int, int] = {}
    for part in chunks(sorted(set(topic_ids))):
        where = TOPIC.c.id.in_(part) & TOPIC.c.newsletter_id.is_not(None)
        rows = await tx.execute(sa.select(TOPIC.c.id, TOPIC.c.newsletter_id).where(where))
        found |= {row[0]: row[1] for row in rows}
    return found


async def readers_of(tx: Transaction, newsletter_id: int, *, after_id: int = 0, limit: int = 1000) -> list[int]:
    """Who gets a newsletter now, in the order of their ids, a page at a time.

    Active subscribers with an active subscription by mail to an unpaused topic of it, at an address to which neither
    every mail nor this newsletter is suppressed. For a query of your own: `is_read_by(newsletter_id)`.
    """
    mine = sa.select(SUBSCRIBER.c.id).where(is_read_by(newsletter_id) & (SUBSCRIBER.c.id > after_id))
    return [row[0] for row in await tx.execute(mine.order_by(SUBSCRIBER.c.id).limit(limit))]


def is_read_by(newsletter_id: int) -> Any:
    """The condition of `readers_of`, for a query over subscribers."""
    follows = sa.exists().where(
        (SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id)
        & (SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE)
        & (SUBSCRIPTION.c.channel == Channel.EMAIL)
        & (TOPIC.c.id == SUBSCRIPTION.c.topic_id)
        & TOPIC.c.is_paused.is_(False)
        & (whose == newsletter_id)
    )
    stands = (SUPPRESSION.c.scope == SuppressionScope.ADDRESS) | (SUPPRESSION.c.newsletter_id == newsletter_id)
    barred = sa.exists().where((SUPPRESSION.c.address_hash == ENDPOINT.c.address_hash) & stands)
    reached = sa.exists().where(
        (ENDPOINT.c.subscriber_id == SUBSCRIBER.c.id)
        & (ENDPOINT.c.channel == Channel.EMAIL)
        & ENDPOINT.c.is_active.is_(True)
        & ~barred
    )
    return (SUBSCRIBER.c.status == SubscriberStatus.ACTIVE) & follows & reached


async def count_readers(tx: Transaction) -> dict[int, int]:
    """Newsletter → how many active subscribers follow any unpaused topic of it."""
    active = (
        (SUBSCRIBER.c.status == SubscriberStatus.ACTIVE)
        & (SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE)
        & TOPIC.c.is_paused.is_(False)
    )
    joined = SUBSCRIPTION.join(SUBSCRIBER, SUBSCRIBER.c.id == SUBSCRIPTION.c.subscriber_id)
    joined = joined.join(TOPIC, TOPIC.c.id == SUBSCRIPTION.c.topic_id)
    number = whose.label("newsletter_id")
    counted = sa.select(number, sa.func.count(sa.distinct(SUBSCRIPTION.c.subscriber_id))).select_from(joined)
    return {row[0]: row[1] for row in await tx.execute(counted.where(active).group_by(number))}
