"""What the desk asks the database, on both engines."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from builders import article, source

from dispatcher.model.access import Operator, Visit
from dispatcher.model.audience import Schedule, Subscriber
from dispatcher.model.consent import OptIn
from dispatcher.model.content import Query, Topic
from dispatcher.model.feedback import Event
from dispatcher.model.outbound import Delivery, Newsletter
from dispatcher.model.values import (
    DeliveryKind,
    DeliveryStatus,
    EventType,
    Origin,
    Role,
    SubscriberStatus,
)
from dispatcher.pipeline import audit
from dispatcher.store import Store, Transaction, articles, audits, dashboard, desk, operators, topics
from dispatcher.store.engine import add, table

HOUR = timedelta(hours=1)


def operator(name: str, now: datetime, role: Role = Role.OWNER, *, is_active: bool = True) -> Operator:
    return Operator(name=name, role=role, is_active=is_active, created_at=now)


def a_visit(token_hash: str, now: datetime, expires_at: datetime, operator_id: int = 1) -> Visit:
    return Visit(operator_id=operator_id, token_hash=token_hash, created_at=now, seen_at=now, expires_at=expires_at)


def reader(email: str, now: datetime, status: SubscriberStatus = SubscriberStatus.ACTIVE) -> Subscriber:
    return Subscriber(email=email, status=status, origin=Origin.CLI, created_at=now)


async def newsletter(tx: Transaction) -> int:
    return await add(tx, Newsletter(slug="default", name="G", sender="n@g.example", list_id="g.example"))


def delivery(number: int, now: datetime, status: DeliveryStatus, **changes: object) -> Delivery:
    values = {
        "key": str(number), "kind": DeliveryKind.DIGEST, "priority": 30, "status": status, "newsletter_id": 1,
        "slot_at": now, "due_at": now, "expires_at": now + HOUR, "created_at": now,
    }  # fmt: skip
    return Delivery(**values | changes)


async def test_a_visit_counts_until_it_lapses_or_its_operator_is_shut_out(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        ann = operator("ann", now)
        await operators.insert(tx, ann)
        await operators.begin_visit(tx, a_visit("a", now, now + HOUR))
        await operators.begin_visit(tx, a_visit("b", now, now + HOUR))
        assert await operators.visit(tx, "a", now) is not None
        assert await operators.visit(tx, "c", now) is None
        assert await operators.visit(tx, "a", now + HOUR) is None
        await operators.begin_visit(tx, a_visit("d", now + 2 * HOUR, now + 3 * HOUR))
        assert len(await operators.visits(tx, 1, now)) == 1, "what has lapsed is forgotten"
        await operators.write(tx, 1, is_active=False)
        assert await operators.visit(tx, "d", now) is None


async def test_ending_visits_touches_only_ones_own(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        for name in ("ann", "bob"):
            await operators.insert(tx, operator(name, now))
        mine = [await operators.begin_visit(tx, a_visit(token, now, now + HOUR)) for token in "abc"]
        his = await operators.begin_visit(tx, a_visit("z", now, now + HOUR, operator_id=2))
        assert not await operators.end_visit(tx, 1, his)
        assert await operators.end_visit(tx, 1, mine[0])
        assert await operators.end_visits(tx, 1, but=mine[1]) == 1
        assert [visit.id for visit in await operators.visits(tx, 1, now)] == [mine[1]]
        await operators.remove(tx, 2)
        assert await operators.by_name(tx, "bob") is None
        assert await operators.visit(tx, "z", now) is None


async def test_other_owners_are_counted_only_if_they_can_come_in(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        for one in (operator("ann", now), operator("bob", now, is_active=False), operator("cy", now, Role.EDITOR)):
            await operators.insert(tx, one)
        assert await operators.other_owners(tx, 1) == 0
        assert await operators.other_owners(tx, 3) == 1


async def test_a_line_of_the_log_goes_with_its_change_or_not_at_all(store: Store, now: datetime) -> None:
    with suppress(RuntimeError):
        async with store.write() as tx:
            await audit.note(tx, "cli", "add topic", "undone", now)
            raise RuntimeError
    async with store.write() as tx:
        long = {"text": "x" * 9000, "when": now, "ids": [1, 2], "role": Role.OWNER}
        first = await audit.note(tx, "operator:ann", "edit topic", "y" * 900, now, ip="::1", **long)
        second = await audit.note(tx, "cli", "add topic", "harbour", now + HOUR)
    async with store.read() as tx:
        lines = await audits.latest(tx, 10)
        assert [line.id for line in lines] == [second, first]
        assert [line.id for line in await audits.latest(tx, 10, before_id=second)] == [first]
        detail = lines[1].detail
        assert (len(detail["text"]), detail["ids"], detail["role"]) == (audit.LONGEST, [1, 2], "owner")
        assert len(lines[1].subject) == audit.LONGEST
    async with store.write() as tx:
        assert await audits.prune(tx, now + HOUR) == 1
        assert [line.id for line in await audits.latest(tx, 10)] == [second]


async def test_the_dashboard_counts_by_the_hour_and_by_the_week(store: Store, now: datetime) -> None:
    half_past = now + timedelta(minutes=30)
    async with store.write() as tx:
        letter = await newsletter(tx)
        source_id = await add(tx, source(now))
        items = [
            article(at, url=str(n), source_id=source_id) for n, at in enumerate((now, now - 3 * HOUR, now - 30 * HOUR))
        ]
        await articles.insert(tx, items)
        queries = [await topics.query_id(tx, text, "en", now) for text in ("crane", "ship")]
        await articles.add_matches(
            tx, [{"article_id": items[0].id, "query_id": q, "score": 1.0, "seen_at": now} for q in queries]
        )
        statuses = (SubscriberStatus.ACTIVE, SubscriberStatus.ACTIVE, SubscriberStatus.UNSUBSCRIBED)
        readers = [await add(tx, reader(f"r{n}@r.example", now, s)) for n, s in enumerate(statuses)]
        for number, due in enumerate((now - HOUR, now + timedelta(minutes=90), now + 13 * HOUR)):
            await add(
                tx,
                Schedule(
                    subscriber_id=readers[number], newsletter_id=letter, cadence="daily at 07:30", next_due_at=due
                ),
            )
        rows = [
            (DeliveryStatus.QUEUED, {}),
            (DeliveryStatus.SENT, {"finished_at": now}),
            (DeliveryStatus.SENT, {"finished_at": now - 2 * HOUR}),
            (DeliveryStatus.SENT, {"finished_at": now - 48 * HOUR}),
            (DeliveryStatus.SENT, {"finished_at": now - timedelta(days=8)}),
            (DeliveryStatus.FAILED, {"finished_at": now, "code": 550, "reason": "550 5.1.1 no such user ada"}),
            (DeliveryStatus.FAILED, {"finished_at": now, "code": 550, "reason": "550 5.1.1 no such user bob"}),
            (DeliveryStatus.FAILED, {"finished_at": now, "code": 552, "reason": "552 5.2.2 full"}),
        ]
        for number, (status, changes) in enumerate(rows):
            await add(tx, delivery(number, now, status, newsletter_id=letter, **changes))
        for kind, at in ((EventType.COMPLAINT, now), (EventType.COMPLAINT, now - timedelta(days=8))):
            await add(tx, Event(type=kind, at=at))
        for asked, confirmed in ((now, None), (now, now), (now - timedelta(days=9), None)):
            await add(
                tx,
                OptIn(newsletter_id=letter, address="x@x.example", mailbox_hash="h", network="n", requested_at=asked,
                      confirmed_at=confirmed),
            )  # fmt: skip
    async with store.read() as tx:
        found = await dashboard.figures(tx, half_past, confirm_within=timedelta(days=7))
    assert (found.articles[-1], found.articles[-4], sum(found.articles)) == (1, 1, 2)
    assert (found.matches[-1], sum(found.matches)) == (2, 2)
    assert (found.sent[-1], found.sent[-3], sum(found.sent)) == (1, 1, 2)
    assert (found.due[0], found.due[1], sum(found.due)) == (1, 1, 2), "what is overdue stands in the first hour"
    assert found.queue == {"queued": 1, "sending": 0, "deferred": 0, "held": 0}
    assert (found.ended["sent"], found.ended["failed"]) == (3, 3)
    assert [(code, count) for code, _, count in found.reasons] == [(550, 2), (552, 1)]
    assert found.events == {"complaint": 1}
    assert found.subscribers == {"active": 2, "unsubscribed": 1}
    assert found.opt_ins == 1
    assert [one.name for one in found.sources] == ["Gazette"]


async def test_people_are_found_by_the_beginning_of_their_address(store: Store, now: datetime) -> None:
    emails = ("ann@a.example", "anna@a.example", "an_x@a.example", "an%x@a.example", "bob@a.example", "")
    async with store.write() as tx:
        for email in emails:
            await add(tx, reader(email, now))
    async with store.read() as tx:
        assert {one.email for one in await desk.readers(tx, "ann", 10)} == {"ann@a.example", "anna@a.example"}
        assert [one.email for one in await desk.readers(tx, "an_", 10)] == ["an_x@a.example"]
        assert [one.email for one in await desk.readers(tx, "an%", 10)] == ["an%x@a.example"]
        assert [one.email for one in await desk.readers(tx, "", 2)] == ["bob@a.example", "an%x@a.example"]


async def test_counting_stops_where_it_would_take_too_long(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "COUNTED", 3)
    subscriber = table(Subscriber)
    async with store.write() as tx:
        for number in range(4):
            await add(tx, reader(f"{number}@a.example", now))
        assert await desk.count(tx, subscriber.select()) == desk.Counted(3, is_more=True)
        assert await desk.count(tx, subscriber.select().where(subscriber.c.id < 4)) == desk.Counted(3)


async def test_deliveries_of_a_status_come_most_urgent_or_latest_first(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        letter = await newsletter(tx)
        queued, sent = DeliveryStatus.QUEUED, DeliveryStatus.SENT
        for number, (status, priority, minutes) in enumerate(
            ((queued, 30, 0), (queued, 0, 5), (sent, 0, 1), (sent, 0, 9))
        ):
            at = now + timedelta(minutes=minutes)
            when = {"due_at": at, "finished_at": at}
            await add(tx, delivery(number, now, status, newsletter_id=letter, priority=priority, **when))
    async with store.read() as tx:
        assert [one.key for one in await desk.deliveries(tx, DeliveryStatus.QUEUED, 9)] == ["1", "0"]
        assert [one.key for one in await desk.deliveries(tx, DeliveryStatus.SENT, 1)] == ["3"]


async def test_a_topic_s_figures_are_its_matches_and_active_followers(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        query = Query(digest="d", text="x", language="en", created_at=now)
        number = await add(tx, query)
        topic = Topic(slug="t", name="T", query_id=number, origin=Origin.CLI, created_at=now)
        await topics.insert(tx, topic)
        assert await desk.topic_figures(tx, topic) == (desk.Counted(0), desk.Counted(0))
