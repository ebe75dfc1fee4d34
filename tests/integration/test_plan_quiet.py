"""Quiet hours, allowed days, pauses with an end, and layouts, from the reader's row to the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import settings, texts
from test_plan_readers import ANN, BEN, CID, Bureau, at, reader

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import DeliveryStatus, PausedBy, SubscriberStatus
from dispatcher.pipeline import enrolment, waiting
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.once import once
from dispatcher.pipeline.plan import plan
from dispatcher.store import Transaction, subscribers
from dispatcher.store.engine import many

NIGHT = {"quiet_from": "22:00", "quiet_until": "07:00"}


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


async def person(tx: Transaction, email: str) -> Subscriber:
    found = await subscribers.by_email(tx, email)
    assert found is not None
    return found


async def choose(bureau: Bureau, now: datetime, *emails: str, **choices: str) -> None:
    """Readers choose on their page: the fields, and what waits is looked at anew."""
    async with bureau.open(now) as ctx, ctx.store.write() as tx:
        for email in emails or (ANN,):
            found = await person(tx, email)
            await subscribers.write(tx, found.id or 0, **choices)
            await waiting.rouse(tx, await person(tx, email), now)


async def deliveries(bureau: Bureau) -> Sequence[Delivery]:
    async with bureau.open(at(0)) as ctx, ctx.store.read() as tx:
        return await many(tx, Delivery)


# -- quiet hours -----------------------------------------------------------------------------------------------------


async def test_a_digest_due_in_quiet_hours_waits_for_their_end_and_fills_its_own_slot_once(bureau: Bureau) -> None:
    bureau.readers = [reader(ANN, cadence="daily at 06:00"), reader(BEN, cadence="daily at 06:00")]
    await bureau.plan(at(5))
    await choose(bureau, at(5), ANN, **NIGHT)
    report = await bureau.plan(at(6, 1))
    assert (report.readers, report.waiting, report.deliveries) == (1, 1, 1)
    again = await bureau.plan(at(6, 2))
    assert (again.readers, again.waiting) == (0, 0), "who waits is not looked at again"
    bureau.publish("two", "Wind at breakfast", at(6, 30))
    assert (await bureau.plan(at(7))).deliveries == 1
    assert (await bureau.plan(at(7, 1))).deliveries == 0
    assert (await bureau.sent())[ANN] == [["Wind at breakfast", "Wind over the sea"]]
    ben, ann = await deliveries(bureau)
    assert (ann.slot_at, ann.due_at, ann.expires_at) == (at(6), at(7), at(27))
    assert ann.key.rpartition(":daily:")[2] == ben.key.rpartition(":daily:")[2] == "2026-03-02"
    assert ben.expires_at == at(26)


async def test_a_night_of_hourly_slots_and_alerts_is_one_message_each_in_the_morning(bureau: Bureau) -> None:
    bureau.readers = [
        reader(
            ANN, {"topic": "wind", "cadence": "hourly"}, {"topic": "sea", "cadence": "instant"}, timezone="Asia/Kolkata"
        )
    ]
    await bureau.plan(at(12))
    await choose(bureau, at(12), ANN, **NIGHT)
    for hour in range(17, 26):  # half past ten in the evening to half past six in India
        for word in ("wind", "sea"):
            bureau.publish(f"{word}{hour}", f"The {word} at {hour}", at(hour))
        report = await bureau.plan(at(hour, 5))
        assert report.deliveries == 0
        assert report.waiting == 1
    assert (await bureau.plan(at(25, 31))).deliveries == 2
    assert (await bureau.plan(at(26))).deliveries == 0, "a full hour of UTC"
    alerts, hourly = (await bureau.sent())[ANN]
    assert sorted(alerts) == sorted(f"The sea at {hour}" for hour in range(17, 26))
    assert sorted(hourly) == sorted(f"The wind at {hour}" for hour in range(17, 26))


async def test_a_weekly_digest_waits_for_an_allowed_day_and_is_not_too_late_then(bureau: Bureau) -> None:
    bureau.readers = [reader(ANN, cadence="weekly on mon at 07:30")]
    await bureau.plan(at(7))
    await choose(bureau, at(7), ANN, allowed_days="sat,sun")
    assert (await bureau.plan(at(7, 31))).waiting == 1
    assert (await bureau.plan(at(23, 59, day=4))).deliveries == 0
    assert (await bureau.plan(at(0, day=5))).deliveries == 1
    (made,) = await deliveries(bureau)
    assert (made.slot_at, made.expires_at) == (at(7, 30), at(0, day=9))


async def test_who_lifts_their_quiet_hours_gets_at_once_what_waited(bureau: Bureau) -> None:
    bureau.readers = [reader(ANN, "wind", {"topic": "sea", "cadence": "instant"}, cadence="daily at 06:00")]
    await bureau.plan(at(5))
    await choose(bureau, at(5), ANN, allowed_days="sun")
    bureau.publish("sea", "Sea alone", at(5, 30))
    assert (await bureau.plan(at(6, 1))).waiting == 1
    await choose(bureau, at(9), ANN, allowed_days="")
    assert (await bureau.plan(at(9))).deliveries == 2
    assert sorted((await bureau.sent())[ANN]) == [["Sea alone"], ["Wind over the sea"]]
    await choose(bureau, at(10), ANN, **NIGHT)
    assert (await bureau.plan(at(10))).readers == 0, "nothing waits"


async def test_two_planners_at_once_put_off_and_plan_every_reader_once(bureau: Bureau) -> None:
    emails = [f"r{n}@reader.example" for n in range(40)]
    bureau.readers = [
        reader(email, "all", {"topic": "wind", "cadence": "instant"}, cadence="daily at 06:00") for email in emails
    ]
    await bureau.plan(at(5))
    await choose(bureau, at(5), *emails[::2], **NIGHT)
    bureau.publish("two", "Wind again", at(5, 20))
    for now, expected in ((at(6, 1), 40), (at(7), 40)):
        async with bureau.open(now) as one, bureau.open(now) as two:
            await ingest(one, now, everything=True)
            reports = await asyncio.gather(*(plan(ctx, now) for ctx in (one, two, one, two)))
            reports += await asyncio.gather(*(plan(ctx, now) for ctx in (one, two)))
        assert sum(report.failed for report in reports) == 0
        assert sum(report.deliveries for report in reports) == expected
    for messages in (await bureau.sent()).values():
        assert sorted(title for message in messages for title in message) == ["Wind again", "Wind over the sea"]


async def test_quiet_hours_that_cannot_be_read_set_their_reader_aside_and_no_other(bureau: Bureau) -> None:
    bureau.readers = [reader(f"r{n}@reader.example") for n in range(5)]
    await bureau.plan(at(7))
    async with bureau.open(at(7)) as ctx, ctx.store.write() as tx:
        victim = await person(tx, "r3@reader.example")
        await subscribers.write(tx, victim.id or 0, quiet_from="dusk", quiet_until="dawn")
    assert (await bureau.plan(at(7, 31), dry_run=True)).failed == 1
    report = await bureau.plan(at(7, 31))
    assert (report.failed, report.deliveries) == (1, 4)
    await choose(bureau, at(7, 40), "r3@reader.example", quiet_from="", quiet_until="")
    assert (await bureau.plan(at(7, 40))).deliveries == 1


async def test_a_spread_never_reaches_into_quiet_hours(small_bureau: Bureau) -> None:
    small_bureau.sections = {"schedule": {"send_spread": "1h"}}
    emails = [f"r{n}@reader.example" for n in range(20)]
    small_bureau.readers = [reader(email, cadence="daily at 21:30") for email in emails]
    await small_bureau.plan(at(7))
    await choose(small_bureau, at(7), *emails, **NIGHT)
    small_bureau.publish("two", "Wind again", at(20))
    await small_bureau.plan(at(21, 30))
    due = [made.due_at for made in await deliveries(small_bureau)]
    assert len(due) == 20
    assert all(at(21, 30) <= moment < at(22) for moment in due)
    assert len(set(due)) > 3


async def test_each_reader_has_the_same_place_in_the_spread_every_day_and_alerts_have_none(
    small_bureau: Bureau,
) -> None:
    small_bureau.sections = {"schedule": {"send_spread": "15m"}}
    small_bureau.readers = [reader(f"r{n}@reader.example") for n in range(20)]
    small_bureau.readers.append(reader(ANN, cadence="instant"))
    await small_bureau.plan(at(7))
    places: list[dict[str, timedelta]] = []
    for day in (2, 3):
        small_bureau.publish(f"day{day}", f"Wind on day {day}", at(7, 10, day=day))
        await small_bureau.plan(at(7, 30, day=day))
        made = [one for one in await deliveries(small_bureau) if one.created_at == at(7, 30, day=day)]
        places.append({one.recipient: one.due_at - at(7, 30, day=day) for one in made})
    assert places[0] == places[1]
    assert places[0].pop(ANN) == timedelta(0)
    assert all(timedelta(0) <= place < timedelta(minutes=15) for place in places[0].values())
    assert len(set(places[0].values())) == 20


async def test_a_dry_run_puts_nothing_off_and_tells_when_it_would_leave(small_bureau: Bureau) -> None:
    small_bureau.readers = [reader(ANN, cadence="daily at 06:00"), reader(BEN, cadence="daily at 06:00")]
    await small_bureau.plan(at(5))
    await choose(small_bureau, at(5), ANN, **NIGHT)
    for _ in range(2):
        report = await small_bureau.plan(at(6, 1), dry_run=True)
        assert (len(report.previews), report.waiting) == (2, 0)
    async with small_bureau.open(at(6, 1)) as ctx, ctx.store.read() as tx:
        people = [await person(tx, email) for email in (ANN, BEN)]
    (one,) = report.previews[people[0].id or 0].planned
    assert [waiting.leaves(who, one.cadence, at(6, 1)) for who in people] == [at(7), at(6, 1)]


# -- a pause with an end ---------------------------------------------------------------------------------------------


async def pause(bureau: Bureau, email: str, now: datetime, **options: Any) -> None:
    async with bureau.open(now) as ctx, ctx.store.write() as tx:
        by = options.pop("by", PausedBy.READER)
        assert await enrolment.pause(tx, await person(tx, email), by, ctx.newsletter.id or 0, now, **options)


async def status(bureau: Bureau, email: str) -> tuple[SubscriberStatus, datetime | None]:
    async with bureau.open(at(0)) as ctx, ctx.store.read() as tx:
        found = await person(tx, email)
        return found.status, found.paused_until


async def test_a_pause_ends_when_it_was_to_end_and_only_a_readers_own(bureau: Bureau) -> None:
    bureau.readers = [reader(ANN), reader(BEN), reader(CID)]
    await bureau.plan(at(7))
    await pause(bureau, ANN, at(7), until=at(6, day=3))
    await pause(bureau, BEN, at(7), until=at(6, day=3), by=PausedBy.OPERATOR)
    await pause(bureau, CID, at(7))
    assert await status(bureau, ANN) == (SubscriberStatus.PAUSED, at(6, day=3))
    bureau.publish("two", "Wind during the pause", at(12, day=2))
    assert (await bureau.plan(at(5, 59, day=3))).readers == 0
    assert (await bureau.plan(at(7, 31, day=3), dry_run=True)).previews == {}, "a dry run wakes nobody"
    await bureau.plan(at(6, 1, day=3))
    assert (await bureau.plan(at(7, 31, day=3))).deliveries == 1
    assert (await bureau.sent()) == {ANN: [["Wind during the pause"]]}
    assert await status(bureau, ANN) == (SubscriberStatus.ACTIVE, None)
    assert (await status(bureau, BEN))[0] == (await status(bureau, CID))[0] == SubscriberStatus.PAUSED


async def test_resuming_and_leaving_forget_the_end_of_a_pause(small_bureau: Bureau) -> None:
    small_bureau.readers = [reader(ANN), reader(BEN)]
    await small_bureau.plan(at(7))
    for email in (ANN, BEN):
        await pause(small_bureau, email, at(7), until=at(12))
    small_bureau.readers = []
    async with small_bureau.open(at(8)) as ctx, ctx.store.write() as tx:
        await enrolment.resume(tx, await person(tx, ANN), ctx.newsletter.id or 0, at(8))
        await enrolment.leave(tx, ctx.address_key, await person(tx, BEN), ctx.newsletter.id or 0, at(8))
    await small_bureau.plan(at(13))
    assert await status(small_bureau, ANN) == (SubscriberStatus.ACTIVE, None)
    assert await status(small_bureau, BEN) == (SubscriberStatus.UNSUBSCRIBED, None)


async def test_a_reader_who_cannot_be_resumed_is_set_aside_and_the_others_wake(bureau: Bureau) -> None:
    emails = [f"r{n}@reader.example" for n in range(5)]
    bureau.readers = [reader(email) for email in emails]
    await bureau.plan(at(7))
    for email in emails:
        await pause(bureau, email, at(7), until=at(8))
    bureau.readers = []  # config would heal the row
    async with bureau.open(at(7)) as ctx, ctx.store.write() as tx:
        await subscribers.write(tx, (await person(tx, emails[3])).id or 0, timezone="Moon/Crater")
    await bureau.plan(at(8))
    assert [(await status(bureau, email))[0] for email in emails].count(SubscriberStatus.ACTIVE) == 4
    assert await status(bureau, emails[3]) == (SubscriberStatus.PAUSED, at(9))


async def test_a_paused_readers_alerts_are_not_asked_for_at_every_tick(bureau: Bureau) -> None:
    bureau.readers = [reader(ANN, {"topic": "wind", "cadence": "instant"})]
    await bureau.plan(at(7))
    await pause(bureau, ANN, at(7, 10), until=at(9))
    bureau.publish("two", "Wind again", at(8))
    assert (await bureau.plan(at(8))).readers == 0
    assert (await bureau.plan(at(9))).deliveries == 1
    assert (await bureau.sent())[ANN] == [["Wind again"]]


# -- layout ----------------------------------------------------------------------------------------------------------


async def test_a_readers_own_layout_makes_a_digest_of_its_own_and_no_other_alert(bureau: Bureau) -> None:
    bureau.readers = [reader(email, "all", {"topic": "wind", "cadence": "instant"}) for email in (ANN, BEN, CID)]
    await bureau.plan(at(6))
    await choose(bureau, at(6), ANN, layout="headlines")
    await choose(bureau, at(6), BEN, layout="cards")
    bureau.publish("alert", "Wind rises", at(6, 10))
    assert (await bureau.plan(at(6, 10))).digests == 1
    bureau.publish("calm", "Calm", at(6, 20))
    report = await bureau.plan(at(7, 30))
    assert (report.deliveries, report.digests) == (3, 2)
    async with bureau.open(at(8)) as ctx, ctx.store.read() as tx:
        assert sorted(digest.layout for digest in await many(tx, Digest)) == ["", "cards", "headlines"]


async def test_the_publishers_layout_is_everybodys_who_chose_none(tmp_path: Path, small_bureau: Bureau) -> None:
    small_bureau.sections = {"digest": {"layout": "list"}}
    small_bureau.readers = [reader(ANN), reader(BEN)]
    await small_bureau.plan(at(7))
    await choose(small_bureau, at(7), ANN, layout="headlines")
    transport = MemoryTransport()
    await small_bureau.plan(at(7, 31))
    chosen = settings(tmp_path, small_bureau.url, topics=small_bureau.topics, **small_bureau.sections)
    async with open_context(chosen, now=at(7, 32), transport=transport) as ctx:
        await once(ctx, at(7, 32))
        made = await _sent_layouts(ctx)
    assert made == {ANN: "headlines", BEN: "list"}
    assert "in a sentence or two" in texts(transport, BEN)[0]
    assert "in a sentence or two" not in texts(transport, ANN)[0]


async def _sent_layouts(ctx: Context) -> dict[str, str]:
    async with ctx.store.read() as tx:
        layouts = {digest.id: digest.layout for digest in await many(tx, Digest)}
        rows = await many(tx, Delivery)
    assert {row.status for row in rows} == {DeliveryStatus.SENT}
    assert all(row.expires_at - row.slot_at == timedelta(hours=20) for row in rows)
    return {row.recipient: layouts[row.digest_id] for row in rows}
