"""What planning reads and writes, many readers at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Schedule, Subscriber, Subscription
from dispatcher.model.content import Article, Candidate, Cluster, Match, Sighting, Source, Topic
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import DeliveryStatus, PausedBy, SubscriberStatus, SubscriptionStatus
from dispatcher.store.engine import Transaction, add_new, chunks, for_update, load, table

ARTICLE, CLUSTER, MATCH, TOPIC = table(Article), table(Cluster), table(Match), table(Topic)
SIGHTING, SOURCE = table(Sighting), table(Source)
SUBSCRIBER, SUBSCRIPTION, SCHEDULE = table(Subscriber), table(Subscription), table(Schedule)
DIGEST, DELIVERY = table(Digest), table(Delivery)

REACHED = (
    DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.DEFERRED, DeliveryStatus.HELD, DeliveryStatus.SENT,
)  # fmt: skip
"""A story in one of these has reached its reader, or still will."""


async def due_readers(tx: Transaction, now: datetime, *, after_id: int, limit: int) -> list[int]:
    """Subscribers with a schedule or a subscription to look at, in the order of their ids, a page at a time."""
    due = sa.select(SCHEDULE.c.subscriber_id.label("id")).where(SCHEDULE.c.next_due_at <= now)
    is_awake = SUBSCRIBER.c.status == SubscriberStatus.ACTIVE  # a look at somebody who paused waits for their return
    looked = sa.select(SUBSCRIPTION.c.subscriber_id.label("id")).join(SUBSCRIBER)
    look = looked.where((SUBSCRIPTION.c.look_at <= now) & is_awake)
    both = sa.union(due.where(SCHEDULE.c.subscriber_id > after_id), look.where(SUBSCRIPTION.c.subscriber_id > after_id))
    ids = both.subquery()
    return [row[0] for row in await tx.execute(sa.select(ids.c.id).order_by(ids.c.id).limit(limit))]


async def next_slot(tx: Transaction, *, after: datetime, until: datetime) -> datetime | None:
    """The first instant in (after, until] at which a schedule is due."""
    coming = (SCHEDULE.c.next_due_at > after) & (SCHEDULE.c.next_due_at <= until)
    found: datetime | None = (await tx.execute(sa.select(sa.func.min(SCHEDULE.c.next_due_at)).where(coming))).scalar()
    return found


async def readers_of_slot(tx: Transaction, slot_at: datetime, *, after_id: int, limit: int) -> list[int]:
    """Subscribers with a schedule due at an instant, in the order of their ids, a page at a time."""
    theirs = (SCHEDULE.c.next_due_at == slot_at) & (SCHEDULE.c.subscriber_id > after_id)
    ids = sa.select(SCHEDULE.c.subscriber_id).distinct().where(theirs).order_by(SCHEDULE.c.subscriber_id)
    return [row[0] for row in await tx.execute(ids.limit(limit))]


async def sleepers(tx: Transaction, now: datetime, *, after_id: int, limit: int) -> list[int]:
    """Readers who had paused until a time that has come, in the order of their ids, a page at a time."""
    theirs = (SUBSCRIBER.c.status == SubscriberStatus.PAUSED) & (SUBSCRIBER.c.paused_by == PausedBy.READER)
    over = sa.select(SUBSCRIBER.c.id).where(theirs & (SUBSCRIBER.c.paused_until <= now) & (SUBSCRIBER.c.id > after_id))
    return [row[0] for row in await tx.execute(over.order_by(SUBSCRIBER.c.id).limit(limit))]


async def wake_instant(tx: Transaction, now: datetime, after: int, upto: int) -> int:
    """Have every instant subscription looked at whose query has a match in (after, upto]. Returns how many."""
    fresh = sa.select(MATCH.c.query_id).where((MATCH.c.release > after) & (MATCH.c.release <= upto))
    topics = sa.select(TOPIC.c.id).where(TOPIC.c.query_id.in_(fresh) & TOPIC.c.is_paused.is_(False))
    mine = (
        (SUBSCRIPTION.c.cadence == "instant")
        & (SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE)
        & SUBSCRIPTION.c.topic_id.in_(topics)
    )
    return int((await tx.execute(sa.update(SUBSCRIPTION).where(mine).values(look_at=now))).rowcount)


async def lock_readers(tx: Transaction, ids: Sequence[int]) -> list[Subscriber]:
    """Claim readers for this transaction; those that another process is planning are left out."""
    query = sa.select(Subscriber).where(SUBSCRIBER.c.id.in_(list(ids))).order_by(SUBSCRIBER.c.id)
    return await load(tx, for_update(tx, query))


async def candidates(
    tx: Transaction, query_ids: Iterable[int], *, after: int, upto: int, seen_from: datetime
) -> dict[int, list[Candidate]]:
    """Matches of these queries with after < release ≤ upto, seen at or after an instant; by query, by release."""
    where = (MATCH.c.release > after) & (MATCH.c.release <= upto) & (MATCH.c.seen_at >= seen_from)
    return await _candidates(tx, query_ids, where)


async def candidates_of(
    tx: Transaction, query_ids: Iterable[int], article_ids: Sequence[int]
) -> dict[int, list[Candidate]]:
    """Matches between these queries and these articles, by query."""
    found: dict[int, list[Candidate]] = {}
    for part in chunks(sorted(set(article_ids))):
        for query_id, some in (await _candidates(tx, query_ids, MATCH.c.article_id.in_(part))).items():
            found.setdefault(query_id, []).extend(some)
    return found


async def _candidates(tx: Transaction, query_ids: Iterable[int], where: Any) -> dict[int, list[Candidate]]:
    columns = (
        MATCH.c.article_id, ARTICLE.c.version, ARTICLE.c.cluster_id, MATCH.c.query_id, MATCH.c.release,
        MATCH.c.score, MATCH.c.seen_at, ARTICLE.c.published_at, ARTICLE.c.is_backlog, SOURCE.c.priority,
    )  # fmt: skip
    joined = sa.select(*columns).join(ARTICLE, ARTICLE.c.id == MATCH.c.article_id)
    query = joined.join(SOURCE, SOURCE.c.id == ARTICLE.c.source_id).where(where)
    found: dict[int, list[Candidate]] = {}
    for part in chunks(sorted(set(query_ids))):
        rows = await tx.execute(query.where(MATCH.c.query_id.in_(part)).order_by(MATCH.c.release, MATCH.c.article_id))
        for row in rows:
            found.setdefault(row.query_id, []).append(Candidate(*row))
    return found


async def tellers(tx: Transaction, cluster_ids: Iterable[int]) -> dict[int, int]:
    """Of each of these stories that more than one source tells, how many do."""
    count = sa.func.count(SIGHTING.c.source_id.distinct())
    query = sa.select(ARTICLE.c.cluster_id, count).join(SIGHTING, SIGHTING.c.article_id == ARTICLE.c.id)
    several = query.group_by(ARTICLE.c.cluster_id).having(count > 1)
    found: dict[int, int] = {}
    for part in chunks(sorted(set(cluster_ids))):
        found.update((row[0], row[1]) for row in await tx.execute(several.where(ARTICLE.c.cluster_id.in_(part))))
    return found


async def oldest_story(tx: Transaction, cluster_ids: Iterable[int]) -> datetime | None:
    """When the oldest of these stories came up: nobody can have had any of them before."""
    oldest: list[datetime] = []
    for part in chunks(sorted(set(cluster_ids))):
        found = await tx.execute(sa.select(sa.func.min(CLUSTER.c.created_at)).where(CLUSTER.c.id.in_(part)))
        oldest += [moment for (moment,) in found if moment is not None]
    return min(oldest, default=None)


async def digests_of(tx: Transaction, ids: Sequence[int], since: datetime) -> tuple[list[Any], dict[int, list[Any]]]:
    """What readers were sent or should have been: rows of (subscriber, channel, digest, status); digest → items."""
    told = (*REACHED, DeliveryStatus.EXPIRED)
    columns = (DELIVERY.c.subscriber_id, DELIVERY.c.channel, DELIVERY.c.digest_id, DELIVERY.c.status)
    rows: list[Any] = []
    for part in chunks(list(ids)):
        mine = DELIVERY.c.subscriber_id.in_(part) & (DELIVERY.c.created_at >= since) & DELIVERY.c.status.in_(told)
        rows += (await tx.execute(sa.select(*columns).where(mine & DELIVERY.c.digest_id.is_not(None)))).all()
    digest_ids = sorted({row.digest_id for row in rows})
    items: dict[int, list[Any]] = {}
    for part in chunks(digest_ids):
        found = await tx.execute(sa.select(DIGEST.c.id, DIGEST.c["items"]).where(DIGEST.c.id.in_(part)))
        items.update({row[0]: row[1] for row in found})
    return rows, items


async def had_when(tx: Transaction, subscriber_id: int, since: datetime) -> list[Any]:
    """What a reader has been sent or will be, the earliest first: rows of (digest, channel, status, when, items)."""
    when = sa.func.coalesce(DELIVERY.c.finished_at, DELIVERY.c.due_at, type_=DELIVERY.c.due_at.type).label("at")
    columns = (DELIVERY.c.digest_id, DELIVERY.c.channel, DELIVERY.c.status, when, DIGEST.c["items"].label("told"))
    mine = (DELIVERY.c.subscriber_id == subscriber_id) & (DELIVERY.c.created_at >= since)
    query = sa.select(*columns).join(DIGEST, DIGEST.c.id == DELIVERY.c.digest_id)
    return list(await tx.execute(query.where(mine & DELIVERY.c.status.in_(REACHED)).order_by(DELIVERY.c.id)))


async def taken_keys(tx: Transaction, keys: Sequence[str]) -> set[str]:
    """Which of these idempotency keys already have a delivery."""
    taken: set[str] = set()
    for part in chunks(sorted(keys)):
        taken |= {row[0] for row in await tx.execute(sa.select(DELIVERY.c.key).where(DELIVERY.c.key.in_(part)))}
    return taken


async def save_digests(tx: Transaction, rows: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, int], int]:
    """Store digests that are new by their key; returns key → id of all, and how many were new."""
    ordered = [dict(rows[key]) for key in sorted(rows)]  # one order for everybody, so that no two processes deadlock
    new = await add_new(tx, Digest, ordered)
    ids: dict[str, int] = {}
    for part in chunks(sorted(rows)):
        found = await tx.execute(sa.select(DIGEST.c.key, DIGEST.c.id).where(DIGEST.c.key.in_(part)))
        ids.update({row[0]: row[1] for row in found})
    return ids, new


async def save_deliveries(tx: Transaction, rows: Sequence[dict[str, Any]]) -> int:
    """Put deliveries into the outbox; one whose key is there already is left alone."""
    return await add_new(tx, Delivery, sorted(rows, key=lambda row: str(row["key"])))


async def advance_subscriptions(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Move read positions: rows of subscription_id, upto, at, looked. What was owed is done with.

    `looked` is the look_at that was read: another one, set by a match committed meanwhile, stays, whatever the clocks
    of two machines make of "meanwhile".
    """
    if rows:
        move = sa.update(SUBSCRIPTION).where(SUBSCRIPTION.c.id == sa.bindparam("subscription_id"))
        look_at = sa.case((SUBSCRIPTION.c.look_at == sa.bindparam("looked"), sa.null()), else_=SUBSCRIPTION.c.look_at)
        values: dict[str, Any] = {"release": sa.bindparam("upto"), "read_at": sa.bindparam("at"), "owed_from_at": None}
        await tx.execute(move.values(**values, look_at=look_at), list(rows))


async def advance_schedules(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Move schedules on: rows of schedule_id, was_due, next_due and last_due. One that was moved meanwhile stays so."""
    if rows:
        move = sa.update(SCHEDULE).where(SCHEDULE.c.id == sa.bindparam("schedule_id"))
        is_ours = SCHEDULE.c.next_due_at == sa.bindparam("was_due")
        next_due = sa.bindparam("next_due", type_=SCHEDULE.c.next_due_at.type)
        next_due_at = sa.case((is_ours, next_due), else_=SCHEDULE.c.next_due_at)
        values: dict[str, Any] = {"next_due_at": next_due_at, "last_due_at": sa.bindparam("last_due")}
        await tx.execute(move.values(values), list(rows))


async def postpone(
    tx: Transaction, *, dues: Sequence[dict[str, Any]], looks: Sequence[dict[str, Any]],
    owed: Sequence[dict[str, Any]],
) -> None:  # fmt: skip
    """Put schedules and looks off, and note how far back the unread of subscriptions still counts.

    Rows of schedule_id, was_due and next_due; of subscription_id, looked and next_look; of subscription_id and
    owed_from. What was moved meanwhile, by a match for instance, stays as it is.
    """
    if dues:
        theirs = SCHEDULE.c.id == sa.bindparam("schedule_id")
        schedule = sa.update(SCHEDULE).where(theirs & (SCHEDULE.c.next_due_at == sa.bindparam("was_due")))
        await tx.execute(schedule.values(next_due_at=sa.bindparam("next_due")), list(dues))
    mine = SUBSCRIPTION.c.id == sa.bindparam("subscription_id")
    if looks:
        look = sa.update(SUBSCRIPTION).where(mine & (SUBSCRIPTION.c.look_at == sa.bindparam("looked")))
        await tx.execute(look.values(look_at=sa.bindparam("next_look")), list(looks))
    if owed:
        await tx.execute(sa.update(SUBSCRIPTION).where(mine).values(owed_from_at=sa.bindparam("owed_from")), list(owed))


async def look_now(tx: Transaction, subscriber_id: int, now: datetime) -> None:
    """Have a person's subscriptions looked at now that were to be looked at later."""
    later = (SUBSCRIPTION.c.subscriber_id == subscriber_id) & (SUBSCRIPTION.c.look_at > now)
    await tx.execute(sa.update(SUBSCRIPTION).where(later).values(look_at=now))


async def push_ahead(tx: Transaction, subscriber_id: int, until: datetime) -> None:
    """Set a poisoned reader aside for a while, so that the others get theirs."""
    due = (SCHEDULE.c.subscriber_id == subscriber_id) & (SCHEDULE.c.next_due_at < until)
    await tx.execute(sa.update(SCHEDULE).where(due).values(next_due_at=until))
    look = (SUBSCRIPTION.c.subscriber_id == subscriber_id) & (SUBSCRIPTION.c.look_at < until)
    await tx.execute(sa.update(SUBSCRIPTION).where(look).values(look_at=until))


def is_readable(subscriber: Subscriber) -> bool:
    """Whether a person wants mail at all just now."""
    return subscriber.status == SubscriberStatus.ACTIVE
