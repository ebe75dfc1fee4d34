"""Confirming on both engines: what it does once, what it does not undo, and what is forgotten later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import builders
import pytest

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.access import Audit
from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.consent import Consent, OptIn
from dispatcher.model.content import Query, Topic
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import (
    ConsentKind,
    Origin,
    PausedBy,
    SubscriberStatus,
    SubscriptionStatus,
    SuppressionReason,
)
from dispatcher.pipeline import confirmation, enrolment, optin
from dispatcher.pipeline.audit import note
from dispatcher.pipeline.choices import Choices
from dispatcher.pipeline.confirmation import State
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.optin import Proof
from dispatcher.pipeline.prune import prune
from dispatcher.store import subscribers, suppressions, topics
from dispatcher.store.engine import many
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Purpose

PROOF = Proof("Yes, please.", "https://gazette.example/", "192.0.2.7", "192.0.2.0/24", "A browser")
ANN = Choices(
    "ann@gmail.com", name="Ann", topics=("climate",), queries=("windmill OR mill",), cadence="weekly on fri at 18:00",
    timezone="Asia/Tokyo", locale="en",
)  # fmt: skip


@pytest.fixture
async def ctx(furnished_url: str, tmp_path: Path, now: datetime) -> AsyncIterator[Context]:
    chosen = builders.settings(
        tmp_path,
        furnished_url,
        web={"url": "https://letters.example"},
        topics=[builders.topic("climate", "climate"), builders.topic("sport", "sport")],
        subscribers=[builders.subscriber("old@gazette.example", "climate")],
        webhooks=[
            {"name": "shop", "url": "https://shop.example/", "secret": "s" * 24, "events": ["confirmed", "subscribed"]}
        ],
    )
    async with builders.world(chosen, now, transport=MemoryTransport()) as opened:
        yield opened


async def asked(ctx: Context, choices: Choices, now: datetime) -> str:
    """Ask for something, and take the token of the letter."""
    await optin.request(ctx, choices, PROOF, now)
    async with ctx.store.read() as tx:
        opt_in = (await many(tx, OptIn))[-1]
    assert opt_in.address == choices.address
    return ctx.keyring.sign(Purpose.CONFIRM, opt_in.id or 0, expires_at=now + timedelta(days=7))


async def known(ctx: Context, email: str) -> tuple[Subscriber, dict[str, Subscription]]:
    """A reader, and what they follow by slug."""
    async with ctx.store.read() as tx:
        reader = await subscribers.by_email(tx, email)
        assert reader is not None
        mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, [])
        named = await topics.by_ids(tx, [s.topic_id for s in mine])
    return reader, {named[s.topic_id].slug: s for s in mine}


def choices(address: str, **changes: object) -> Choices:
    return Choices(**{**ANN.stored(), "queries": (), "address": address, **changes})  # type: ignore[arg-type]


async def test_confirming_makes_a_reader_with_all_that_was_chosen(ctx: Context, now: datetime) -> None:
    found = await confirmation.confirm(ctx, await asked(ctx, ANN, now), PROOF, now)
    assert found.state is State.CONFIRMED
    reader, mine = await known(ctx, "ann@gmail.com")
    assert (reader.name, reader.timezone, reader.locale, reader.cadence) == ("Ann", "Asia/Tokyo", "en", ANN.cadence)
    assert (reader.origin, reader.chosen) == (Origin.WEB, ["cadence", "locale", "name", "timezone"])
    assert {slug: s.cadence for slug, s in mine.items()} == {"climate": ANN.cadence, "own-1": ANN.cadence}
    assert all(s.chosen == ["cadence"] for s in mine.values())
    async with ctx.store.read() as tx:
        (own,) = [topic for topic in await many(tx, Topic) if topic.owner_id]
        assert (own.owner_id, own.is_public, own.name) == (reader.id, False, "windmill OR mill")
        assert len(await many(tx, Query)) == 3
        assert [p.kind for p in await many(tx, Consent)] == [ConsentKind.REQUESTED, ConsentKind.CONFIRMED]
        told = [row.personal["type"] for row in await many(tx, Delivery) if row.channel == "webhook"]
        assert sorted(told) == ["confirmed", "subscribed"]
        assert len((await subscribers.schedules(tx, [reader.id or 0]))[reader.id or 0]) == 1


async def test_confirming_at_the_same_time_happens_once(ctx: Context, now: datetime) -> None:
    token = await asked(ctx, ANN, now)
    found = await asyncio.gather(*(confirmation.confirm(ctx, token, PROOF, now) for _ in range(8)))
    assert {one.state for one in found} == {State.CONFIRMED}
    async with ctx.store.read() as tx:
        assert len([p for p in await many(tx, Consent) if p.kind == ConsentKind.CONFIRMED]) == 1


async def test_config_does_not_overwrite_what_was_chosen(ctx: Context, now: datetime) -> None:
    await confirmation.confirm(ctx, await asked(ctx, ANN, now), PROOF, now)
    named = builders.subscriber("ann@gmail.com", "climate", cadence="hourly", timezone="Europe/Rome", name="Anna")
    ctx.settings = ctx.settings.model_copy(update={"subscribers": (*ctx.settings.subscribers, named)})
    await declare(ctx, now, pause_missing=True)
    reader, mine = await known(ctx, "ann@gmail.com")
    assert (reader.name, reader.timezone, reader.cadence) == ("Ann", "Asia/Tokyo", ANN.cadence)
    assert mine["climate"].cadence == ANN.cadence


async def test_a_reader_who_confirms_more_keeps_what_they_have(ctx: Context, now: datetime) -> None:
    token = await asked(ctx, choices("old@gazette.example", topics=("climate", "sport")), now)
    await confirmation.confirm(ctx, token, PROOF, now)
    reader, mine = await known(ctx, "old@gazette.example")
    assert (reader.timezone, reader.origin) == ("UTC", Origin.CONFIG)
    assert {slug: s.cadence for slug, s in mine.items()} == {"climate": "daily at 07:30", "sport": ANN.cadence}


async def test_who_left_comes_back_only_by_a_new_confirmation(ctx: Context, now: datetime) -> None:
    first = await asked(ctx, choices("ann@gmail.com"), now)
    await confirmation.confirm(ctx, first, PROOF, now)
    reader, _ = await known(ctx, "ann@gmail.com")
    async with ctx.store.write() as tx:
        await enrolment.leave(tx, ctx.address_key, reader, ctx.newsletter.id or 0, now)
    assert (await confirmation.confirm(ctx, first, PROOF, now)).state is State.USED
    assert (await known(ctx, "ann@gmail.com"))[0].status == SubscriberStatus.UNSUBSCRIBED
    second = await asked(ctx, choices("ann@gmail.com", topics=("sport",)), now + timedelta(days=2))
    assert (await confirmation.confirm(ctx, second, PROOF, now + timedelta(days=2))).state is State.CONFIRMED
    reader, mine = await known(ctx, "ann@gmail.com")
    assert reader.status == SubscriberStatus.ACTIVE
    assert [slug for slug, s in mine.items() if s.status == SubscriptionStatus.ACTIVE] == ["sport"]
    async with ctx.store.read() as tx:
        assert not await optin.is_barred(ctx, tx, "ann@gmail.com")
        assert await suppressions.of(tx, [address_hash(ctx.address_key, "ann@gmail.com")]) == {}


async def test_an_address_that_was_suppressed_meanwhile_is_not_enrolled(ctx: Context, now: datetime) -> None:
    token = await asked(ctx, ANN, now)
    async with ctx.store.write() as tx:
        hashed = address_hash(ctx.address_key, ANN.address)
        await suppressions.add(tx, hashed, SuppressionReason.COMPLAINED, now)
    assert (await confirmation.confirm(ctx, token, PROOF, now)).state is State.BARRED
    async with ctx.store.read() as tx:
        assert await subscribers.by_email(tx, ANN.address) is None


async def test_topics_that_are_no_longer_offered_are_left_out(ctx: Context, now: datetime) -> None:
    token = await asked(ctx, choices("ann@gmail.com"), now)
    async with ctx.store.write() as tx:
        topic = await topics.by_slug(tx, "climate")
        assert topic is not None
        await topics.write(tx, topic.id or 0, is_paused=True, paused_by=PausedBy.OPERATOR)
    assert (await confirmation.confirm(ctx, token, PROOF, now)).state is State.WITHDRAWN


async def test_of_their_own_topics_a_reader_has_as_many_as_they_may(ctx: Context, now: datetime) -> None:
    limited = ctx.settings.subscribe.model_copy(update={"own_topics": 2})
    ctx.settings = ctx.settings.model_copy(update={"subscribe": limited})
    queries = ("windmill", "mill AND wind", "wind AND mill", "tide")
    await confirmation.confirm(ctx, await asked(ctx, choices("ann@gmail.com", queries=queries), now), PROOF, now)
    _, mine = await known(ctx, "ann@gmail.com")
    assert sorted(slug for slug in mine if slug.startswith("own-")) == ["own-1", "own-2"]


async def test_a_paused_reader_who_confirms_more_wakes_unless_an_operator_paused_them(
    ctx: Context, now: datetime
) -> None:
    reader, _ = await known(ctx, "old@gazette.example")
    for days, by, after in ((0, PausedBy.READER, "active"), (2, PausedBy.OPERATOR, "paused")):
        async with ctx.store.write() as tx:
            await enrolment.pause(tx, reader, by, ctx.newsletter.id or 0, now)
        wanted = choices("old@gazette.example", topics=(), queries=(f"word{days}",))
        at = now + timedelta(days=days)
        await confirmation.confirm(ctx, await asked(ctx, wanted, at), PROOF, at)
        reader, _ = await known(ctx, "old@gazette.example")
        assert reader.status == after


async def test_pruning_forgets_who_never_confirmed_and_from_which_machine_the_others_did(
    ctx: Context, now: datetime
) -> None:
    await confirmation.confirm(ctx, await asked(ctx, ANN, now), PROOF, now)
    await asked(ctx, choices("bob@gmail.com"), now)
    async with ctx.store.write() as tx:
        await note(tx, "cli", "add topic", "climate", now)
    await prune(ctx, now + timedelta(days=31))
    async with ctx.store.read() as tx:
        assert [row.address for row in await many(tx, OptIn)] == ["ann@gmail.com"]
        assert {(row.address, row.ip) for row in await many(tx, Consent)} == {("ann@gmail.com", "192.0.2.0/24")}
        assert "bob" not in str([row.model_dump() for row in await many(tx, Delivery)])
        assert len(await many(tx, Audit)) == 1
    await prune(ctx, now + timedelta(days=800))
    async with ctx.store.read() as tx:
        assert await many(tx, Audit) == []
