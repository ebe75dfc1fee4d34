"""Digests made, rendered and signed ahead of their slot, on both databases: what leaves, when, and what may change."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from builders import subjects, subscriber
from test_pipeline_digests import ANN, BEN, Desk, at

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.delivery.signing_key import SigningKey, make_ed25519
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryStatus
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.ahead import Horizon
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.presign import presign
from dispatcher.pipeline.send import send
from dispatcher.pipeline.signing import Signer
from dispatcher.store import outbox, subscribers
from dispatcher.store.engine import many

AHEAD = {"send": {"presign": timedelta(minutes=10)}}
SLOT = at(7, 30, day=1)
CUT = at(7, 21, day=1)


@cache
def key(selector: str) -> SigningKey:
    return make_ed25519("gazette.example", selector)


@pytest.fixture
def desk(furnished_url: str, tmp_path: Path) -> Desk:
    made = Desk(tmp_path, furnished_url, sections=dict(AHEAD))
    made.publish("1", "Rowing begins", at(12))
    return made


async def deliveries(ctx: Context) -> list[Delivery]:
    async with ctx.store.read() as tx:
        return sorted(await many(tx, Delivery), key=lambda row: row.key)


async def begun(desk: Desk, ctx: Context, now: datetime = CUT) -> None:
    """News are in, and the keys are ours."""
    ctx.signer = Signer([key("s1")])
    await ingest(ctx, now, everything=True)
    await plan(ctx, now)


def sent(desk: Desk) -> list[bytes]:
    return [kept.data for kept in desk.transport.messages]


def reader(address: str = ANN, *follows: Any, **changes: Any) -> Any:
    chosen = follows or ("all",)
    return subscriber(address, *chosen, timezone="UTC", **changes)


async def test_what_is_made_ahead_is_signed_and_released_on_the_minute_and_dated_so(desk: Desk) -> None:
    async with desk.open(at(7), reader()) as ctx:
        await begun(desk, ctx)
        report = await presign(ctx, CUT)
        assert (report.readers, report.deliveries, report.signed, report.failed) == (1, 1, 1, 0)
        (row,) = await deliveries(ctx)
        assert (row.status, row.due_at, row.dated_at, row.created_at) == (DeliveryStatus.QUEUED, SLOT, SLOT, CUT)
        assert (await send(ctx, SLOT - timedelta(seconds=1))).sent == 0
        ahead = row.signature.partition(":")[2].encode()
        assert (await send(ctx, SLOT)).sent == 1
        (message,) = sent(desk)
        assert message.startswith(ahead)
        assert message == ctx.signer.fields(message[len(ahead) :], "gazette.example", SLOT) + message[len(ahead) :]
        parsed = email.message_from_bytes(message, policy=email.policy.default)
        assert parsedate_to_datetime(str(parsed["Date"])) == SLOT
        assert f"t={int(SLOT.timestamp())};".encode() in message


async def test_what_comes_after_the_cut_goes_into_the_next_digest_and_nothing_is_lost_or_repeated(desk: Desk) -> None:
    async with desk.open(at(7), reader()) as ctx:
        await begun(desk, ctx)
        await presign(ctx, CUT)
        desk.publish("2", "Late news", SLOT - timedelta(minutes=5))
        for minutes in (*range(-9, 9), *range(9, 24 * 60 - 12, 120), *range(24 * 60 - 12, 24 * 60 + 2)):
            now = SLOT + timedelta(minutes=minutes)
            await ingest(ctx, now)
            await plan(ctx, now)
            await presign(ctx, now)
            await send(ctx, now)
        assert subjects(desk.transport) == ["Rowing begins", "Late news"]


async def test_who_has_nothing_at_the_cut_gets_what_comes_before_the_slot(desk: Desk) -> None:
    async with desk.open(at(7), reader(ANN, "energy")) as ctx:
        await begun(desk, ctx)
        assert (await presign(ctx, CUT)).deliveries == 0
        desk.publish("2", "Energy is cheap", SLOT - timedelta(minutes=5))
        await ingest(ctx, SLOT - timedelta(minutes=4), everything=True)
        await presign(ctx, SLOT - timedelta(minutes=3))
        await plan(ctx, SLOT)
        assert (await send(ctx, SLOT)).sent == 1
        assert subjects(desk.transport) == ["Energy is cheap"]


async def test_alerts_are_never_made_ahead_and_go_before_a_digest_that_would_have_their_story(desk: Desk) -> None:
    both = reader(ANN, {"topic": "sport", "cadence": "instant"}, {"topic": "all", "cadence": "daily at 07:30"})
    async with desk.open(at(13), both) as ctx:
        ctx.signer = Signer([key("s1")])
        await ingest(ctx, at(13), everything=True)
        desk.publish("2", "Football at dawn", CUT)
        await ingest(ctx, CUT, everything=True)
        assert (await presign(ctx, CUT)).deliveries == 0, "an alert is owed first"
        assert (await plan(ctx, CUT)).deliveries == 1
        await send(ctx, CUT)
        assert subjects(desk.transport) == ["Football at dawn"]
        await plan(ctx, SLOT)
        await send(ctx, SLOT)
        assert subjects(desk.transport) == ["Football at dawn", "Rowing begins"]


async def test_who_leaves_after_it_was_signed_gets_nothing(desk: Desk) -> None:
    async with desk.open(at(7), reader(), reader(BEN)) as ctx:
        await begun(desk, ctx)
        assert (await presign(ctx, CUT)).signed == 2
        async with ctx.store.write() as tx:
            ann = await subscribers.by_email(tx, ANN)
            assert ann is not None
            await enrolment.leave(tx, ctx.address_key, ann, ctx.newsletter.id or 0, CUT)
        await plan(ctx, SLOT)
        await send(ctx, SLOT)
        assert [kept.recipient for kept in desk.transport.messages] == [BEN]


async def test_a_change_of_address_makes_the_signature_anew(desk: Desk) -> None:
    async with desk.open(at(7), reader()) as ctx:
        await begun(desk, ctx)
        await presign(ctx, CUT)
        async with ctx.store.write() as tx:
            ann = await subscribers.by_email(tx, ANN)
            assert ann is not None
            endpoint = (await subscribers.endpoints(tx, [ann.id or 0]))[ann.id or 0][0]
            endpoint.address = "anna@elsewhere.example"
            await outbox.readdress(tx, endpoint)
        await send(ctx, SLOT)
        (message,) = sent(desk)
        fields, _, rest = message.partition(b"\r\nFrom:")
        unsigned = b"From:" + rest
        assert b"anna@elsewhere.example" in unsigned
        assert fields + b"\r\n" == ctx.signer.fields(unsigned, "gazette.example", SLOT)


async def test_a_key_that_is_changed_meanwhile_signs_nothing_that_was_begun_with_another(desk: Desk) -> None:
    async with desk.open(at(7), reader()) as ctx:
        await begun(desk, ctx)
        await presign(ctx, CUT)
        ctx.signer = Signer([key("s2")], kept=[key("s1")])
        await send(ctx, SLOT)
        assert re.findall(rb" s=(\w+);", sent(desk)[0]) == [b"s1"]


async def test_quiet_time_at_the_slot_leaves_it_to_the_end_of_it(desk: Desk) -> None:
    async with desk.open(at(7), reader()) as ctx:
        await begun(desk, ctx)
        async with ctx.store.write() as tx:
            ann = await subscribers.by_email(tx, ANN)
            assert ann is not None
            await subscribers.write(tx, ann.id or 0, quiet_from="07:00", quiet_until="08:00")
        assert (await presign(ctx, CUT)).deliveries == 0
        await plan(ctx, SLOT)
        assert (await presign(ctx, at(7, 55, day=1))).deliveries == 1
        assert (await send(ctx, at(7, 59, day=1))).sent == 0
        assert (await send(ctx, at(8, 0, day=1))).sent == 1


async def test_another_process_takes_up_what_was_planned_and_not_yet_signed(desk: Desk) -> None:
    readers = [reader(f"r{number:03}@reader.example") for number in range(250)]
    async with desk.open(at(7), *readers) as ctx:
        await begun(desk, ctx)
        ctx.signer = Signer()
        assert (await presign(ctx, CUT)).signed == 0
        ctx.kept(Horizon).at, ctx.signer = None, Signer([key("s1")])
        assert (await presign(ctx, CUT)).signed == 250
        assert (await presign(ctx, CUT)).signed == 0
        assert all(row.signature for row in await deliveries(ctx))


async def test_two_daemons_that_make_and_sign_ahead_at_once_make_everything_once(desk: Desk) -> None:
    readers = [reader(f"r{number:03}@reader.example") for number in range(450)]
    async with desk.open(at(7), *readers) as ctx:
        await begun(desk, ctx)
        async with open_context(ctx.settings, now=CUT, transport=MemoryTransport()) as other:
            other.signer = Signer([key("s1")])
            reports = await asyncio.gather(presign(ctx, CUT), presign(other, CUT))
        assert sum(report.deliveries for report in reports) == 450
        rows = await deliveries(ctx)
        assert len(rows) == 450
        assert all(row.signature for row in rows)
        await plan(ctx, SLOT)
        assert (await send(ctx, SLOT)).sent == 450
        assert len({kept.recipient for kept in desk.transport.messages}) == 450


async def test_a_digest_whose_template_is_broken_is_made_ahead_with_ours_and_stays_so(desk: Desk) -> None:
    (desk.folder / "templates" / "email").mkdir(parents=True)
    broken = desk.folder / "templates" / "email" / "digest.txt.j2"
    broken.write_text("{{ nonsense( }}")
    async with desk.open(at(7), reader()) as ctx:
        await begun(desk, ctx)
        report = await presign(ctx, CUT)
        assert (report.deliveries, report.signed, report.failed) == (1, 1, 0)
        broken.write_text("Mended")
        await ctx.apply(ctx.settings)
        ctx.signer = Signer([key("s1")])
        assert (await send(ctx, SLOT)).sent == 1
        assert b"Mended" not in desk.transport.messages[0].data


async def test_without_the_setting_nothing_is_made_ahead(furnished_url: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path, furnished_url)
    desk.publish("1", "Rowing begins", at(12))
    async with desk.open(at(7), reader()) as ctx:
        await begun(desk, ctx)
        assert (await presign(ctx, CUT)).readers == 0
        assert await deliveries(ctx) == []


async def test_spread_mail_made_ahead_is_dated_when_it_is_released(desk: Desk) -> None:
    desk.sections = {**AHEAD, "schedule": {"send_spread": timedelta(minutes=15)}}
    readers = [reader(f"r{number}@reader.example") for number in range(5)]
    async with desk.open(at(7), *readers) as ctx:
        await begun(desk, ctx)
        await presign(ctx, CUT)
        rows = await deliveries(ctx)
        assert all(row.dated_at == row.due_at for row in rows)
        assert all(SLOT <= row.due_at < SLOT + timedelta(minutes=15) for row in rows)
        assert len({row.due_at for row in rows}) == 5
        ctx.kept(Horizon).at = None
        assert (await presign(ctx, CUT)).signed == 0, "all were signed, whenever they leave"
