"""What takes a fresh link: one's data, another address, to be forgotten."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from leaving import ANN, BEN, Room, open_room, when_due

from dispatcher import clock
from dispatcher.model.audience import Endpoint, Schedule, Subscriber, Subscription
from dispatcher.model.consent import Consent, OptIn
from dispatcher.model.content import Topic
from dispatcher.model.feedback import Event, Suppression
from dispatcher.model.outbound import Attempt, Delivery
from dispatcher.model.values import (
    ConsentKind,
    DeliveryStatus,
    Origin,
    PausedBy,
    SubscriberStatus,
    SuppressionReason,
)
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.links import Action
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.store import claims, events, subscribers, suppressions
from dispatcher.store.engine import table
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Purpose

NEW = "ann@new.example"


@pytest.fixture
async def room(furnished_url: str, tmp_path: Path) -> AsyncIterator[Room]:
    """The pages, on each engine, with a digest for everybody in the outbox."""
    async with open_room(tmp_path, furnished_url, clock.now()) as opened:
        await ingest(opened.ctx, clock.now(), everything=True)
        await plan(opened.ctx, when_due())
        yield opened


async def asked(room: Room, address: str = NEW, email: str = ANN) -> str:
    """Give a new address; where it is confirmed, if a letter left for that."""
    before = {row.id for row in await room.rows(OptIn)}
    answer = await room.client.post(f"{await room.account_path(email)}/address", {"email": address})
    assert (answer.status, "Look into your new mailbox" in answer.text) == (200, True)
    (opt_in,) = [row for row in await room.rows(OptIn) if row.id not in before]
    letters = {row.key for row in await room.rows(Delivery)}
    if not any(key.endswith(f":address:{opt_in.id}") for key in letters):
        return ""
    return room.path(Action(Purpose.ADDRESS, (opt_in.id,), clock.now() + timedelta(hours=1)))


async def test_a_fresh_link_opens_everything_and_only_for_an_hour(room: Room) -> None:
    path = await room.account_path()
    for _ in range(2):
        page = await room.client.get(path)
        assert (page.status, ANN in page.text) == (200, True)
    lapsed = room.path(Action(Purpose.VERIFY, (1, 1), clock.now() - timedelta(seconds=1)))
    for dead in (lapsed, path[:-1], path.replace("/v/", "/p/"), path.replace("/v/", "/a/")):
        assert (await room.client.get(dead)).status == 404
    assert (await room.client.get((await room.preferences_path()).replace("/p/", "/v/"))).status == 404


async def test_the_data_is_all_there_and_nobody_elses(room: Room) -> None:
    await send(room.ctx, when_due())
    await room.client.post(await room.preferences_path() + "/verify")
    answer = await room.client.post(f"{await room.account_path()}/export")
    assert answer.status == 200
    assert answer.headers["content-disposition"].startswith('attachment; filename="default-')
    known = json.loads(answer.text)
    assert (known["profile"]["email"], known["profile"]["name"]) == (ANN, "Ann")
    assert {one["topic"] for one in known["subscriptions"]} == {"Everything", "Badgers"}
    (digest,) = [one for one in known["deliveries"] if one["kind"] == "digest"]
    assert (digest["status"], digest["recipient"]) == ("sent", ANN)
    assert digest["stories"] == ["Badger seen in market square"]
    assert {"verify"} == {one["letter"] for one in known["deliveries"]} - {""}
    assert set(known) >= {"endpoints", "own_topics", "consents", "events", "suppressions"}
    assert BEN not in answer.text


async def test_an_address_changes_only_when_the_new_mailbox_says_so_and_nothing_is_lost(room: Room) -> None:
    link = await asked(room)
    assert (await room.reader()).email == ANN
    page = await room.client.get(link)
    assert (page.status, NEW in page.text) == (200, True)
    assert (await room.reader()).email == ANN
    old_preferences, old_account = await room.preferences_path(), await room.account_path()
    old_leave = await room.leave_path()
    for _ in range(2):
        done = await room.client.post(link)
        assert (done.status, "Your address is changed" in done.text) == (200, True)
    moved = await room.reader(NEW)
    endpoints = {row.address: row.is_active for row in await room.rows(Endpoint) if row.subscriber_id == moved.id}
    assert endpoints == {ANN: False, NEW: True}
    assert moved.origin == Origin.WEB
    for path in (old_preferences, old_account):
        assert (await room.client.get(path)).status == 410
    assert (await room.client.get(await room.preferences_path(NEW))).status == 200

    for at in (clock.now(), when_due()):
        await send(room.ctx, at)
    assert sorted(kept.recipient for kept in room.transport.messages) == sorted([ANN, BEN, NEW, NEW])
    told = [kept for kept in room.transport.messages if kept.recipient == ANN]
    assert b"address" in told[0].data
    digest = next(row for row in await room.rows(Delivery) if row.recipient == NEW and row.kind == "digest")
    assert (digest.status, digest.personal["email"]) == (DeliveryStatus.SENT, NEW)
    assert [(c.kind, c.address) for c in await room.rows(Consent)] == [
        (ConsentKind.REQUESTED, NEW), (ConsentKind.CONFIRMED, NEW), (ConsentKind.WITHDRAWN, ANN),
    ]  # fmt: skip
    assert (await room.client.post(old_leave)).status == 200
    assert (await room.reader(NEW)).status == SubscriberStatus.UNSUBSCRIBED


async def test_config_neither_pauses_who_has_moved_nor_enrols_the_old_address_again(room: Room) -> None:
    await room.client.post(await asked(room))
    before = await room.follows(NEW)
    await declare(room.ctx, clock.now(), pause_missing=True)
    assert (await room.reader(NEW)).status == SubscriberStatus.ACTIVE
    assert await room.follows(NEW) == before
    async with room.ctx.store.read() as tx:
        assert await subscribers.by_email(tx, ANN) is None


async def test_somebody_may_move_back(room: Room) -> None:
    await room.client.post(await asked(room))
    async with room.ctx.store.write() as tx:  # a day later, as the limits see it
        for opt_in in await room.rows(OptIn):
            await tx.execute(_aged(opt_in))
    await room.client.post(await asked(room, ANN, NEW))
    assert (await room.reader(ANN)).status == SubscriberStatus.ACTIVE
    assert len(await room.rows(Endpoint)) == 3
    hashed = address_hash(room.ctx.address_key, ANN)
    async with room.ctx.store.read() as tx:
        assert await suppressions.of(tx, [hashed]) == {}


def _aged(opt_in: OptIn) -> object:
    ago = opt_in.requested_at - timedelta(days=2)
    return sa.update(table(OptIn)).where(table(OptIn).c.id == opt_in.id).values(requested_at=ago)


async def test_what_a_sender_has_claimed_goes_to_the_new_address_too(room: Room) -> None:
    later = when_due()
    link = await asked(room)
    async with room.ctx.store.write() as tx:
        claim = await claims.claim(tx, room.ctx.instance.instance_id, later, limit=50)
    assert any(delivery.recipient == ANN for delivery in claim.deliveries)
    await room.client.post(link)
    async with room.ctx.store.read() as tx:
        mine = [d.id for d in claim.deliveries if d.recipient == ANN]
        assert await tx.run_sync(claims.look, room.ctx.instance.instance_id, mine, later) == (set(), 0)
    await send(room.ctx, later)
    kinds = [row.kind for row in await room.rows(Delivery) if row.recipient == NEW and row.status == "sent"]
    assert sorted(kinds) == ["confirmation", "digest"]


@pytest.mark.parametrize("why", ["taken", "bounced", "complained", "erased"])
async def test_an_address_that_cannot_be_had_gets_no_mail_and_nobody_is_told(room: Room, why: str) -> None:
    if why != "taken":
        hashed = address_hash(room.ctx.address_key, NEW)
        async with room.ctx.store.write() as tx:
            await suppressions.add(tx, hashed, SuppressionReason(why), clock.now())
    address = BEN if why == "taken" else NEW
    assert await asked(room, address) == ""
    assert (await room.rows(OptIn))[0].address == ""
    assert (await room.reader()).email == ANN


async def test_an_address_that_was_taken_meanwhile_is_refused_at_the_last_moment(room: Room) -> None:
    first, second = await asked(room), await asked(room, "other@new.example", BEN)
    async with room.ctx.store.write() as tx:
        for email in (NEW, "other@new.example"):
            newcomer = Subscriber(email=email, origin=Origin.WEB, created_at=clock.now())
            await enrolment.enrol(tx, room.ctx.address_key, newcomer)
    for link in (first, second):
        for method in ("GET", "POST"):
            answer = await room.client.ask(method, link)
            assert (answer.status, "cannot be used" in answer.text) == (410, True)
    assert (await room.reader(BEN)).status == SubscriberStatus.ACTIVE


async def test_two_readers_who_want_the_same_address_get_it_once(room: Room) -> None:
    first = await asked(room)
    async with room.ctx.store.write() as tx:
        for opt_in in await room.rows(OptIn):
            await tx.execute(_aged(opt_in))
    second = await asked(room, NEW, BEN)
    statuses = sorted(one.status for one in await asyncio.gather(*(room.client.post(path) for path in (first, second))))
    assert statuses == [200, 410]
    assert sum(row.email == NEW for row in await room.rows(Subscriber)) == 1


@pytest.mark.parametrize(
    "address", ["", "ann", "ann@@x.example", "ünn@reader.example", "a" * 300 + "@x.example", ANN, ANN.upper()]
)
async def test_what_is_no_new_address_is_said_to_be_none(room: Room, address: str) -> None:
    answer = await room.client.post(f"{await room.account_path()}/address", {"email": address})
    assert (answer.status, 'role="alert"' in answer.text) == (422, True)
    assert await room.rows(OptIn) == []


async def test_a_second_request_for_a_mailbox_is_met_with_silence(room: Room) -> None:
    assert await asked(room) != ""
    assert await asked(room) == ""
    assert await asked(room, "ann+news@new.example", BEN) == ""


async def test_erasing_asks_again_and_then_nothing_is_left_but_a_hash(room: Room) -> None:
    await room.client.post(await asked(room))
    other = await asked(room, "third@new.example", NEW)
    await send(room.ctx, when_due())
    path, preferences, leave = (
        await room.account_path(NEW), await room.preferences_path(NEW), await room.leave_path(NEW)
    )  # fmt: skip
    reader = await room.reader(NEW)
    async with room.ctx.store.write() as tx:
        told = {
            "type": "soft-bounce",
            "subscriber_id": reader.id,
            "raw": {"text": f"<{NEW}> is full"},
            "at": clock.now(),
        }
        await events.record(tx, [told])
    sure = await room.client.get(f"{path}/erase")
    assert (sure.status, "cannot be taken back" in sure.text) == (200, True)
    assert (await room.reader(NEW)).status == SubscriberStatus.ACTIVE
    done = await room.client.post(f"{path}/erase")
    assert (done.status, "You are forgotten" in done.text) == (200, True)

    for dead in (path, f"{path}/erase", preferences):
        assert (await room.client.get(dead)).status == 410
    for dead in (f"{path}/export", f"{path}/address", f"{path}/erase", f"{preferences}/verify", other):
        assert (await room.client.post(dead)).status == 410
    assert (await room.client.post(leave)).status == 200
    kept = ""
    for noun in (
        Subscriber,
        Endpoint,
        Subscription,
        Schedule,
        OptIn,
        Consent,
        Topic,
        Suppression,
        Event,
        Delivery,
        Attempt,
    ):
        kept += " ".join(row.model_dump_json() for row in await room.rows(noun))
    for secret in (ANN, NEW, "third@new.example", "Ann"):
        assert f'"{secret}' not in kept, secret
        assert f"<{secret}>" not in kept, secret
    assert BEN in kept
    reasons = {(row.reason, row.address) for row in await room.rows(Suppression)}
    assert (SuppressionReason.ERASED, "") in reasons
    assert {row.status for row in await room.rows(Subscriber) if row.id == reader.id} == {SubscriberStatus.ERASED}


async def test_whoever_has_left_may_still_have_their_data_and_be_erased_but_not_move(room: Room) -> None:
    path = await room.account_path()
    await room.client.post(await room.leave_path())
    assert "Change your address" not in (await room.client.get(path)).text
    assert (await room.client.post(f"{path}/address", {"email": NEW})).status == 410
    assert (await room.client.post(f"{path}/export")).status == 200
    assert (await room.client.post(f"{path}/erase")).status == 200
    assert (await room.client.post(f"{path}/erase")).status == 410


async def test_the_link_for_that_reaches_who_has_paused_and_who_has_left(room: Room) -> None:
    reader = await room.reader(BEN)
    async with room.ctx.store.write() as tx:
        await enrolment.pause(tx, reader, PausedBy.READER, room.ctx.newsletter.id or 0, clock.now())
    await room.client.post(await room.leave_path())
    for email in (ANN, BEN):
        await room.client.post(await room.preferences_path(email) + "/verify")
    await send(room.ctx, clock.now())
    assert sorted(kept.recipient for kept in room.transport.messages) == [ANN, BEN]
