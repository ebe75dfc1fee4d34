"""What planning reads and writes: due readers, wakes, locks, candidates, history, digests, deliveries, positions."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from builders import source
from test_store_articles import bring, match, queries, topic
from test_store_subscribers import follow, letter, person, schedule

from dispatcher.model.audience import Subscription
from dispatcher.model.outbound import Digest
from dispatcher.model.values import Channel, DeliveryKind, DeliveryStatus, SubscriptionStatus
from dispatcher.store import Store, Transaction, articles, newsletters, planning, sources, subscribers, topics
from dispatcher.store.engine import CHUNK, many

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def delivery(now: datetime, key: str, newsletter_id: int, **changes: Any) -> dict[str, Any]:
    row = {
        "key": key, "kind": DeliveryKind.DIGEST, "priority": 30, "digest_id": None, "status": DeliveryStatus.QUEUED,
        "newsletter_id": newsletter_id, "channel": Channel.EMAIL, "personal": {}, "slot_at": now, "due_at": now,
        "expires_at": now + HOUR, "created_at": now, "attempts": 0, "code": 0, "reason": "", "recipient": "",
        "address_hash": "", "message_id": "",
    }  # fmt: skip
    return row | changes


def digest(now: datetime, key: str, newsletter_id: int, *items: list[Any]) -> dict[str, Any]:
    return {
        "key": key, "newsletter_id": newsletter_id, "kind": DeliveryKind.DIGEST, "locale": "en", "timezone": "UTC",
        "cadence": "daily at 07:30", "slot_at": now, "items": list(items), "more": 0, "created_at": now,
    }  # fmt: skip


async def readers(tx: Transaction, now: datetime, count: int) -> list[int]:
    return [await subscribers.insert(tx, person(now, f"r{n}@reader.example"), str(n)) for n in range(count)]


async def test_due_readers_come_once_in_pages_by_id(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        newsletter_id = (await newsletters.keep(tx, letter())).id or 0
        (x,) = await queries(tx, now, "x")
        topic_id = await topics.insert(tx, topic(now, x))
        ids = await readers(tx, now, 5)
        for i in ids[:3]:
            await subscribers.keep_schedule(tx, schedule(now, i, newsletter_id))
            await subscribers.keep_schedule(tx, schedule(now, i, newsletter_id, cadence="hourly", label="hourly"))
        await subscribers.keep_schedule(tx, schedule(now, ids[3], newsletter_id, next_due_at=now + MINUTE))
        for i in (ids[2], ids[4]):
            await subscribers.add_subscription(tx, follow(now, i, topic_id, cadence="instant", look_at=now))
        first = await planning.due_readers(tx, now, after_id=0, limit=3)
        assert first == ids[:3]
        assert await planning.due_readers(tx, now, after_id=first[-1], limit=3) == [ids[4]]
        assert await planning.due_readers(tx, now - MINUTE, after_id=0, limit=3) == []


async def test_only_active_instant_subscriptions_of_matched_and_unpaused_topics_are_woken(
    store: Store, now: datetime
) -> None:
    async with store.write() as tx:
        gazette = await sources.insert(tx, source(now))
        (a,) = await bring(tx, gazette, now, "a")
        x, y = await queries(tx, now, "x", "y")
        matched, other = await topics.insert(tx, topic(now, x)), await topics.insert(tx, topic(now, y, "calm"))
        paused = await topics.insert(tx, topic(now, x, "paused", is_paused=True))
        (ann, ben) = await readers(tx, now, 2)
        woken = await subscribers.add_subscription(tx, follow(now, ann, matched, cadence="instant"))
        await subscribers.add_subscription(tx, follow(now, ann, other, cadence="instant"))
        await subscribers.add_subscription(tx, follow(now, ann, paused, cadence="instant"))
        ended = SubscriptionStatus.ENDED
        await subscribers.add_subscription(tx, follow(now, ben, matched, cadence="instant", status=ended))
        await subscribers.add_subscription(tx, follow(now, ben, other))
        await articles.add_matches(tx, [match(a.id, x, now)])
        assert await planning.wake_instant(tx, now, 1, 1) == 0
        assert await planning.wake_instant(tx, now, 0, 1) == 1
        assert [s.id for s in await many(tx, Subscription) if s.look_at is not None] == [woken]


async def test_a_wake_that_comes_while_we_plan_is_not_lost(store: Store, now: datetime) -> None:
    """Also when the other machine's clock is behind ours: its `look_at` is older than the one we read."""
    async with store.write() as tx:
        (x,) = await queries(tx, now, "x")
        topic_id = await topics.insert(tx, topic(now, x))
        (ann,) = await readers(tx, now, 1)
        position = {"upto": 7, "at": now}
        ids = {}
        for name, read_at, look_at in (
            ("unchanged", now, now),
            ("woken", now, now + MINUTE),
            ("woken by a slow clock", now, now - MINUTE),
            ("not looked at", None, now),
        ):
            await subscribers.add_subscription(tx, row := follow(now, ann, topic_id, look_at=look_at))
            ids[name] = {"subscription_id": row.id, "looked": read_at}
            topic_id = await topics.insert(tx, topic(now, x, name))
        await planning.advance_subscriptions(tx, [position | mine for mine in ids.values()])
        await planning.advance_subscriptions(tx, [])
        after = {s.id: s.look_at for s in await many(tx, Subscription)}
        kept = {name for name, mine in ids.items() if after[mine["subscription_id"]] is not None}
        assert kept == {"woken", "woken by a slow clock", "not looked at"}
        assert {(s.release, s.read_at, s.owed_from_at) for s in await many(tx, Subscription)} == {(7, now, None)}


async def test_a_reader_is_planned_by_one_process_at_a_time(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        ids = await readers(tx, now, 3)
    if store.is_sqlite:
        return  # one writer at a time: the lock is the file's
    async with store.write() as first, store.write() as second:
        assert [p.id for p in await planning.lock_readers(first, ids[:2])] == ids[:2]
        assert [p.id for p in await planning.lock_readers(second, ids)] == ids[2:]


async def test_candidates_are_the_matches_in_reach_by_query_in_order_of_release(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        gazette = await sources.insert(tx, source(now))
        a, b, c, d = await bring(tx, gazette, now, *"abcd")
        x, y = await queries(tx, now, "x", "y")
        await articles.add_matches(tx, [match(a.id, x, now)])
        await articles.add_matches(tx, [match(c.id, x, now), match(b.id, x, now), match(b.id, y, now)])
        await articles.add_matches(tx, [match(d.id, x, now - HOUR)])
        await articles.add_matches(tx, [match(d.id, y, now)])
        found = await planning.candidates(tx, [x, y], after=1, upto=3, seen_from=now - MINUTE)
        assert {q: [(k.article_id, k.release) for k in some] for q, some in found.items()} == {
            x: [(b.id, 2), (c.id, 2)],
            y: [(b.id, 2)],
        }
        some = found[x][0]
        assert (some.cluster_id, some.version, some.seen_at) == (b.cluster_id, 1, now)
        assert await planning.candidates(tx, [], after=0, upto=9, seen_from=now) == {}
        back = await planning.candidates_of(tx, [x], [a.id or 0, d.id or 0, 999, *range(10_000, 10_000 + CHUNK)])
        assert [k.article_id for k in back[x]] == [a.id, d.id]


async def test_history_holds_what_reached_a_reader_or_will_and_what_expired(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        newsletter_id = (await newsletters.keep(tx, letter())).id or 0
        ann, ben = await readers(tx, now, 2)
        ids, new = await planning.save_digests(
            tx, {key: digest(now, key, newsletter_id, [n, 1, n, "Wind", []]) for n, key in enumerate("abc")}
        )
        assert new == 3
        rows = [
            delivery(now, f"{status}", newsletter_id, subscriber_id=ann, digest_id=ids["a"], status=status)
            for status in DeliveryStatus
        ]
        rows.append(delivery(now - HOUR, "old", newsletter_id, subscriber_id=ann, digest_id=ids["b"]))
        rows.append(delivery(now, "ben", newsletter_id, subscriber_id=ben, digest_id=ids["c"]))
        rows.append(delivery(now, "bare", newsletter_id, subscriber_id=ann))
        assert await planning.save_deliveries(tx, rows) == len(rows)
        assert await planning.save_deliveries(tx, rows) == 0
        told, items = await planning.digests_of(tx, [ann], now)
        assert {row.status for row in told} == {
            DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.DEFERRED, DeliveryStatus.HELD,
            DeliveryStatus.SENT, DeliveryStatus.EXPIRED,
        }  # fmt: skip
        assert items == {ids["a"]: [[0, 1, 0, "Wind", []]]}
        taken = await planning.taken_keys(tx, ["ben", "absent", *(f"no{n}" for n in range(CHUNK))])
        assert taken == {"ben"}


async def test_a_digest_is_stored_once_by_two_processes_that_save_it_at_once(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        newsletter_id = (await newsletters.keep(tx, letter())).id or 0
    rows = {f"k{n:04}": digest(now, f"k{n:04}", newsletter_id) for n in range(CHUNK + 20)}

    async def save(some: dict[str, dict[str, Any]]) -> tuple[dict[str, int], int]:
        async with store.write() as tx:
            return await planning.save_digests(tx, some)

    (one, new_one), (two, new_two) = await asyncio.gather(save(rows), save(dict(reversed(rows.items()))))
    assert one == two
    assert new_one + new_two == len(rows)
    async with store.read() as tx:
        assert len(await many(tx, Digest)) == len(rows)
        assert await planning.taken_keys(tx, []) == set()


async def test_a_schedule_that_was_changed_meanwhile_is_not_moved_back(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        newsletter_id = (await newsletters.keep(tx, letter())).id or 0
        ann, ben = await readers(tx, now, 2)
        for i in (ann, ben):
            await subscribers.keep_schedule(tx, schedule(now, i, newsletter_id))
        rows = await subscribers.schedules(tx, [ann, ben])
        rows[ben][0].next_due_at = None
        await subscribers.keep_schedule(tx, rows[ben][0])
        moved = {"was_due": now, "next_due": now + HOUR, "last_due": now}
        await planning.advance_schedules(tx, [moved | {"schedule_id": rows[i][0].id} for i in (ann, ben)])
        await planning.advance_schedules(tx, [])
        after = await subscribers.schedules(tx, [ann, ben])
        assert (after[ann][0].next_due_at, after[ann][0].last_due_at) == (now + HOUR, now)
        assert (after[ben][0].next_due_at, after[ben][0].last_due_at) == (None, now)


async def test_a_reader_set_aside_is_due_again_later(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        newsletter_id = (await newsletters.keep(tx, letter())).id or 0
        (x,) = await queries(tx, now, "x")
        topic_id = await topics.insert(tx, topic(now, x))
        ann, ben = await readers(tx, now, 2)
        for i in (ann, ben):
            await subscribers.keep_schedule(tx, schedule(now, i, newsletter_id))
            await subscribers.add_subscription(tx, follow(now, i, topic_id, look_at=now))
        await planning.push_ahead(tx, ann, now + HOUR)
        assert await planning.due_readers(tx, now, after_id=0, limit=9) == [ben]
        assert await planning.due_readers(tx, now + HOUR, after_id=0, limit=9) == [ann, ben]
