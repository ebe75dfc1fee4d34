"""A batch: everything that planning some readers needs, loaded in a handful of queries however many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dispatcher.model.audience import Endpoint, Schedule, Subscriber, Subscription
from dispatcher.model.content import Candidate, Topic
from dispatcher.model.values import PLAIN, Channel, DeliveryKind, DeliveryStatus, Order, Style, SubscriptionStatus
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.enrolment import following
from dispatcher.pipeline.styles import style
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule.quiet import Quiet
from dispatcher.schedule.select import Due, Following, Reader, earliest_look
from dispatcher.schedule.several import Slot, slots_of
from dispatcher.store import Transaction, planning, subscribers, topics
from dispatcher.store.engine import counter


@dataclass(frozen=True, slots=True)
class Batch:
    """Readers with what they might get, and what is needed to save it."""

    readers: Mapping[int, Reader]
    subscribers: Mapping[int, Subscriber]
    endpoints: Mapping[int, Sequence[Endpoint]]
    candidates: Mapping[int, Sequence[Candidate]]
    taken: Mapping[int, frozenset[Slot]]
    release: int


async def load(ctx: Context, tx: Transaction, people: Sequence[Subscriber], now: datetime) -> Batch:
    """Load what these readers follow, what is due, what they have had, and the matches they might get."""
    ids = [person.id or 0 for person in people]
    followed = await subscribers.subscriptions(tx, ids)
    schedules = await subscribers.schedules(tx, ids)
    endpoints = await subscribers.endpoints(tx, ids)
    known = await topics.by_ids(tx, [s.topic_id for mine in followed.values() for s in mine])
    await ctx.acquaint(tx, {topic.newsletter_id for topic in known.values() if topic.newsletter_id})
    readers = {
        person.id or 0: _reader(
            ctx, person, followed.get(person.id or 0, ()), known, schedules.get(person.id or 0, ()), now
        )
        for person in people
    }
    release = await counter(tx, "release")
    since = min((earliest_look(reader, now) for reader in readers.values()), default=now)
    told = await planning.digests_of(tx, ids, since)
    readers = _with_history(readers, *told)
    candidates: Mapping[int, Sequence[Candidate]] = await _candidates(tx, list(readers.values()), release, since)
    stories = {candidate.cluster_id for some in candidates.values() for candidate in some}
    oldest = await planning.oldest_story(tx, stories)
    if oldest is not None and oldest < since:  # an edit made an old article match: did they have it long ago?
        readers = _with_history(readers, *await planning.digests_of(tx, ids, oldest))
    if _is_ranked(ctx, readers):
        candidates = _with_tellers(candidates, await planning.tellers(tx, stories))
    return Batch(
        readers=readers,
        subscribers={person.id or 0: person for person in people},
        endpoints=endpoints,
        candidates=candidates,
        taken=await _taken(tx, readers, endpoints, now),
        release=release,
    )


def _reader(
    ctx: Context, person: Subscriber, subscriptions: Sequence[Subscription], known: Mapping[int, Topic],
    schedules: Sequence[Schedule], now: datetime,
) -> Reader:  # fmt: skip
    active = [
        _following(ctx, s, known[s.topic_id])
        for s in subscriptions
        if s.status == SubscriptionStatus.ACTIVE and s.topic_id in known and _is_live(ctx, known[s.topic_id])
    ]
    dues = [
        Due(row.id or 0, row.channel, cadences.parse(row.cadence), row.next_due_at, row.newsletter_id)
        for row in schedules
        if row.next_due_at is not None and row.next_due_at <= now
    ]
    followings = active if planning.is_readable(person) else ()
    return Reader(person.id or 0, person.timezone, followings, dues, quiet=Quiet.of(person))


def _following(ctx: Context, subscription: Subscription, topic: Topic) -> Following:
    newsletter_id = topic.newsletter_id or ctx.newsletter.id or 0
    return following(subscription, topic.name, topic.query_id, _style(topic), newsletter_id)


def _is_live(ctx: Context, topic: Topic) -> bool:
    return not topic.is_paused and not ctx.letter(topic.newsletter_id).is_paused


def _is_ranked(ctx: Context, readers: Mapping[int, Reader]) -> bool:
    """Whether anything is ordered by merit, of which the number of a story's sources is a part."""
    all_followed = [f for reader in readers.values() for f in reader.followings]
    letters = {f.newsletter_id for f in all_followed}
    orders = {f.style.order for f in all_followed} | {style(ctx, letter).order for letter in letters}
    return Order.RANKED in orders


def _with_tellers(
    candidates: Mapping[int, Sequence[Candidate]], tellers: Mapping[int, int]
) -> Mapping[int, Sequence[Candidate]]:
    return {
        query_id: [replace(c, tellers=tellers[c.cluster_id]) if c.cluster_id in tellers else c for c in some]
        for query_id, some in candidates.items()
    }


def _style(topic: Topic) -> Style:
    return Style.of(topic.digest) if topic.digest else PLAIN


def _with_history(
    readers: Mapping[int, Reader], told: Sequence[Any], items: Mapping[int, Sequence[Any]]
) -> dict[int, Reader]:
    """Add the stories each reader has had, and the articles of digests that expired on their way."""
    had: dict[int, dict[Channel, set[int]]] = {}
    returned: dict[int, set[int]] = {}
    for row in told:
        content = items.get(row.digest_id, ())
        if row.status == DeliveryStatus.EXPIRED:
            returned.setdefault(row.subscriber_id, set()).update(item[0] for item in content)
        else:
            clusters = had.setdefault(row.subscriber_id, {}).setdefault(row.channel, set())
            clusters.update(item[2] for item in content)
    return {
        i: replace(
            reader,
            had={channel: frozenset(clusters) for channel, clusters in had.get(i, {}).items()},
            returned=frozenset(returned.get(i, ())),
        )
        for i, reader in readers.items()
    }


async def _candidates(
    tx: Transaction, readers: Sequence[Reader], release: int, since: datetime
) -> dict[int, list[Candidate]]:
    """The unread matches of every query that is due, and those of articles that come back."""
    due = [f for reader in readers for f in reader.followings if f.cadence.is_instant or _is_due(reader, f.cadence)]
    queries = {f.query_id for f in due}
    after = min((f.release for f in due), default=release)
    found = await planning.candidates(tx, queries, after=after, upto=release, seen_from=since)
    returned = sorted({article_id for reader in readers for article_id in reader.returned})
    for query_id, some in (await planning.candidates_of(tx, queries, returned)).items():
        known = {candidate.article_id for candidate in found.setdefault(query_id, [])}
        found[query_id] += [candidate for candidate in some if candidate.article_id not in known]
        found[query_id].sort(key=lambda candidate: (candidate.release, candidate.article_id))
    return found


def _is_due(reader: Reader, cadence: cadences.Cadence) -> bool:
    return any(due.cadence == cadence for due in reader.dues)


async def _taken(
    tx: Transaction, readers: Mapping[int, Reader], endpoints: Mapping[int, Sequence[Endpoint]], now: datetime
) -> dict[int, frozenset[Slot]]:
    """The due slots of each reader that already have a delivery."""
    keys = {
        key_of(slot[0], DeliveryKind.DIGEST, endpoint, slot[1]): (reader_id, slot)
        for reader_id, reader in readers.items()
        for slot in slots_of(reader, now)
        for endpoint in endpoints.get(reader_id, ())
    }
    taken: dict[int, set[Slot]] = {reader_id: set() for reader_id in readers}
    for key in await planning.taken_keys(tx, list(keys)):
        reader_id, slot = keys[key]
        taken[reader_id].add(slot)
    return {reader_id: frozenset(mine) for reader_id, mine in taken.items()}


def key_of(newsletter_id: int, kind: DeliveryKind, endpoint: Endpoint, slot: str) -> str:
    """The idempotency key of a delivery: what it is, never when it was tried."""
    return f"{kind}:{newsletter_id}:{endpoint.subscriber_id}:{endpoint.channel}:{endpoint.id}:{slot}"
