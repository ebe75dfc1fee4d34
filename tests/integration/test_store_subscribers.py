"""People and what they follow; suppressions; events; keys; newsletters; figures."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from dispatcher.errors import StoreError
from dispatcher.model.audience import Endpoint, Schedule, Subscriber, Subscription
from dispatcher.model.content import Topic
from dispatcher.model.outbound import Newsletter
from dispatcher.model.values import (
    Channel,
    EventType,
    Origin,
    SubscriberStatus,
    SubscriptionStatus,
    SuppressionReason,
    SuppressionScope,
)
from dispatcher.store import (
    Store,
    Transaction,
    events,
    figures,
    newsletters,
    schema,
    subscribers,
    suppressions,
    topics,
)
from dispatcher.store.engine import CHUNK, many
from dispatcher.store.keys import address_hash, key

HOUR = timedelta(hours=1)
ANN = "ann@reader.example"


def person(now: datetime, email: str = ANN, **changes: Any) -> Subscriber:
    return Subscriber(**{"email": email, "origin": Origin.CLI, "created_at": now} | changes)


def follow(now: datetime, subscriber_id: int, topic_id: int, **changes: Any) -> Subscription:
    values = {
        "subscriber_id": subscriber_id, "topic_id": topic_id, "cadence": "daily at 07:30", "origin": Origin.CLI,
        "created_at": now,
    }  # fmt: skip
    return Subscription(**values | changes)


def letter(**changes: Any) -> Newsletter:
    values = {"slug": "default", "name": "Gazette", "sender": "news@gazette.example", "list_id": "g.example"}
    return Newsletter(**values | changes)


def schedule(now: datetime, subscriber_id: int, newsletter_id: int, **changes: Any) -> Schedule:
    values = {
        "subscriber_id": subscriber_id, "newsletter_id": newsletter_id, "cadence": "daily at 07:30", "label": "daily",
        "next_due_at": now,
    }  # fmt: skip
    return Schedule(**values | changes)


async def a_topic(tx: Transaction, now: datetime, slug: str = "wind") -> int:
    query_id = await topics.query_id(tx, slug, "en", now)
    values = {"slug": slug, "name": slug, "query_id": query_id, "origin": Origin.CLI, "created_at": now}
    return await topics.insert(tx, Topic(**values))


async def test_a_subscriber_is_found_by_address_and_reached_at_it(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        ann = await subscribers.insert(tx, person(now), "hash of ann")
        await subscribers.insert(tx, person(now, "ben@reader.example", origin=Origin.CONFIG), "hash of ben")
        found = await subscribers.by_email(tx, ANN)
        assert found is not None
        assert found.id == ann
        assert await subscribers.by_email(tx, "nobody@reader.example") is None
        assert set(await subscribers.by_emails(tx, [ANN, "nobody@reader.example"])) == {ANN}
        assert [p.email for p in await subscribers.where_origin(tx, "config")] == ["ben@reader.example"]
        (endpoint,) = (await subscribers.endpoints(tx, [ann]))[ann]
        assert (endpoint.address, endpoint.address_hash, endpoint.channel) == (ANN, "hash of ann", Channel.EMAIL)


async def test_an_address_belongs_to_one_person_but_many_may_be_erased(store: Store, now: datetime) -> None:
    async def twice(email: str) -> None:
        async with store.write() as tx:
            await subscribers.insert(tx, person(now, email), f"1{email}")
            await subscribers.insert(tx, person(now, email), f"2{email}")

    await twice("")
    with pytest.raises(sa.exc.IntegrityError):
        await twice(ANN)


async def test_pages_hold_everybody_once_in_order(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        for n in range(7):
            await subscribers.insert(tx, person(now, f"r{n}@reader.example"), str(n))
        pages = [[p.email[:2] for p in page] async for page in subscribers.pages(tx, size=3)]
        assert pages == [["r0", "r1", "r2"], ["r3", "r4", "r5"], ["r6"]]
        assert await subscribers.count_active(tx) == 7


async def test_a_status_is_written_only_if_it_still_is_what_was_read(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        ann = await subscribers.insert(tx, person(now), "hash")
        assert await subscribers.write(tx, ann, status=SubscriberStatus.UNSUBSCRIBED)
        assert not await subscribers.write(tx, ann, was=SubscriberStatus.ACTIVE, status=SubscriberStatus.PAUSED)
        assert not await subscribers.write(tx, 999, name="nobody")
        found = (await subscribers.by_ids(tx, [ann]))[ann]
        assert found.status is SubscriberStatus.UNSUBSCRIBED


async def test_strikes_are_counted_and_an_arrival_forgives_them(store: Store, now: datetime) -> None:
    from test_store_planning import delivery

    from dispatcher.store import claims, planning

    async with store.write() as tx:
        ann = await subscribers.insert(tx, person(now), "hash")
        newsletter = await newsletters.keep(tx, letter())
        assert [await subscribers.strike(tx, ann) for _ in range(3)] == [1, 2, 3]
        assert await subscribers.strike(tx, 999) == 0
        await planning.save_deliveries(tx, [delivery(now, "k", newsletter.id or 0, subscriber_id=ann)])
        await tx.run_sync(claims.forgive, [1])
        assert (await subscribers.by_ids(tx, [ann]))[ann].soft_bounces == 0


async def test_subscriptions_and_schedules_of_more_people_than_fit_into_one_statement(
    store: Store, now: datetime
) -> None:
    async with store.write() as tx:
        topic_id = await a_topic(tx, now)
        newsletter = await newsletters.keep(tx, letter())
        ids = []
        for n in range(CHUNK + 1):
            ids.append(await subscribers.insert(tx, person(now, f"r{n}@reader.example"), str(n)))
            await subscribers.add_subscription(tx, follow(now, ids[-1], topic_id))
            await subscribers.keep_schedule(tx, schedule(now, ids[-1], newsletter.id or 0))
        for found in (
            await subscribers.subscriptions(tx, ids),
            await subscribers.schedules(tx, ids),
            await subscribers.endpoints(tx, ids),
        ):
            assert {i: len(mine) for i, mine in found.items()} == dict.fromkeys(ids, 1)


async def test_a_schedule_is_kept_once_and_changed_in_place(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        ann = await subscribers.insert(tx, person(now), "hash")
        newsletter = await newsletters.keep(tx, letter())
        await subscribers.keep_schedule(tx, schedule(now, ann, newsletter.id or 0))
        ((row,),) = (await subscribers.schedules(tx, [ann])).values()
        row.next_due_at, row.timezone, row.last_due_at = None, "Asia/Tokyo", now
        await subscribers.keep_schedule(tx, row)
        ((again,),) = (await subscribers.schedules(tx, [ann])).values()
        assert (again.next_due_at, again.timezone, again.last_due_at) == (None, "Asia/Tokyo", now)


async def test_borrowers_are_others_readers_who_follow_what_this_origin_gave_them(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        topic_id = await a_topic(tx, now)
        for email, reader_origin, origin, status in (
            ("borrows@r.example", Origin.CLI, Origin.CONFIG, "active"),
            ("own@r.example", Origin.CLI, Origin.CLI, "active"),
            ("ours@r.example", Origin.CONFIG, Origin.CONFIG, "active"),
            ("paused@r.example", Origin.CLI, Origin.CONFIG, "paused"),
        ):
            reader = await subscribers.insert(tx, person(now, email, origin=reader_origin), email)
            status_word = SubscriptionStatus(status)
            await subscribers.add_subscription(tx, follow(now, reader, topic_id, origin=origin, status=status_word))
        assert [p.email for p in await subscribers.borrowers(tx, Origin.CONFIG)] == ["borrows@r.example"]
        assert await subscribers.count_followers(tx, [topic_id], but_origin=Origin.CONFIG) == 1
        assert await subscribers.count_followers(tx, [], but_origin=Origin.CONFIG) == 0


async def test_erasing_leaves_nothing_that_tells_who_it_was(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        topic_id = await a_topic(tx, now)
        ann = await subscribers.insert(tx, person(now), "hash")
        newsletter = await newsletters.keep(tx, letter())
        await subscribers.add_subscription(tx, follow(now, ann, topic_id))
        await subscribers.keep_schedule(tx, schedule(now, ann, newsletter.id or 0))
        await subscribers.erase(tx, ann, now)
        assert (await subscribers.subscriptions(tx, [ann]))[ann][0].status is SubscriptionStatus.ENDED
        assert await subscribers.schedules(tx, [ann]) == {}
        assert await subscribers.endpoints(tx, [ann]) == {}
        (endpoint,) = await many(tx, Endpoint)
        assert (endpoint.address, endpoint.address_hash) == ("", "")


async def test_a_suppression_is_made_once_for_each_scope(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        assert await suppressions.add(tx, "h", SuppressionReason.UNSUBSCRIBED, now, address=ANN, newsletter_id=1)
        assert not await suppressions.add(tx, "h", SuppressionReason.UNSUBSCRIBED, now + HOUR, newsletter_id=1)
        assert await suppressions.add(tx, "h", SuppressionReason.UNSUBSCRIBED, now, newsletter_id=2)
        assert await suppressions.add(tx, "h", SuppressionReason.BOUNCED, now, address=ANN)
        assert not await suppressions.add(tx, "h", SuppressionReason.COMPLAINED, now)
        found = (await suppressions.of(tx, ["h", "other"]))["h"]
        assert [(s.scope, s.newsletter_id, s.since) for s in found] == [
            (SuppressionScope.NEWSLETTER, 1, now),
            (SuppressionScope.NEWSLETTER, 2, now),
            (SuppressionScope.ADDRESS, 0, now),
        ]
        await suppressions.lift(tx, "h", 1)
        await suppressions.lift(tx, "h", 0)  # what bounced stays suppressed
        await suppressions.forget_address(tx, "h")
        kept = await suppressions.every(tx)
        assert [(s.newsletter_id, s.address, s.address_hash) for s in kept] == [(2, "", "h"), (0, "", "h")]


async def test_an_event_is_applied_by_one_of_two(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        await events.record(tx, [])
        await events.record(
            tx,
            [{"type": kind, "at": now, "raw": {"line": "ü"}} for kind in (EventType.COMPLAINT, EventType.UNSUBSCRIBE)],
        )
        first, second = await events.unapplied(tx)
    assert first.raw == {"line": "ü"}

    async def apply() -> bool:
        async with store.write() as tx:
            return await events.mark_applied(tx, first.id or 0, now)

    assert sorted(await asyncio.gather(apply(), apply())) == [False, True]
    async with store.read() as tx:
        assert [e.id for e in await events.unapplied(tx)] == [second.id]


async def test_keys_are_made_once_and_a_lost_one_is_told_in_words(store: Store, now: datetime) -> None:
    async with store.read() as tx:
        before = await key(tx, "site"), await key(tx, "suppression")
    await schema.upgrade(store, now + HOUR)
    async with store.read() as tx:
        assert (await key(tx, "site"), await key(tx, "suppression")) == before
        with pytest.raises(StoreError, match=r"'lost'.*backup"):
            await key(tx, "lost")
    assert before[0] != before[1]
    assert all(len(secret) == 32 for secret in before)


def test_an_address_is_recognised_in_any_spelling_and_only_with_the_key() -> None:
    assert address_hash(b"k", " Ann@Reader.Example ") == address_hash(b"k", ANN)
    assert address_hash(b"k", ANN) != address_hash(b"other", ANN)
    assert ANN not in address_hash(b"k", ANN)


async def test_a_newsletter_is_kept_up_to_date_under_its_slug(store: Store) -> None:
    async def keep(**changes: Any) -> Newsletter:
        async with store.write() as tx:
            return await newsletters.keep(tx, letter(**changes))

    first, second = await asyncio.gather(keep(), keep())
    assert first.id == second.id is not None
    assert (await keep(name="Herald")).id == first.id
    assert (await keep(name="Herald")).name == "Herald"


async def test_figures_count_everything_that_flows(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        topic_id = await a_topic(tx, now)
        ann = await subscribers.insert(tx, person(now), "hash")
        await subscribers.insert(tx, person(now, "b@r.example", status=SubscriberStatus.PAUSED), "2")
        await subscribers.add_subscription(tx, follow(now, ann, topic_id))
        found = await figures.status(tx)
    assert (found["subscribers"], found["subscribers_active"], found["subscriptions"], found["topics"]) == (2, 1, 1, 1)
    assert (found["sources"], found["articles"], found["matches"], found["suppressions"]) == (0, 0, 0, 0)
    assert set(found["deliveries"].values()) == {0}
    assert {"queued", "sending", "sent", "deferred", "held", "failed", "suppressed", "expired", "cancelled"} == set(
        found["deliveries"]
    )
