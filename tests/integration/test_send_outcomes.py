"""What a server says, and what becomes of the mail: on both databases, with a real server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import LONG
from mailing import READERS, SLOT, Mailing, address, after, relay, rows, standing
from smtp_server import Act, Moment, SmtpServer, always, for_recipients, in_turn

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.delivery.smtp import SmtpTransport
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryStatus, Origin, Outcome, SuppressionReason
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.admission import NotAdmittedError, admit
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.entries import subscriber_entry
from dispatcher.pipeline.send import send
from dispatcher.store import Transaction, outbox, subscribers, suppressions, topics
from dispatcher.store.engine import many

EVERYBODY = sorted(map(address, READERS))


one_engine = pytest.mark.parametrize("furnished_url", ["sqlite", "postgresql"] if LONG else ["sqlite"], indirect=True)


@pytest.fixture
def mailing(tmp_path: Path, furnished_url: str) -> Mailing:
    """A digest for six readers."""
    return Mailing(tmp_path, furnished_url)


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    """A relay."""
    async with SmtpServer() as running:
        yield running


def recipients(server: SmtpServer) -> list[str]:
    """Who got something, as often as they did."""
    return sorted(message.recipients[0] for message in server.messages)


async def test_451_then_250_is_sent_on_retry_and_once(mailing: Mailing, server: SmtpServer) -> None:
    server.script = in_turn("CONTENT", "451 4.3.0 later")
    async with mailing.open(relay(server)) as ctx:
        first = await send(ctx, SLOT)
        assert (first.sent, first.deferred) == (5, 1)
        assert (await send(ctx, after(minutes=4))).sent == 0  # a greylisting server wants five minutes
        assert (await send(ctx, after(minutes=16))).sent == 1
        assert (await send(ctx, after(hours=3))).sent == 0
        assert recipients(server) == EVERYBODY
        assert sorted(found.attempts for found in (await rows(ctx)).values()) == [1, 1, 1, 1, 1, 2]


async def test_550_fails_and_suppresses_that_address_and_no_other(mailing: Mailing, server: SmtpServer) -> None:
    server.script = for_recipients({address("ben"): "550 5.1.1 no such user"})
    async with mailing.open(relay(server)) as ctx:
        report = await send(ctx, SLOT)
        assert (report.sent, report.failed) == (5, 1)
        ben = (await rows(ctx))["ben"]
        assert (ben.status, ben.code, ben.finished_at) == (DeliveryStatus.FAILED, 550, SLOT)
        assert "5.1.1" in ben.reason
        async with ctx.store.read() as tx:
            (suppression,) = await suppressions.every(tx)
        assert (suppression.address, suppression.reason) == (address("ben"), SuppressionReason.BOUNCED)
        async with ctx.store.write() as tx:  # an operator tries again, in vain
            await outbox.requeue(tx, [ben.id or 0], SLOT, after(hours=1))
        assert (await send(ctx, after(minutes=5))).suppressed == 1
    server.script = None
    mailing.stories.insert(0, ("two", "The badger comes back", after(hours=2)))
    async with mailing.open(relay(server), after(days=1)) as ctx:  # config still names ben
        assert (await send(ctx, after(days=1))).sent == 5
        assert (await rows(ctx))["ben"].status == DeliveryStatus.SUPPRESSED
        with pytest.raises(NotAdmittedError):
            await ctx_admit(ctx, address("ben"))
    mailing.readers = ("ann",)
    async with mailing.open(relay(server), after(days=2)):
        mailing.readers = (*READERS, "BEN")[1:]  # taken out, named again, in capitals too
    mailing.stories.insert(0, ("three", "The badger leaves", after(days=1, hours=2)))
    async with mailing.open(relay(server), after(days=2)) as ctx:
        await send(ctx, after(days=2))
    assert address("ben") not in recipients(server)


async def ctx_admit(ctx: Context, email: str) -> None:
    """What `subscribers add` does."""
    async with ctx.store.write() as tx:
        known = {found.slug: found for found in await topics.every(tx)}
        await admit(ctx, tx, subscriber_entry(email=email, topics=["all"]), known, SLOT, origin=Origin.CLI)


@one_engine
async def test_while_the_server_is_gone_nothing_counts_and_when_it_is_back_everything_goes(
    mailing: Mailing, server: SmtpServer
) -> None:
    server.stop()
    async with mailing.open(relay(server)) as ctx:
        report = await send(ctx, SLOT)
        assert (report.deferred, report.sent) == (2, 0)  # one knock for each connection, the rest was not even tried
        assert await standing(ctx) == {"deferred": 2, "queued": 4}
        for _ in range(4):
            await send(ctx, SLOT)
        deferred = (await rows(ctx)).values()
        assert {found.status for found in deferred} == {DeliveryStatus.DEFERRED}
        assert {found.attempts for found in deferred} == {0}
        assert max(found.due_at for found in deferred) <= after(seconds=19)
        server.start()
        assert (await send(ctx, after(seconds=20))).sent == 6
        assert recipients(server) == EVERYBODY
        assert {found.attempts for found in (await rows(ctx)).values()} == {1}


@one_engine
async def test_after_a_long_outage_mail_waits_minutes_not_hours(mailing: Mailing, server: SmtpServer) -> None:
    class Forsaken(SmtpTransport):
        """When it fails, it has done so since the small hours."""

        @property
        def failing_since(self) -> datetime | None:
            return after(hours=-3) if super().failing_since else None

    server.stop()
    async with mailing.open(Forsaken(relay(server).relay)) as ctx:
        for minutes in range(0, 60, 5):
            await send(ctx, after(minutes=minutes))
        latest = max(found.due_at for found in (await rows(ctx)).values())
        assert latest <= after(minutes=55 + 6.25)
        server.start()
        assert (await send(ctx, latest)).sent == 6
        assert recipients(server) == EVERYBODY


@one_engine
async def test_a_server_that_lets_in_only_one_connection_still_gets_all_the_mail(
    mailing: Mailing, server: SmtpServer
) -> None:
    def script(moment: Moment) -> str | None:
        return "421 4.7.0 too many connections" if moment.command == "BANNER" and moment.connection > 1 else None

    server.script = script
    async with mailing.open(relay(server, connections=3)) as ctx:
        report = await send(ctx, SLOT)
        assert report.sent >= 4  # the one that is let in does the others' work
        assert report.sent + report.deferred == 6
        for minutes in (7, 14, 21):
            await send(ctx, after(minutes=minutes))
        assert recipients(server) == EVERYBODY


async def test_a_connection_lost_after_the_message_is_uncertain_and_the_repeat_is_byte_identical(
    mailing: Mailing, server: SmtpServer
) -> None:
    server.script = in_turn("CONTENT", Act.KEEP_AND_DISCONNECT)
    async with mailing.open(relay(server)) as ctx:
        report = await send(ctx, SLOT)
        assert (report.sent, report.deferred) == (5, 1)
        (waiting,) = [found for found in (await rows(ctx)).values() if found.status == DeliveryStatus.DEFERRED]
        assert waiting.due_at <= after(minutes=1.25)
    # Another process, another day's configuration: what was begun is ended as it was begun.
    mailing.sections = {"site": {"name": "Renamed Meanwhile"}}
    async with mailing.open(relay(server), after(minutes=2)) as ctx:
        assert (await send(ctx, after(minutes=2))).sent == 1
    first, second = server.to(waiting.recipient)
    assert first.data == second.data
    assert waiting.message_id.encode() in first.data
    assert recipients(server) == sorted([*EVERYBODY, waiting.recipient])


@one_engine
async def test_an_uncertain_message_is_held_for_a_person_if_asked_so(mailing: Mailing, server: SmtpServer) -> None:
    mailing.sections = {"send": {"on_uncertain": "hold"}}
    server.script = in_turn("CONTENT", Act.KEEP_AND_DISCONNECT)
    async with mailing.open(relay(server)) as ctx:
        report = await send(ctx, SLOT)
        assert (report.sent, report.held) == (5, 1)
        (held,) = [found for found in (await rows(ctx)).values() if found.status == DeliveryStatus.HELD]
        assert held.reason.startswith("it may have arrived")
        assert (await send(ctx, after(hours=1))).sent == 0
        async with ctx.store.write() as tx:
            assert await outbox.requeue(tx, [held.id or 0], after(hours=1), after(hours=2)) == 1
        assert (await send(ctx, after(hours=1))).sent == 1
        first, second = server.to(held.recipient)
        assert first.data == second.data


@pytest.mark.parametrize("mode", ["resend", "hold"])
async def test_what_a_crash_leaves_on_the_wire_is_sent_again_or_held_as_asked(
    mailing: Mailing, server: SmtpServer, mode: str
) -> None:
    mailing.sections = {"send": {"on_uncertain": mode}}
    server.script = always("CONTENT", Act.SILENCE)
    async with mailing.open(relay(server)) as ctx:
        sending = asyncio.create_task(send(ctx, SLOT))
        await server.wait_until(lambda: sum(line == "DATA" for _, line in server.commands) == 2)
        before = await rows(ctx)
        marked = {name for name, found in before.items() if found.handed_over_at is not None}
        assert len(marked) == (2 if mode == "hold" else 0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        server.script = None
        report = await send(ctx, after(seconds=1))
        assert report.recovered == 2
        assert report.sent == (4 if mode == "hold" else 6)
        later = await rows(ctx)
        assert {name for name, found in later.items() if found.status == DeliveryStatus.HELD} == marked
        assert all(later[name].reason == "handed over, answer unknown" for name in marked)
        assert {found.dated_at for found in later.values()} == {SLOT}  # the date of the first try


Departure = Callable[[Context, Transaction, str], Awaitable[Any]]


async def _leave(ctx: Context, tx: Transaction, email: str) -> None:
    person = await subscribers.by_email(tx, email)
    assert person is not None
    await enrolment.leave(tx, ctx.address_key, person, ctx.newsletter.id or 0, SLOT)


async def _erase(ctx: Context, tx: Transaction, email: str) -> None:
    person = await subscribers.by_email(tx, email)
    assert person is not None
    await enrolment.erase(tx, ctx.address_key, person, SLOT)


async def _complain(ctx: Context, tx: Transaction, email: str) -> None:
    from dispatcher.store.keys import address_hash

    await suppressions.add(tx, address_hash(ctx.address_key, email), SuppressionReason.COMPLAINED, SLOT, address=email)


@pytest.mark.parametrize("depart", [_leave, _erase, _complain])
async def test_who_leaves_after_the_claim_gets_nothing_but_what_is_on_the_wire(
    mailing: Mailing, depart: Departure
) -> None:
    class Interrupted(MemoryTransport):
        """While the first message is on the wire, four of the six are gone."""

        async def send(self, envelope_from: str, recipient: str, message: bytes, **how: Any) -> Outcome | None:
            outcome = await super().send(envelope_from, recipient, message, **how)
            if recipient == address("ann"):
                assert (await standing(ctx)) == {"sending": 6}
                async with ctx.store.write() as tx:
                    for name in READERS[:4]:
                        await depart(ctx, tx, address(name))
            return outcome

    transport = Interrupted(max_connections=1)
    async with mailing.open(transport) as ctx:
        report = await send(ctx, SLOT)
        assert [kept.recipient for kept in transport.messages] == [address(n) for n in ("ann", "eve", "fay")]
        assert (report.sent, report.suppressed) == (3, 3)
        async with ctx.store.read() as tx:
            gone = await many(tx, Delivery)
        assert sorted(found.status for found in gone) == ["sent"] * 3 + ["suppressed"] * 3
