"""Config → rows: created, updated, paused, woken; what it may never touch; and how many it may silence."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from builders import settings, subscriber, topic

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.audience import Schedule, Subscriber, Subscription
from dispatcher.model.content import Source, Topic
from dispatcher.model.values import (
    Origin,
    PausedBy,
    SubscriberStatus,
    SubscriptionStatus,
    SuppressionReason,
)
from dispatcher.observability import logs
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context, load_settings, open_context
from dispatcher.pipeline.declare import DeclareReport, declare
from dispatcher.store import Store, Transaction, sources, subscribers, suppressions, topics
from dispatcher.store.keys import address_hash

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
ANN, BEN = "ann@reader.example", "ben@reader.example"


@dataclass
class Office:
    """A database, and the configs that are declared on it one after another."""

    folder: Path
    url: str
    config: dict[str, Any] = field(default_factory=lambda: {"topics": [topic("wind", "wind"), topic("sea", "sea")]})

    @asynccontextmanager
    async def open(self, now: datetime = NOW, **sections: Any) -> AsyncIterator[Context]:
        chosen = settings(self.folder, self.url, **{**self.config, **sections})
        async with open_context(chosen, now=now, transport=MemoryTransport()) as ctx:
            yield ctx

    async def declare(
        self, *readers: Any, now: datetime = NOW, pause_missing: bool = True, yes: bool = False, **sections: Any
    ) -> DeclareReport:
        async with self.open(now, subscribers=list(readers), **sections) as ctx:
            return await declare(ctx, now, pause_missing=pause_missing, yes=yes)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Transaction]:
        """A look at the rows."""
        store = Store(settings(self.folder, self.url).database_url)
        async with store.read() as tx:
            yield tx
        await store.close()

    async def reader(self, email: str = ANN) -> Subscriber:
        async with self.look() as tx:
            found = await subscribers.by_email(tx, email)
        assert found is not None
        return found

    async def follows(self, email: str = ANN) -> dict[str, Subscription]:
        reader = await self.reader(email)
        async with self.look() as tx:
            mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, [])
            known = await topics.by_ids(tx, [s.topic_id for s in mine])
        return {known[s.topic_id].slug: s for s in mine}

    async def schedules(self, email: str = ANN) -> dict[str, Schedule]:
        reader = await self.reader(email)
        async with self.look() as tx:
            return {s.cadence: s for s in (await subscribers.schedules(tx, [reader.id or 0])).get(reader.id or 0, [])}

    async def topic(self, slug: str) -> Topic:
        async with self.look() as tx:
            found = await topics.by_slug(tx, slug)
        assert found is not None
        return found

    async def source(self, name: str) -> Source:
        async with self.look() as tx:
            found = await sources.by_name(tx, name)
        assert found is not None
        return found


@pytest.fixture
def office(tmp_path: Path, furnished_url: str) -> Office:
    return Office(tmp_path, furnished_url)


@pytest.fixture
def small_office(tmp_path: Path, furnished: Any) -> Office:
    """On SQLite only: for what does not depend on the engine."""
    return Office(tmp_path, furnished("sqlite", tmp_path))


def crowd(count: int) -> list[Any]:
    return [subscriber(f"r{n}@reader.example", "wind") for n in range(count)]


def feed(name: str = "Gazette", **changes: Any) -> dict[str, Any]:
    return {"name": name, "url": f"https://{name.lower()}.example/feed"} | changes


# -- what config names exists ----------------------------------------------------------------------------------------


async def test_config_is_declared_once_and_the_second_time_changes_nothing(office: Office) -> None:
    ann = subscriber(ANN, "wind", {"topic": "sea", "cadence": "weekly"}, timezone="Europe/London", name="Ann")
    first = await office.declare(ann, sources=[feed(tags=["local"])])
    assert (first.created, first.updated, first.paused) == (4, 0, 0)
    again = await office.declare(ann, sources=[feed(tags=["local"])])
    assert (again.created, again.updated, again.paused, again.guarded) == (0, 0, 0, 0)
    reader = await office.reader()
    assert (reader.name, reader.timezone, reader.origin, reader.status) == (
        "Ann", "Europe/London", Origin.CONFIG, SubscriberStatus.ACTIVE,
    )  # fmt: skip
    assert reader.consent["how"] == "config"
    assert {slug: s.cadence for slug, s in (await office.follows()).items()} == {
        "wind": "daily at 07:30",
        "sea": "weekly on mon at 08:00",
    }
    assert set(await office.schedules()) == {"daily at 07:30", "weekly on mon at 08:00"}


async def test_included_files_are_declared_like_the_main_one(small_office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "dispatcher.toml").write_text('include = ["topics.toml", "people.toml"]\n')
    (folder / "topics.toml").write_text('[[topics]]\nslug = "wind"\nquery = "wind OR windmill"\n')
    (folder / "people.toml").write_text(f'[[subscribers]]\nemail = "{ANN}"\ntopics = ["wind"]\n')
    chosen = load_settings(folder / "dispatcher.toml", env={})
    async with open_context(chosen, now=NOW, transport=MemoryTransport()) as ctx:
        await declare(ctx, NOW, pause_missing=True)
    assert set(await small_office.follows()) == {"wind"}


async def test_a_changed_query_changes_the_topic_in_place_and_shares_queries_by_meaning(office: Office) -> None:
    ann, sea = subscriber(ANN, "wind"), topic("sea", "sea")
    await office.declare(ann)
    before = await office.topic("wind")
    report = await office.declare(ann, topics=[topic("wind", "wind  AND mill"), sea])
    after = await office.topic("wind")
    assert (report.updated, after.id) == (1, before.id)
    assert after.query_id != before.query_id
    await office.declare(ann, topics=[topic("wind", "wind mill"), sea])
    assert (await office.topic("wind")).query_id == after.query_id
    await office.declare(ann, topics=[topic("wind", "wind mill", language="de"), sea])
    assert (await office.topic("wind")).query_id != after.query_id


async def test_a_source_that_moves_is_read_afresh_and_brings_a_first_poll_again(office: Office) -> None:
    await office.declare(sources=[feed()])
    source = await office.source("Gazette")
    async with office.open() as ctx, ctx.store.write() as tx:
        learned = {
            "etag": "1",
            "body_hash": "2",
            "succeeded_at": NOW,
            "failures": 3,
            "next_poll_at": NOW + timedelta(1),
        }
        await sources.write(tx, source.id or 0, **learned)
    later = NOW + timedelta(hours=1)
    assert (await office.declare(sources=[feed(poll_every="1h")], now=later)).updated == 1
    assert (await office.source("Gazette")).etag == "1", "another interval is no other place"
    await office.declare(sources=[feed(url="https://new.example/feed")], now=later)
    moved = await office.source("Gazette")
    assert (moved.etag, moved.body_hash, moved.failures, moved.succeeded_at) == ("", "", 0, None)
    assert moved.next_poll_at == moved.created_at == later


async def test_an_address_is_one_person_in_any_case(office: Office) -> None:
    await office.declare(subscriber("Ann@Reader.Example", "wind"))
    assert (await office.declare(subscriber("ANN@reader.example", "wind"))).created == 0
    assert (await office.reader()).status is SubscriberStatus.ACTIVE


# -- what config no longer names -------------------------------------------------------------------------------------


async def test_only_a_run_pauses_what_config_no_longer_names(office: Office) -> None:
    await office.declare(subscriber(ANN, "wind"), subscriber(BEN, "wind"), sources=[feed()])
    report = await office.declare(subscriber(ANN, "wind"), topics=[topic("wind", "wind")], pause_missing=False)
    assert report.paused == 0
    assert (await office.reader(BEN)).status is SubscriberStatus.ACTIVE
    report = await office.declare(subscriber(ANN, "wind"), topics=[topic("wind", "wind")])
    assert report.paused == 3
    assert (await office.reader(BEN)).paused_by is PausedBy.CONFIG
    assert (await office.topic("sea")).paused_by is PausedBy.CONFIG
    assert (await office.source("Gazette")).paused_by is PausedBy.CONFIG
    await office.declare(subscriber(ANN, "wind"), subscriber(BEN, "wind"), sources=[feed()])
    assert (await office.reader(BEN)).status is SubscriberStatus.ACTIVE
    assert (await office.schedules(BEN))["daily at 07:30"].next_due_at is not None
    assert not (await office.topic("sea")).is_paused
    assert not (await office.source("Gazette")).is_paused


async def test_without_a_file_nothing_is_paused(small_office: Office) -> None:
    await small_office.declare(subscriber(ANN, "wind"), sources=[feed()])
    report = await small_office.declare(file=None, topics=[])
    assert report.paused == 0
    assert (await small_office.reader()).status is SubscriberStatus.ACTIVE


async def test_what_an_operator_paused_config_does_not_wake(office: Office) -> None:
    await office.declare(subscriber(ANN, "wind"), sources=[feed()])
    reader = await office.reader()
    async with office.open() as ctx, ctx.store.write() as tx:
        await enrolment.pause(tx, reader, PausedBy.OPERATOR, ctx.newsletter.id or 0, NOW)
        (source,) = await sources.every(tx)
        await sources.write(tx, source.id or 0, is_paused=True, paused_by=PausedBy.OPERATOR)
    await office.declare(subscriber(ANN, "sea"), sources=[feed(tags=["new"])])
    assert (await office.reader()).status is SubscriberStatus.PAUSED
    assert (await office.source("Gazette")).is_paused
    assert {s.next_due_at for s in (await office.schedules()).values()} == {None}


async def test_a_fifth_of_the_readers_may_go_and_one_always(office: Office) -> None:
    everybody = crowd(10)
    await office.declare(*everybody)
    report = await office.declare(*everybody[3:])
    assert (report.guarded, report.paused) == (3, 0)
    report = await office.declare(*everybody[2:])
    assert (report.guarded, report.paused) == (0, 2)
    report = await office.declare(*everybody[4:], yes=True)
    assert (report.guarded, report.paused) == (0, 2)
    report = await office.declare(*everybody[5:])
    assert (report.guarded, report.paused) == (0, 1), "one of six"


async def test_the_only_reader_may_go(office: Office) -> None:
    await office.declare(subscriber(ANN, "wind"))
    assert (await office.declare()).paused == 1


async def test_a_guarded_declaration_pauses_nothing_at_all_but_still_creates(office: Office) -> None:
    everybody = crowd(10)
    await office.declare(*everybody, sources=[feed()])
    report = await office.declare(
        *everybody[:2], subscriber(ANN, "wind"), topics=[topic("wind", "wind"), topic("new", "new")]
    )
    assert (report.guarded, report.paused, report.created) == (8, 0, 2)
    assert not (await office.topic("sea")).is_paused
    assert not (await office.source("Gazette")).is_paused


async def test_topics_that_many_follow_by_their_own_choice_do_not_vanish_with_a_truncated_file(office: Office) -> None:
    await office.declare()
    for n in range(3):
        await by_hand(office, f"own{n}@reader.example", "wind")
    report = await office.declare(topics=[])
    assert (report.guarded, report.paused) == (3, 0)
    assert not (await office.topic("wind")).is_paused
    assert (await office.declare(topics=[], yes=True)).paused == 2


async def by_hand(office: Office, email: str, *slugs: str, **changes: Any) -> None:
    """A reader who came by another way than config."""
    async with office.open() as ctx, ctx.store.write() as tx:
        person = Subscriber(**{"email": email, "origin": Origin.CLI, "created_at": NOW} | changes)
        await enrolment.enrol(tx, ctx.address_key, person)
        for slug in slugs:
            found = await topics.by_slug(tx, slug)
            assert found is not None
            await enrolment.follow(tx, person, found, person.cadence, origin=Origin.CLI, now=NOW)
        await enrolment.reschedule(tx, person, ctx.newsletter.id or 0, NOW)


async def test_a_reader_of_another_origin_keeps_their_own_and_gives_back_what_config_lent(office: Office) -> None:
    await office.declare()
    await by_hand(office, ANN, "wind", cadence="weekly on mon at 08:00")
    await office.declare(subscriber(ANN, "sea", cadence="daily at 09:00"))
    reader = await office.reader()
    assert (reader.origin, reader.cadence) == (Origin.CLI, "daily at 09:00")
    assert {slug: s.origin for slug, s in (await office.follows()).items()} == {
        "wind": Origin.CLI,
        "sea": Origin.CONFIG,
    }
    await office.declare()
    follows = await office.follows()
    assert (await office.reader()).status is SubscriberStatus.ACTIVE
    assert follows["wind"].status is SubscriptionStatus.ACTIVE
    assert (follows["sea"].status, follows["sea"].paused_by) == (SubscriptionStatus.PAUSED, PausedBy.CONFIG)
    assert (await office.schedules())["daily at 09:00"].next_due_at is None


async def test_a_subscription_dropped_and_named_again_goes_on_where_it_was(office: Office) -> None:
    await office.declare(subscriber(ANN, "wind", "sea"))
    before = (await office.follows())["sea"]
    async with office.open() as ctx, ctx.store.write() as tx:
        await subscribers.write_subscription(tx, before.id or 0, release=17)
    await office.declare(subscriber(ANN, "wind"))
    assert (await office.follows())["sea"].status is SubscriptionStatus.PAUSED
    await office.declare(subscriber(ANN, "wind", "sea"), now=NOW + timedelta(days=1))
    after = (await office.follows())["sea"]
    assert (after.id, after.release, after.status, after.created_at) == (before.id, 17, SubscriptionStatus.ACTIVE, NOW)


# -- the reader's own word -------------------------------------------------------------------------------------------


async def test_a_readers_own_choices_win_field_by_field(office: Office) -> None:
    await office.declare(subscriber(ANN, "wind", "sea", name="Ann", timezone="Europe/London"))
    reader, follows = await office.reader(), await office.follows()
    async with office.open() as ctx, ctx.store.write() as tx:
        await subscribers.write(tx, reader.id or 0, timezone="Asia/Tokyo", chosen=["timezone"])
        own = {"cadence": "weekly on fri at 18:00", "chosen": ["cadence"]}
        await subscribers.write_subscription(tx, follows["sea"].id or 0, **own)
    config = subscriber(ANN, "wind", "sea", name="Anne", timezone="Europe/Paris", cadence="daily at 09:00")
    await office.declare(config)
    after = await office.reader()
    assert (after.name, after.timezone, after.cadence) == ("Anne", "Asia/Tokyo", "daily at 09:00")
    assert {slug: s.cadence for slug, s in (await office.follows()).items()} == {
        "wind": "daily at 09:00",
        "sea": "weekly on fri at 18:00",
    }
    assert {s.timezone for s in (await office.schedules()).values() if s.next_due_at} == {"Asia/Tokyo"}


@pytest.mark.parametrize("status", [SubscriptionStatus.ENDED, SubscriptionStatus.PAUSED])
async def test_a_subscription_that_a_reader_ended_or_paused_stays_so(
    office: Office, status: SubscriptionStatus
) -> None:
    await office.declare(subscriber(ANN, "wind", "sea"))
    sea = (await office.follows())["sea"]
    async with office.open() as ctx, ctx.store.write() as tx:
        await subscribers.write_subscription(tx, sea.id or 0, status=status, paused_by=PausedBy.READER)
    await office.declare(subscriber(ANN, "wind", "sea", cadence="daily at 10:00"))
    assert (await office.follows())["sea"].status is status


async def leave(office: Office) -> None:
    reader = await office.reader()
    async with office.open() as ctx, ctx.store.write() as tx:
        await enrolment.leave(tx, ctx.address_key, reader, ctx.newsletter.id or 0, NOW)


async def test_who_left_is_never_brought_back(office: Office) -> None:
    await office.declare(subscriber(ANN, "wind"))
    await leave(office)
    report = await office.declare(subscriber(ANN, "wind", "sea", timezone="Asia/Tokyo"))
    reader = await office.reader()
    assert report.left_alone == [ANN]
    assert (reader.status, reader.timezone) == (SubscriberStatus.UNSUBSCRIBED, "UTC")
    assert {s.status for s in (await office.follows()).values()} == {SubscriptionStatus.ENDED}
    assert (await office.declare()).paused == 0
    assert (await office.reader()).status is SubscriberStatus.UNSUBSCRIBED


@pytest.mark.parametrize("reason", [SuppressionReason.BOUNCED, SuppressionReason.COMPLAINED, SuppressionReason.ERASED])
async def test_an_address_that_bounced_complained_or_was_erased_is_not_enrolled(
    small_office: Office, reason: SuppressionReason
) -> None:
    async with small_office.open() as ctx, ctx.store.write() as tx:
        await suppressions.add(tx, address_hash(ctx.address_key, ANN), reason, NOW)
    report = await small_office.declare(subscriber(ANN.upper(), "wind"), subscriber(BEN, "wind"))
    assert [email.lower() for email in report.left_alone] == [ANN]
    async with small_office.open() as ctx, ctx.store.read() as tx:
        assert await subscribers.by_email(tx, ANN) is None
        assert await subscribers.by_email(tx, BEN) is not None


async def test_a_reader_who_leaves_while_config_pauses_them_has_left(office: Office) -> None:
    await office.declare(subscriber(ANN, "wind"))
    stale = await office.reader()
    await leave(office)
    async with office.open() as ctx, ctx.store.write() as tx:
        assert not await enrolment.pause(tx, stale, PausedBy.CONFIG, ctx.newsletter.id or 0, NOW)
        assert not await enrolment.resume(tx, stale, ctx.newsletter.id or 0, NOW)
    assert (await office.reader()).status is SubscriberStatus.UNSUBSCRIBED


# -- many, and at once -----------------------------------------------------------------------------------------------


async def test_two_processes_that_declare_one_config_at_once_both_succeed(office: Office) -> None:
    import asyncio

    chosen = settings(
        office.folder, office.url, topics=office.config["topics"], sources=[feed()], subscribers=crowd(30)
    )

    async def run() -> DeclareReport:
        async with open_context(chosen, now=NOW, transport=MemoryTransport()) as ctx:
            return await declare(ctx, NOW, pause_missing=True)

    reports = await asyncio.gather(run(), run(), run())
    assert sum(report.created for report in reports) == 33
    assert sum(report.updated for report in reports) == 0


async def test_a_config_of_many_readers_that_changed_nothing_is_declared_quickly(
    small_office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """That path is walked by every command. Measured and printed, never asserted."""
    everybody = [subscriber(f"r{n}@reader.example", "wind", "sea") for n in range(500)]
    started = time.perf_counter()
    assert (await small_office.declare(*everybody)).created == 502
    first = time.perf_counter() - started
    async with small_office.open(subscribers=everybody) as ctx:
        started = time.perf_counter()
        report = await declare(ctx, NOW, pause_missing=True)
        again = time.perf_counter() - started
    assert (report.created, report.updated) == (0, 0)
    with capsys.disabled():
        print(f"\n  500 readers of config: {first:.2f} s new, {again:.2f} s unchanged")


async def test_reading_only_is_enough_where_nothing_is_declared(small_office: Office) -> None:
    async with small_office.open(topics=[]) as ctx:
        assert isinstance(ctx.store, Store)
        assert (await declare(ctx, NOW)).created == 0


async def test_a_reader_whose_rows_cannot_be_read_is_left_as_they_are_and_the_others_are_declared(
    small_office: Office,
) -> None:
    logs.setup("info", "json")
    await small_office.declare(subscriber(ANN, "wind"), subscriber(BEN, "wind"))
    ann = (await small_office.follows())["wind"]
    async with small_office.open() as ctx, ctx.store.write() as tx:
        await subscribers.write_subscription(tx, ann.id or 0, cadence="whenever", chosen=["cadence"])
    others = subscriber(BEN, "wind", "sea"), subscriber("cid@reader.example")
    report = await small_office.declare(subscriber(ANN, "wind"), *others)
    assert (report.created, report.updated) == (1, 1)
    assert set(await small_office.follows(BEN)) == {"wind", "sea"}
    structlog.reset_defaults()
