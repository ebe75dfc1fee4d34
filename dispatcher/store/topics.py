"""Topics and the shared queries beneath them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Subscription
from dispatcher.model.content import Match, Query, QueryChange, Topic
from dispatcher.model.values import SubscriptionStatus
from dispatcher.store import issues
from dispatcher.store.engine import Transaction, add, add_new, among, chunks, counter, many, one, raise_counter, table

TOPIC, QUERY, MATCH, SUBSCRIPTION = table(Topic), table(Query), table(Match), table(Subscription)
CHANGE = table(QueryChange)
CHANGES_KEPT = 10_000  # steps of the version; who has missed more reads all queries anew
PUBLIC = TOPIC.c.owner_id.is_(None)
IS_BLANK = QUERY.c.text == ""
"""The query of topics that stand for a newsletter itself: no article matches it, and nobody asks."""


async def every(tx: Transaction) -> list[Topic]:
    """The publisher's topics by slug. Readers' own are nobody else's business."""
    return await many(tx, Topic, PUBLIC, order=TOPIC.c.slug)


async def newest(tx: Transaction, *, limit: int) -> list[Topic]:
    """The publisher's topics that articles are asked about, newest first."""
    asked = TOPIC.c.is_paused.is_(False) & (TOPIC.c.query_text != "")
    return await many(tx, Topic, PUBLIC & asked, order=TOPIC.c.id.desc(), limit=limit)


async def by_slug(tx: Transaction, slug: str, *, owner_id: int | None = None) -> Topic | None:
    """One of the publisher's topics, or one of a reader's own."""
    owner = PUBLIC if owner_id is None else TOPIC.c.owner_id == owner_id
    return await one(tx, Topic, owner, TOPIC.c.slug == slug)


async def by_ids(tx: Transaction, ids: Sequence[int]) -> dict[int, Topic]:
    """Topics by id."""
    return {topic.id: topic for topic in await among(tx, Topic, TOPIC.c.id, ids) if topic.id is not None}


async def owned(tx: Transaction, owner_id: int) -> list[Topic]:
    """A reader's own topics, oldest first."""
    return await many(tx, Topic, TOPIC.c.owner_id == owner_id)


async def query_id(tx: Transaction, text: str, language: str, now: datetime) -> int:
    """The id of the query with this canonical text and language, made if it is new."""
    digest = hashlib.sha256(f"{language}\n{text}".encode()).hexdigest()
    await add_new(tx, Query, [{"digest": digest, "text": text, "language": language, "created_at": now}])
    return int((await tx.execute(sa.select(QUERY.c.id).where(QUERY.c.digest == digest))).scalar_one())


async def queries(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Canonical text and language of queries, by id."""
    found = await among(tx, Query, QUERY.c.id, ids)
    return {query.id: (query.text, query.language) for query in found if query.id is not None}


async def insert(tx: Transaction, topic: Topic) -> int:
    """Store a new topic. Its query is matched from the next article on, and backwards by the next ingest."""
    await _rouse(tx, topic.query_id)
    topic_id = await add(tx, topic)
    await _note_change(tx, {topic.query_id})
    return topic_id


async def write(tx: Transaction, topic_id: int, **changes: Any) -> None:
    """Change the named columns of a topic. A new or woken query is matched backwards by the next ingest."""
    if "query_id" in changes:
        await _rouse(tx, changes["query_id"])
    elif changes.get("is_paused") is False:
        topic = await one(tx, Topic, TOPIC.c.id == topic_id)
        await _rouse(tx, topic.query_id if topic else 0)
    touched = await _query_of(tx, topic_id) | ({changes["query_id"]} if "query_id" in changes else set())
    await tx.execute(sa.update(TOPIC).where(TOPIC.c.id == topic_id).values(**changes))
    await _note_change(tx, touched)


async def _rouse(tx: Transaction, query: int) -> None:
    """If nobody was following a query, articles have passed it unseen: have it matched backwards again."""
    followed = sa.select(TOPIC.c.id).where((TOPIC.c.query_id == query) & TOPIC.c.is_paused.is_(False)).limit(1)
    if (await tx.execute(followed)).first() is None:
        await tx.execute(sa.update(QUERY).where(QUERY.c.id == query).values(backfilled_at=None))


async def remove(tx: Transaction, topic_id: int) -> None:
    """Delete a topic with its subscriptions and its issues; its query stays while it has matches or other topics."""
    await tx.execute(sa.delete(SUBSCRIPTION).where(SUBSCRIPTION.c.topic_id == topic_id))
    await issues.forget(tx, topic_id)
    touched = await _query_of(tx, topic_id)
    await tx.execute(sa.delete(TOPIC).where(TOPIC.c.id == topic_id))
    await _note_change(tx, touched)


async def _query_of(tx: Transaction, topic_id: int) -> set[int]:
    return {row[0] for row in await tx.execute(sa.select(TOPIC.c.query_id).where(TOPIC.c.id == topic_id))}


async def _note_change(tx: Transaction, query_ids: set[int]) -> None:
    """Raise the version, and note which queries that is about. The counter's row makes others wait for our commit."""
    version = await raise_counter(tx, "topics")
    await add_new(tx, QueryChange, [{"version": version, "query_id": query_id} for query_id in sorted(query_ids)])


async def prune(tx: Transaction, ended_before: datetime) -> int:
    """Delete readers' own topics that nobody has followed since an instant. Returns how many."""
    theirs = SUBSCRIPTION.c.topic_id == TOPIC.c.id
    lives = (SUBSCRIPTION.c.status != SubscriptionStatus.ENDED) | (SUBSCRIPTION.c.ended_at > ended_before)
    left = sa.exists().where(theirs) & ~sa.exists().where(theirs & lives)
    ids = [row[0] for row in await tx.execute(sa.select(TOPIC.c.id).where(TOPIC.c.owner_id.is_not(None) & left))]
    for topic_id in ids:
        await remove(tx, topic_id)
    return len(ids)


async def version(tx: Transaction, *, hold: bool = False) -> int:
    """A number that rises whenever the set of live queries may have changed."""
    return await counter(tx, "topics", hold=hold)


async def live_queries(tx: Transaction) -> dict[int, tuple[str, str]]:
    """Text and language of every query that an unpaused topic stands on, but for the one that matches nothing."""
    live = sa.select(TOPIC.c.query_id).where(TOPIC.c.is_paused.is_(False))
    asked = QUERY.c.id.in_(live) & ~IS_BLANK
    rows = await tx.execute(sa.select(QUERY.c.id, QUERY.c.text, QUERY.c.language).where(asked))
    return {row[0]: (row[1], row[2]) for row in rows}


async def changes(tx: Transaction, known: int, version: int) -> dict[int, tuple[str, str] | None] | None:
    """What has changed between two versions: text and language of each query, None for one that is not live (any more).

    None if not every step is noted: then all queries have to be read anew.
    """
    if known < 0 or version - known > CHANGES_KEPT:
        return None
    rows = await tx.execute(sa.select(CHANGE).where((CHANGE.c.version > known) & (CHANGE.c.version <= version)))
    noted = [(row[0], row[1]) for row in rows]
    if len({step for step, _ in noted}) != version - known:
        return None
    found: dict[int, tuple[str, str] | None] = dict.fromkeys(sorted({query_id for _, query_id in noted}))
    followed = sa.exists().where((TOPIC.c.query_id == QUERY.c.id) & TOPIC.c.is_paused.is_(False))
    live = sa.select(QUERY.c.id, QUERY.c.text, QUERY.c.language).where(followed & ~IS_BLANK)
    for part in chunks(list(found)):
        found.update((row[0], (row[1], row[2])) for row in await tx.execute(live.where(QUERY.c.id.in_(part))))
    return found


async def forget_changes(tx: Transaction) -> None:
    """Forget the steps that are too old to be of use."""
    await tx.execute(sa.delete(CHANGE).where(CHANGE.c.version <= await version(tx) - CHANGES_KEPT))


async def unmatched_backwards(tx: Transaction) -> list[Query]:
    """Live queries that have not yet been matched against the articles before them."""
    live = sa.select(TOPIC.c.query_id).where(TOPIC.c.is_paused.is_(False))
    return await many(tx, Query, QUERY.c.backfilled_at.is_(None) & QUERY.c.id.in_(live) & ~IS_BLANK)


async def mark_backfilled(tx: Transaction, ids: Sequence[int], now: datetime) -> None:
    """Note that these queries have been matched backwards."""
    for part in chunks(list(ids)):
        await tx.execute(sa.update(QUERY).where(QUERY.c.id.in_(part)).values(backfilled_at=now))


async def figures(tx: Transaction) -> Mapping[int, tuple[int, int]]:
    """Topic id → (matches, active subscriptions)."""
    counted = sa.select(MATCH.c.query_id, sa.func.count()).group_by(MATCH.c.query_id)
    matches: dict[int, int] = {row[0]: row[1] for row in await tx.execute(counted)}
    active = SUBSCRIPTION.c.status == SubscriptionStatus.ACTIVE
    counted = sa.select(SUBSCRIPTION.c.topic_id, sa.func.count()).where(active).group_by(SUBSCRIPTION.c.topic_id)
    readers: dict[int, int] = {row[0]: row[1] for row in await tx.execute(counted)}
    rows = await tx.execute(sa.select(TOPIC.c.id, TOPIC.c.query_id))
    return {row[0]: (matches.get(row[1], 0), readers.get(row[0], 0)) for row in rows}
