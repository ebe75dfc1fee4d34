"""Subscribers, their endpoints and what they follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Endpoint, Schedule, Subscriber, Subscription
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import Channel, Origin, SubscriberStatus, SubscriptionStatus
from dispatcher.store import bulk
from dispatcher.store.engine import Transaction, add, add_all, among, chunks, load, many, one, table
from dispatcher.store.newsletters import TOPIC, whose

SUBSCRIBER, ENDPOINT, SUBSCRIPTION, SCHEDULE = table(Subscriber), table(Endpoint), table(Subscription), table(Schedule)
_GONE: dict[str, Any] = {"status": SubscriberStatus.UNSUBSCRIBED, "paused_until": None}
_HAS_EMAIL = SUBSCRIBER.c.email != sa.literal_column("''")  # said as the index says it: else SQLite reads every row


async def by_email(tx: Transaction, email: str) -> Subscriber | None:
    """One subscriber by normalised address, or None."""
    return await one(tx, Subscriber, SUBSCRIBER.c.email == email, _HAS_EMAIL)


async def by_emails(tx: Transaction, emails: Sequence[str]) -> dict[str, Subscriber]:
    """Subscribers by normalised address."""
    return {reader.email: reader for reader in await among(tx, Subscriber, SUBSCRIBER.c.email, emails, _HAS_EMAIL)}


async def known_emails(tx: Transaction, emails: Sequence[str]) -> set[str]:
    """Those of these normalised addresses that somebody has."""
    return await bulk.present(tx, SUBSCRIBER.c.email, emails, _HAS_EMAIL)


async def by_ids(tx: Transaction, ids: Sequence[int]) -> dict[int, Subscriber]:
    """Subscribers by id."""
    return {reader.id: reader for reader in await among(tx, Subscriber, SUBSCRIBER.c.id, ids) if reader.id is not None}


async def lock(tx: Transaction, subscriber_id: int) -> Subscriber | None:
    """One subscriber, whom nobody else plans or changes until this transaction ends; None if there is none."""
    return (await lock_all(tx, [subscriber_id])).get(subscriber_id)


async def lock_all(tx: Transaction, ids: Sequence[int]) -> dict[int, Subscriber]:
    """`lock` for many, in the order of their ids, so that no two transactions wait for each other."""
    found: dict[int, Subscriber] = {}
    for part in chunks(sorted(set(ids))):
        query = sa.select(Subscriber).where(SUBSCRIBER.c.id.in_(part)).order_by(SUBSCRIBER.c.id)
        locked = await load(tx, query if tx.dialect.name == "sqlite" else query.with_for_update())
        found |= {reader.id or 0: reader for reader in locked}
    return found


async def where_origin(tx: Transaction, origin: str) -> list[Subscriber]:
    """Every subscriber that this origin brought."""
    return await many(tx, Subscriber, SUBSCRIBER.c.origin == origin)


async def borrowers(tx: Transaction, origin: str) -> list[Subscriber]:
    """Active subscribers whom others brought, but who follow something that this origin brought."""
    lent = (SUBSCRIPTION.c.origin == origin) & (SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE)
    ids = sa.select(SUBSCRIPTION.c.subscriber_id).where(lent)
    others = (SUBSCRIBER.c.origin != origin) & (SUBSCRIBER.c.status == SubscriberStatus.ACTIVE)
    return await many(tx, Subscriber, others & SUBSCRIBER.c.id.in_(ids))


async def count_active(tx: Transaction) -> int:
    """How many people get mail at all."""
    active = sa.select(sa.func.count()).select_from(SUBSCRIBER).where(SUBSCRIBER.c.status == SubscriberStatus.ACTIVE)
    return int((await tx.execute(active)).scalar_one())


async def count_followers(tx: Transaction, topic_ids: Sequence[int], *, but_origin: str) -> int:
    """How many active subscribers follow any of these topics; subscriptions that this origin brought do not count."""
    following = (SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE) & (SUBSCRIPTION.c.origin != but_origin)
    active = SUBSCRIBER.c.status == SubscriberStatus.ACTIVE
    followers = sa.select(SUBSCRIBER.c.id).distinct().join(SUBSCRIPTION).where(active & following)
    found: set[int] = set()
    for part in chunks(list(topic_ids)):
        found |= {row[0] for row in await tx.execute(followers.where(SUBSCRIPTION.c.topic_id.in_(part)))}
    return len(found)


async def pages(tx: Transaction, *, size: int = 500) -> AsyncIterator[list[Subscriber]]:
    """All subscribers by id, a page at a time, so that a million need no more memory than one page."""
    last = 0
    while page := await many(tx, Subscriber, SUBSCRIBER.c.id > last, limit=size):
        yield page
        last = page[-1].id or 0


async def insert(tx: Transaction, subscriber: Subscriber, address_hash: str) -> int:
    """Store a new subscriber with the e-mail endpoint that reaches them."""
    await insert_all(tx, [subscriber], [address_hash])
    return subscriber.id or 0


async def insert_all(tx: Transaction, people: Sequence[Subscriber], address_hashes: Sequence[str]) -> None:
    """Store new subscribers, each with the e-mail endpoint that reaches them. They get their ids."""
    ids = await add_all(tx, Subscriber, [person.model_dump(exclude={"id"}) for person in people])
    for person, subscriber_id in zip(people, ids, strict=True):
        person.id = subscriber_id
    rows = [
        {
            "subscriber_id": person.id,
            "channel": Channel.EMAIL,
            "address": person.email,
            "address_hash": hashed,
            "is_active": True,
            "created_at": person.created_at,
        }
        for person, hashed in zip(people, address_hashes, strict=True)
    ]
    await add_all(tx, Endpoint, rows)


async def insert_many(
    tx: Transaction, example: Subscriber, own: Sequence[str], people: Sequence[Sequence[Any]], hashes: Sequence[str]
) -> Sequence[int]:
    """Store new people who are like the example but for their `own` columns, the first of which is `email`.

    Each gets the e-mail endpoint that reaches them, stored in the order of the index on its hash, which is quicker.
    Returns their ids.
    """
    ids = await bulk.reserve_ids(tx, Subscriber, len(people))
    people_by_id = list(zip(ids, people, strict=True))
    await bulk.insert_copies(tx, ("id", *own), [(example, (number, *values)) for number, values in people_by_id])
    reached = Endpoint(subscriber_id=0, address="", address_hash="", created_at=example.created_at)
    endpoints = [
        (reached, (hashed, number, values[0])) for (number, values), hashed in zip(people_by_id, hashes, strict=True)
    ]
    await bulk.insert_copies(tx, ("address_hash", "subscriber_id", "address"), sorted(endpoints, key=itemgetter(1)))
    return ids


async def write(tx: Transaction, subscriber_id: int, *, was: SubscriberStatus | None = None, **changes: Any) -> bool:
    """Change the named columns of a subscriber; False if `was` is given and is not their status any more."""
    who = SUBSCRIBER.c.id == subscriber_id
    where = who if was is None else who & (SUBSCRIBER.c.status == was)
    return bool((await tx.execute(sa.update(SUBSCRIBER).where(where).values(**changes))).rowcount)


async def strike(tx: Transaction, subscriber_id: int) -> int:
    """Count a soft bounce; returns how many there are in a row."""
    bump = sa.update(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber_id)
    count = SUBSCRIBER.c.soft_bounces
    result = await tx.execute(bump.values(soft_bounces=count + 1).returning(count))
    return int(result.scalar_one_or_none() or 0)


async def endpoints(tx: Transaction, subscriber_ids: Sequence[int]) -> dict[int, list[Endpoint]]:
    """Active endpoints by subscriber."""
    found: dict[int, list[Endpoint]] = {}
    for endpoint in await among(tx, Endpoint, ENDPOINT.c.subscriber_id, subscriber_ids, ENDPOINT.c.is_active.is_(True)):
        found.setdefault(endpoint.subscriber_id, []).append(endpoint)
    return found


async def endpoint(tx: Transaction, endpoint_id: int) -> Endpoint | None:
    """One endpoint, active or not, or None."""
    return await one(tx, Endpoint, ENDPOINT.c.id == endpoint_id)


async def addresses(tx: Transaction, subscriber_id: int) -> list[Endpoint]:
    """Every endpoint that a person has or had."""
    return await many(tx, Endpoint, ENDPOINT.c.subscriber_id == subscriber_id)


async def move_endpoint(tx: Transaction, old: Endpoint, address: str, address_hash: str, now: datetime) -> Endpoint:
    """Reach a person at another address from now on. Returns the endpoint of that; the old one rests."""
    theirs = (ENDPOINT.c.subscriber_id == old.subscriber_id) & (ENDPOINT.c.channel == old.channel)
    await tx.execute(sa.update(ENDPOINT).where(theirs).values(is_active=False))
    again = await one(tx, Endpoint, theirs, ENDPOINT.c.address == address)
    new = again or Endpoint(
        subscriber_id=old.subscriber_id, channel=old.channel, address=address, address_hash="", created_at=now
    )
    new.is_active, new.address_hash = True, address_hash
    if again is None:
        await add(tx, new)
    else:
        back = {"is_active": True, "address_hash": address_hash}
        await tx.execute(sa.update(ENDPOINT).where(ENDPOINT.c.id == again.id).values(**back))
    return new


async def take_over(tx: Transaction, subscriber_id: int) -> None:
    """From now on a person and what they follow are their own affair: config no longer speaks for them."""
    await tx.execute(sa.update(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber_id).values(origin=Origin.WEB))
    theirs = SUBSCRIPTION.c.subscriber_id == subscriber_id
    await tx.execute(sa.update(SUBSCRIPTION).where(theirs).values(origin=Origin.WEB))


async def subscriptions(tx: Transaction, subscriber_ids: Sequence[int]) -> dict[int, list[Subscription]]:
    """All subscriptions by subscriber, oldest first, the ended ones too."""
    found: dict[int, list[Subscription]] = {}
    for subscription in await among(tx, Subscription, SUBSCRIPTION.c.subscriber_id, subscriber_ids):
        found.setdefault(subscription.subscriber_id, []).append(subscription)
    return found


async def add_subscription(tx: Transaction, subscription: Subscription) -> int:
    """Store a new subscription."""
    return await add(tx, subscription)


async def add_subscriptions(tx: Transaction, subscriptions: Sequence[Subscription]) -> None:
    """Store many new subscriptions."""
    await add_all(tx, Subscription, [subscription.model_dump(exclude={"id"}) for subscription in subscriptions])


async def write_subscription(tx: Transaction, subscription_id: int, **changes: Any) -> None:
    """Change the named columns of a subscription."""
    await tx.execute(sa.update(SUBSCRIPTION).where(SUBSCRIPTION.c.id == subscription_id).values(**changes))


async def depart(tx: Transaction, ids: Sequence[int], now: datetime, *, newsletter_id: int = 0) -> set[int]:
    """People leave a newsletter, or (0) all of them: what they follow of it ends, and its schedules rest.

    Returns those who follow nothing any more: they have left altogether. The caller has locked everybody, or leaves 0.
    """
    left: set[int] = set()
    for part in chunks(ids):
        theirs, live = SUBSCRIPTION.c.subscriber_id.in_(part), SUBSCRIPTION.c.status != SubscriptionStatus.ENDED
        follows = sa.exists().where((SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id) & live)
        awake = SCHEDULE.c.subscriber_id.in_(part) & SCHEDULE.c.next_due_at.is_not(None)
        who, of_it = SUBSCRIBER.c.id.in_(part), theirs & live
        if newsletter_id:
            of_it &= sa.exists().where((TOPIC.c.id == SUBSCRIPTION.c.topic_id) & (whose == newsletter_id))
            awake &= SCHEDULE.c.newsletter_id == newsletter_id
        else:  # first, so that whoever plans them now is waited for
            await tx.execute(sa.update(SUBSCRIBER).where(who).values(_GONE))
        await tx.execute(sa.update(SUBSCRIPTION).where(of_it).values(status=SubscriptionStatus.ENDED, ended_at=now))
        await tx.execute(sa.update(SCHEDULE).where(awake).values(next_due_at=None))
        gone = sa.update(SUBSCRIBER).where(who & ~follows).values(_GONE).returning(SUBSCRIBER.c.id)
        left |= {row[0] for row in await tx.execute(gone)} if newsletter_id else set(part)
    return left


async def revive_subscriptions(
    tx: Transaction, subscriber_id: int, newsletter_ids: Collection[int], ended_at: datetime
) -> int:
    """Take back the end of what ended of newsletters at this very instant: it is as it was before. Returns how many
    there were."""
    of_them = sa.exists().where((TOPIC.c.id == SUBSCRIPTION.c.topic_id) & whose.in_(list(newsletter_ids)))
    theirs = (SUBSCRIPTION.c.subscriber_id == subscriber_id) & (SUBSCRIPTION.c.status == SubscriptionStatus.ENDED)
    was_active = SUBSCRIPTION.c.paused_by.is_(None)
    status = sa.case((was_active, SubscriptionStatus.ACTIVE.value), else_=SubscriptionStatus.PAUSED.value)
    back = sa.update(SUBSCRIPTION).where(theirs & of_them & (SUBSCRIPTION.c.ended_at == ended_at))
    return int((await tx.execute(back.values(status=status, ended_at=None))).rowcount)


async def schedules(tx: Transaction, subscriber_ids: Sequence[int]) -> dict[int, list[Schedule]]:
    """All schedules by subscriber, the dormant ones too."""
    found: dict[int, list[Schedule]] = {}
    for schedule in await among(tx, Schedule, SCHEDULE.c.subscriber_id, subscriber_ids):
        found.setdefault(schedule.subscriber_id, []).append(schedule)
    return found


async def add_schedules(tx: Transaction, schedules: Sequence[Schedule]) -> None:
    """Store many new schedules."""
    await add_all(tx, Schedule, [schedule.model_dump(exclude={"id"}) for schedule in schedules])


async def keep_schedule(tx: Transaction, schedule: Schedule) -> None:
    """Store a schedule: a new one, or one that has changed."""
    if schedule.id is None:
        await add(tx, schedule)
        return
    changes = schedule.model_dump(include={"timezone", "next_due_at", "last_due_at"})
    await tx.execute(sa.update(SCHEDULE).where(SCHEDULE.c.id == schedule.id).values(changes))


async def erase(tx: Transaction, subscriber_id: int, now: datetime) -> None:
    """Forget everything that tells who a person was; what they were sent stays as numbers."""
    await depart(tx, [subscriber_id], now)
    await tx.execute(sa.delete(SCHEDULE).where(SCHEDULE.c.subscriber_id == subscriber_id))
    theirs, delivery = ENDPOINT.c.subscriber_id == subscriber_id, table(Delivery)
    sent = sa.update(delivery).where(delivery.c.subscriber_id == subscriber_id)
    await tx.execute(sent.values(endpoint_id=None))
    await tx.execute(sa.delete(ENDPOINT).where(theirs & ENDPOINT.c.is_active.is_(False)))
    gone = {"address": "", "address_hash": "", "is_active": False}
    await tx.execute(sa.update(ENDPOINT).where(theirs).values(**gone))
