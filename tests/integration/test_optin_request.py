"""Double opt-in on both engines: who is mailed what, how often at most, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import builders
import conftest
import pytest

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.consent import Consent, OptIn
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import ConsentKind, PausedBy, SuppressionReason
from dispatcher.pipeline import enrolment, optin
from dispatcher.pipeline.choices import Choices
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.optin import Proof
from dispatcher.pipeline.send import send
from dispatcher.store import consents, subscribers, suppressions
from dispatcher.store.engine import many
from dispatcher.store.keys import address_hash

REQUESTS = 5000 if conftest.LONG else 500
PROOF = Proof("Yes, please.", "https://gazette.example/", "192.0.2.7", "192.0.2.0/24", "A browser")
ANN = Choices("ann@gmail.com", topics=("climate",), timezone="Europe/London", locale="en")


@pytest.fixture
async def ctx(furnished_url: str, tmp_path: Path, now: datetime) -> AsyncIterator[Context]:
    chosen = builders.settings(
        tmp_path,
        furnished_url,
        web={"url": "https://letters.example"},
        topics=[builders.topic("climate", "climate"), builders.topic("sport", "sport")],
        subscribers=[builders.subscriber("old@gazette.example", "climate")],
    )
    async with builders.world(chosen, now, transport=MemoryTransport()) as opened:
        yield opened


def asked(address: str, **changes: object) -> Choices:
    return Choices(**{**ANN.stored(), "address": address, **changes})  # type: ignore[arg-type]


def proof(network: str) -> Proof:
    return Proof(PROOF.wording, PROOF.source, PROOF.ip, network, PROOF.user_agent)


async def mailed(ctx: Context) -> list[tuple[str, str]]:
    """What lies in the outbox: letter and recipient."""
    async with ctx.store.read() as tx:
        rows = await many(tx, Delivery)
    return [(row.key.split(":")[2], row.recipient) for row in rows]


async def test_a_request_is_proven_and_one_letter_asks_for_its_confirmation(ctx: Context, now: datetime) -> None:
    assert await optin.request(ctx, ANN, PROOF, now)
    await send(ctx, now)
    transport = ctx.transport
    assert isinstance(transport, MemoryTransport)
    (text,) = builders.texts(transport, "ann@gmail.com")
    assert "https://letters.example/c/" in text
    assert "climate" in text.lower()
    async with ctx.store.read() as tx:
        (kept,) = await consents.of(tx, address_hash(ctx.address_key, "ann@gmail.com"))
        assert (kept.kind, kept.ip, kept.source) == (ConsentKind.REQUESTED, PROOF.ip, PROOF.source)
        assert (await consents.wordings(tx, [kept.wording]))[kept.wording] == PROOF.wording
        assert await subscribers.by_email(tx, "ann@gmail.com") is None


async def test_the_letter_carries_nothing_that_a_stranger_wrote(ctx: Context, now: datetime) -> None:
    await optin.request(ctx, asked("eve@gmail.com", name="Buy at evil.example", queries=("evilword",)), PROOF, now)
    await send(ctx, now)
    assert isinstance(ctx.transport, MemoryTransport)
    (message,) = [kept.data for kept in ctx.transport.messages]
    assert b"evil" not in message


async def test_a_reader_who_wants_more_is_asked_to_confirm_it_and_one_who_has_it_all_gets_the_link(
    ctx: Context, now: datetime
) -> None:
    await optin.request(ctx, asked("old@gazette.example", topics=("climate",)), PROOF, now)
    assert await mailed(ctx) == [("manage", "old@gazette.example")]
    later = now + timedelta(days=2)
    await optin.request(ctx, asked("old@gazette.example", topics=("climate", "sport")), PROOF, later)
    assert await mailed(ctx) == [("manage", "old@gazette.example"), ("confirm", "old@gazette.example")]


async def test_a_reader_who_has_paused_still_gets_the_link_to_go_on(ctx: Context, now: datetime) -> None:
    async with ctx.store.write() as tx:
        reader = await subscribers.by_email(tx, "old@gazette.example")
        assert reader is not None
        await enrolment.pause(tx, reader, PausedBy.READER, ctx.newsletter.id or 0, now)
    await optin.lost(ctx, "old@gazette.example", PROOF.network, now)
    await send(ctx, now)
    assert isinstance(ctx.transport, MemoryTransport)
    assert len(builders.texts(ctx.transport, "old@gazette.example")) == 1


async def test_who_left_is_asked_and_who_is_suppressed_everywhere_is_not(ctx: Context, now: datetime) -> None:
    async with ctx.store.write() as tx:
        reader = await subscribers.by_email(tx, "old@gazette.example")
        assert reader is not None
        await enrolment.leave(tx, ctx.address_key, reader, ctx.newsletter.id or 0, now)
        hashed = address_hash(ctx.address_key, "bounced@gazette.example")
        await suppressions.add(tx, hashed, SuppressionReason.BOUNCED, now)
    assert await optin.request(ctx, asked("old@gazette.example"), PROOF, now)
    assert await optin.request(ctx, asked("bounced@gazette.example"), PROOF, now)
    assert await mailed(ctx) == [("confirm", "old@gazette.example")]


async def test_of_a_request_met_with_silence_nothing_personal_is_kept(ctx: Context, now: datetime) -> None:
    await optin.request(ctx, ANN, PROOF, now)
    await optin.request(ctx, asked("a.n.n+again@googlemail.com", name="Ann"), PROOF, now)
    async with ctx.store.read() as tx:
        silent = (await many(tx, OptIn))[-1]
        assert (silent.address, silent.choices, silent.mailed_at) == ("", {}, None)
        assert len(await many(tx, Consent)) == 1


async def test_fifty_parallel_requests_for_one_mailbox_cause_one_mail(ctx: Context, now: datetime) -> None:
    spellings = [f"{'a.nn' if n % 2 else 'ANN'.lower()}+{n}@gmail.com" for n in range(50)]
    answers = await asyncio.gather(
        *(optin.request(ctx, asked(address), proof(f"10.0.{n}.0/24"), now) for n, address in enumerate(spellings))
    )
    assert all(answers)
    assert len(await mailed(ctx)) == 1


async def test_fifty_parallel_requests_of_one_network_are_refused_beyond_its_limit(ctx: Context, now: datetime) -> None:
    answers = await asyncio.gather(*(optin.request(ctx, asked(f"p{n}@gmail.com"), PROOF, now) for n in range(50)))
    assert sum(answers) == ctx.settings.subscribe.per_network == len(await mailed(ctx))


async def test_a_mailbox_gets_three_confirmations_in_a_month_and_then_none(ctx: Context, now: datetime) -> None:
    for day in range(29):
        await optin.request(ctx, ANN, PROOF, now + timedelta(days=day))
    assert len(await mailed(ctx)) == 3
    await optin.request(ctx, ANN, PROOF, now + timedelta(days=33))
    assert len(await mailed(ctx)) == 4


async def test_a_domain_that_may_be_one_persons_gets_twenty_in_an_hour(ctx: Context, now: datetime) -> None:
    for n in range(40):
        host = "victim.example" if n % 2 else f"{n}.victim.example"
        await optin.request(ctx, asked(f"any{n}@{host}"), proof(f"10.0.{n}.0/24"), now)
    assert len(await mailed(ctx)) == 20


async def test_everybody_together_causes_no_more_than_the_limit(ctx: Context, now: datetime) -> None:
    limited = ctx.settings.subscribe.model_copy(update={"per_hour": 5})
    ctx.settings = ctx.settings.model_copy(update={"subscribe": limited})
    for n in range(9):
        assert await optin.request(ctx, asked(f"p{n}@gmail.com"), proof(f"10.0.{n}.0/24"), now)
    assert len(await mailed(ctx)) == 5


async def test_a_victim_is_not_bombed_by_thousands_of_requests_from_everywhere(ctx: Context, now: datetime) -> None:
    """Over two days, each from a network of its own, in every spelling of one mailbox."""
    for n in range(REQUESTS):
        local = f"{'.'.join('victim') if n % 3 else 'victim'}+{n}"
        address = f"{local}@{'gmail.com' if n % 2 else 'googlemail.com'}"
        await optin.request(
            ctx, asked(address), proof(f"10.{n // 250}.{n % 250}.0/24"), now + timedelta(days=1.99) * n / REQUESTS
        )
    assert len(await mailed(ctx)) == 2


async def test_a_lost_link_is_mailed_once_an_hour_three_times_a_day_and_to_readers_only(
    ctx: Context, now: datetime
) -> None:
    for minutes in range(0, 600, 20):
        assert await optin.lost(ctx, "old@gazette.example", f"10.0.{minutes}.0/24", now + timedelta(minutes=minutes))
    assert await optin.lost(ctx, "nobody@gazette.example", "10.9.9.0/24", now)
    assert await mailed(ctx) == [("manage", "old@gazette.example")] * 3
