"""Planning: poisoned readers, two planners at once, stories that come back, slots of a day, many readers."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from builders import atom, settings, subscriber, topic
from conftest import LONG

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.audience import Schedule, Subscriber, Subscription
from dispatcher.model.content import Sighting
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import Origin, SubscriberStatus
from dispatcher.observability import logs
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.once import once
from dispatcher.pipeline.plan import PlanReport, plan
from dispatcher.store import subscribers, topics
from dispatcher.store.engine import many, table

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
ANN, BEN, CID = "ann@reader.example", "ben@reader.example", "cid@reader.example"


def at(hours: int, minutes: int = 0, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes)


@dataclass
class Bureau:
    """A feed, its readers, and one plan after another."""

    folder: Path
    url: str
    readers: list[Any] = field(default_factory=list)
    topics: list[Any] = field(default_factory=lambda: [topic("all", "*"), topic("wind", "wind"), topic("sea", "sea")])
    entries: list[tuple[str, str, datetime]] = field(default_factory=list)
    sections: dict[str, Any] = field(default_factory=dict)

    def publish(self, guid: str, title: str, published: datetime) -> None:
        self.entries.insert(0, (guid, title, published))
        atom(self.folder / "feed.xml", *self.entries)

    @asynccontextmanager
    async def open(self, now: datetime) -> AsyncIterator[Context]:
        feed = {"name": "Gazette", "url": (self.folder / "feed.xml").as_uri()}
        chosen = settings(
            self.folder, self.url, topics=self.topics, sources=[feed], subscribers=self.readers, **self.sections
        )
        async with open_context(chosen, now=now, transport=MemoryTransport()) as ctx:
            await declare(ctx, now)
            yield ctx

    async def plan(self, now: datetime, *, dry_run: bool = False) -> PlanReport:
        """Read the feed and plan."""
        async with self.open(now) as ctx:
            await ingest(ctx, now, everything=True)
            return await plan(ctx, now, dry_run=dry_run)

    async def run(self, now: datetime) -> None:
        """Read the feed, plan and send."""
        async with self.open(now) as ctx:
            await once(ctx, now)

    async def sent(self) -> dict[str, list[list[str]]]:
        """The titles of every planned message, by reader, in order."""
        titles = {f"urn:{guid}": title for guid, title, _ in self.entries}
        async with self.open(MONDAY) as ctx, ctx.store.read() as tx:
            guids = {s.article_id: s.guid for s in await many(tx, Sighting)}
            items = {d.id: [titles[guids[item[0]]] for item in d.items] for d in await many(tx, Digest)}
            found: dict[str, list[list[str]]] = {}
            for delivery in await many(tx, Delivery):
                found.setdefault(delivery.recipient, []).append(items[delivery.digest_id or 0])
        return found


@pytest.fixture
def bureau(tmp_path: Path, furnished_url: str) -> Bureau:
    made = Bureau(tmp_path, furnished_url)
    made.publish("one", "Wind over the sea", at(-8))
    return made


@pytest.fixture
def small_bureau(tmp_path: Path, furnished: Any) -> Bureau:
    """On SQLite only: for what does not depend on the engine."""
    made = Bureau(tmp_path, furnished("sqlite", tmp_path))
    made.publish("one", "Wind over the sea", at(-8))
    return made


@pytest.fixture
def log_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """A function that gives what was logged."""
    logs.setup("info", "json")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    structlog.reset_defaults()


def reader(email: str, *topics: Any, **changes: Any) -> Any:
    return subscriber(email, *(topics or ("all",)), **{"cadence": "daily at 07:30"} | changes)


# -- poison ----------------------------------------------------------------------------------------------------------


POISONS: dict[str, tuple[Any, dict[str, str]]] = {
    "a schedule's cadence": (Schedule, {"cadence": "whenever"}),
    "a subscription's cadence": (Subscription, {"cadence": "whenever"}),
    "a zone": (Subscriber, {"timezone": "Moon/Crater"}),
}


@pytest.mark.parametrize("poison", POISONS)
async def test_a_reader_whose_rows_cannot_be_read_is_set_aside_and_the_others_get_theirs(
    bureau: Bureau, poison: str, log_lines: Any
) -> None:
    bureau.readers = [reader(f"r{n}@reader.example") for n in range(7)]
    await bureau.plan(at(7))
    bureau.readers = []  # config would heal the rows
    async with bureau.open(at(7)) as ctx, ctx.store.write() as tx:
        victim = await subscribers.by_email(tx, "r3@reader.example")
        assert victim is not None
        noun, values = POISONS[poison]
        whose = table(noun).c["id" if noun is Subscriber else "subscriber_id"]
        await tx.execute(sa.update(table(noun)).where(whose == victim.id).values(values))
    dry = await bureau.plan(at(7, 31), dry_run=True)
    assert (dry.failed, len(dry.previews)) == (1, 6)
    log_lines()
    report = await bureau.plan(at(7, 31))
    assert (report.failed, report.readers, report.deliveries, report.digests) == (1, 6, 6, 1)
    assert set(await bureau.sent()) == {f"r{n}@reader.example" for n in range(7) if n != 3}
    (told,) = [line for line in log_lines() if "set aside" in line["event"]]
    assert (told["subscriber_id"], told["level"]) == (victim.id, "error")
    assert "Error" in told["exception"]
    again = await bureau.plan(at(7, 32))
    assert (again.failed, again.readers) == (0, 0), "told once, not at every tick"
    assert (await bureau.plan(at(8, 32))).failed == 1


# -- two at once -----------------------------------------------------------------------------------------------------


async def test_two_planners_at_once_plan_every_reader_once(bureau: Bureau) -> None:
    bureau.readers = [reader(f"r{n}@reader.example", "all", {"topic": "wind", "cadence": "instant"}) for n in range(40)]
    await bureau.plan(at(7))
    bureau.publish("two", "Wind again", at(7, 20))
    async with bureau.open(at(7, 31)) as one, bureau.open(at(7, 31)) as two:
        await ingest(one, at(7, 31), everything=True)
        reports = await asyncio.gather(*(plan(ctx, at(7, 31)) for ctx in (one, two, one, two)))
        reports += await asyncio.gather(*(plan(ctx, at(7, 31)) for ctx in (one, two)))
    assert sum(report.failed for report in reports) == 0
    assert sum(report.deliveries for report in reports) == 80
    sent = await bureau.sent()
    assert len(sent) == 40
    for messages in sent.values():
        assert sorted(title for message in messages for title in message) == ["Wind again", "Wind over the sea"]


# -- stories ---------------------------------------------------------------------------------------------------------


async def test_a_story_had_long_ago_does_not_come_again_when_an_edit_makes_it_match_another_topic(
    bureau: Bureau,
) -> None:
    bureau.readers = [reader(ANN, "wind", "sea"), reader(BEN, "sea")]
    await bureau.run(at(7))
    bureau.publish("calm", "Wind dies down", at(7, 5))
    await bureau.run(at(7, 31))
    for day in range(1, 9):
        await bureau.run(at(7, 31, day))
    bureau.entries = [(g, t.replace("Wind dies", "Wind dies at sea: dies"), w) for g, t, w in bureau.entries]
    atom(bureau.folder / "feed.xml", *bureau.entries)
    await bureau.run(at(9, day=8))
    await bureau.run(at(7, 31, day=9))
    sent = await bureau.sent()
    title = "Wind dies at sea: dies down"
    assert [message for message in sent[ANN] if title in message] == [sent[ANN][0]], "she had it nine days ago"
    assert sent[BEN][-1] == [title], "for him it is new"


async def test_morning_and_evening_digests_of_one_reader_both_come(bureau: Bureau) -> None:
    bureau.publish("two", "Wind alone", at(-9))
    bureau.publish("three", "Sea alone", at(-4))
    bureau.readers = [reader(ANN, "wind", {"topic": "sea", "cadence": "daily at 19:00"})]
    await bureau.run(at(7))
    for day in range(2):
        await bureau.run(at(7, 31, day))
        bureau.publish(f"sea{day}", f"Sea of day {day}", at(12, day=day))
        bureau.publish(f"wind{day}", f"Wind of day {day}", at(12, day=day))
        await bureau.run(at(19, 1, day))
    await bureau.run(at(7, 31, day=2))
    assert (await bureau.sent())[ANN] == [
        ["Wind over the sea", "Wind alone"], ["Sea of day 0", "Sea alone"],
        ["Wind of day 0"], ["Sea of day 1"], ["Wind of day 1"],
    ]  # fmt: skip


async def test_who_paused_or_left_gets_nothing_and_their_schedules_move_on(bureau: Bureau) -> None:
    bureau.readers = [reader(ANN), reader(BEN), reader(CID)]
    await bureau.plan(at(7))
    async with bureau.open(at(7)) as ctx, ctx.store.write() as tx:
        people = await subscribers.by_emails(tx, [ANN, BEN])
        for person, status in ((people[ANN], SubscriberStatus.PAUSED), (people[BEN], SubscriberStatus.UNSUBSCRIBED)):
            await subscribers.write(tx, person.id or 0, status=status)  # by a hand that knows nothing of schedules
    bureau.readers = []
    assert (await bureau.plan(at(7, 31))).deliveries == 1
    assert (await bureau.plan(at(7, 32))).readers == 0
    assert set(await bureau.sent()) == {CID}


async def test_a_paused_topic_sends_nothing(small_bureau: Bureau) -> None:
    small_bureau.readers = [reader(ANN, "wind")]
    await small_bureau.plan(at(7))
    async with small_bureau.open(at(7)) as ctx, ctx.store.write() as tx:
        wind = await topics.by_slug(tx, "wind")
        assert wind is not None
        await topics.write(tx, wind.id or 0, is_paused=True)
    assert (await small_bureau.plan(at(7, 31))).deliveries == 0


async def test_a_zone_written_by_hand_is_noticed_when_the_reader_is_due(small_bureau: Bureau) -> None:
    small_bureau.readers = [reader(ANN, timezone="Europe/London")]
    await small_bureau.plan(at(7))
    small_bureau.readers = []
    async with small_bureau.open(at(7)) as ctx, ctx.store.write() as tx:
        ann = await subscribers.by_email(tx, ANN)
        assert ann is not None
        await subscribers.write(tx, ann.id or 0, timezone="America/New_York")
    assert (await small_bureau.plan(at(7, 31))).deliveries == 0
    assert (await small_bureau.plan(at(12, 31))).deliveries == 1


# -- what readers share ----------------------------------------------------------------------------------------------


async def test_a_digest_is_shared_by_those_who_would_see_the_same_and_by_nobody_else(bureau: Bureau) -> None:
    bureau.readers = [
        reader(ANN),
        reader(BEN, name="Ben"),
        reader("c@r.example", locale="de"),
        reader("d@r.example", timezone="Europe/London"),
        reader("e@r.example", "wind"),
        reader("f@r.example", "all", "sea"),
    ]
    await bureau.plan(at(7))
    report = await bureau.plan(at(7, 31))
    assert (report.deliveries, report.digests) == (6, 5)


async def test_another_name_of_the_newsletter_makes_another_digest(small_bureau: Bureau) -> None:
    small_bureau.readers = [reader(ANN), reader(BEN, cadence="daily at 07:40")]
    await small_bureau.plan(at(7))
    async with small_bureau.open(at(7)) as ctx, ctx.store.write() as tx:
        rows = await subscribers.schedules(tx, [2])
        changed = sa.update(table(Schedule)).where(table(Schedule).c.id == rows[2][0].id)
        await tx.execute(changed.values(cadence="daily at 07:30"))
        followed = sa.update(table(Subscription)).where(table(Subscription).c.subscriber_id == 2)
        await tx.execute(followed.values(cadence="daily at 07:30"))
    small_bureau.readers = []
    assert (await small_bureau.plan(at(7, 31))).digests == 1
    small_bureau.sections = {"site": {"name": "The Herald"}}
    assert (await small_bureau.plan(at(7, 41))).digests == 1
    async with small_bureau.open(at(8)) as ctx, ctx.store.read() as tx:
        first, second = await many(tx, Digest)
    assert first.items == second.items
    assert first.key != second.key


async def test_a_dry_run_changes_nothing(small_bureau: Bureau) -> None:
    small_bureau.readers = [reader(ANN)]
    await small_bureau.plan(at(7))
    report = await small_bureau.plan(at(7, 31), dry_run=True)
    ((made,),) = [preview.planned for preview in report.previews.values()]
    assert len(made.picks) == 1
    assert await small_bureau.sent() == {}
    assert (await small_bureau.plan(at(7, 31))).deliveries == 1


async def test_many_readers_of_one_digest_are_planned_in_flat_memory(
    small_bureau: Bureau, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured and printed, never asserted."""
    count = 20_000 if LONG else 1_000
    for number in range(20):
        small_bureau.publish(f"n{number}", f"Story {number}", at(5, number))
    async with small_bureau.open(at(7)) as ctx:
        await ingest(ctx, at(7), everything=True)
        async with ctx.store.write() as tx:
            everything = await topics.by_slug(tx, "all")
            assert everything is not None
            people = [
                (
                    Subscriber(email=f"r{n}@r.example", origin=Origin.CLI, created_at=at(7)),
                    {everything.id or 0: "daily"},
                )
                for n in range(count)
            ]
            key, letter = ctx.address_key, ctx.newsletter.id or 0
            await enrolment.enrol_all(tx, key, people, letter, origin=Origin.CLI, now=at(7), looks_back=True)
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        report = await plan(ctx, at(8, 1))
        took = time.perf_counter() - started
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (report.readers, report.deliveries, report.digests) == (count, count, 1)
    with capsys.disabled():
        print(f"\n  {count:,} readers planned in {took:.1f} s, {took / count * 1e6:.0f} µs each, {grown:.0f} MB more")
