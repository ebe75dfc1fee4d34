"""Trouble on our own side while sending: poisoned rows, a database that refuses, a full disk, bugs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mailing import READERS, SLOT, Mailing, address, after, locked, relay, rows, standing
from smtp_server import Slow, SmtpServer, always
from structlog.testing import capture_logs

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.errors import StoreError
from dispatcher.model.outbound import Digest
from dispatcher.model.values import DeliveryStatus, Outcome, OutcomeKind
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ledger import Ledger
from dispatcher.pipeline.send import send
from dispatcher.store import claims, connections
from dispatcher.store.claims import Verdict
from dispatcher.store.engine import many, table

EVERYBODY = sorted(map(address, READERS))
DIGEST = table(Digest)


@pytest.fixture
def mailing(tmp_path: Path, furnished_url: str) -> Mailing:
    """A digest for six readers."""
    return Mailing(tmp_path, furnished_url)


@pytest.fixture
def on_sqlite(tmp_path: Path, furnished: Any) -> Mailing:
    """The same, on SQLite: what is special about one file."""
    return Mailing(tmp_path, furnished("sqlite", tmp_path))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let SQLite give up waiting for a lock soon, and the ledger try again soon."""
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.1)
    monkeypatch.setattr("dispatcher.pipeline.ledger.PAUSE", 0.1)
    return


def recipients(transport: MemoryTransport) -> list[str]:
    """Who got something, as often as they did."""
    return sorted(kept.recipient for kept in transport.messages)


@pytest.mark.parametrize("poison", [{"items": [["garbage"]]}, {"items": 5}, {"wire": "{"}])
async def test_a_poisoned_digest_is_named_and_set_aside_and_the_others_go_out(
    mailing: Mailing, poison: dict[str, Any]
) -> None:
    mailing.topics = {"ann": "badgers", "ben": "badgers"}
    transport = MemoryTransport()
    async with mailing.open(transport) as ctx:
        poisoned = (await rows(ctx))["ann"].digest_id
        async with ctx.store.write() as tx:
            (before,) = await many(tx, Digest, DIGEST.c.id == poisoned)
            await tx.execute(sa.update(DIGEST).where(DIGEST.c.id == poisoned).values(**poison))
        with capture_logs() as logs:
            report = await send(ctx, SLOT)
        assert recipients(transport) == sorted(map(address, READERS[2:]))
        assert (report.sent, report.deferred) == (4, 2)
        told = [said for said in logs if said.get("digest_id") == poisoned]
        assert len(told) == 1
        assert told[0]["log_level"] == "error"
        ann = (await rows(ctx))["ann"]
        assert ann.status == DeliveryStatus.DEFERRED
        assert ann.reason.startswith("internal error: ")
        async with ctx.store.write() as tx:  # somebody repairs it
            values = {name: getattr(before, name) for name in poison}
            await tx.execute(sa.update(DIGEST).where(DIGEST.c.id == poisoned).values(**values))
        assert (await send(ctx, after(minutes=16))).sent == 2
        assert recipients(transport) == EVERYBODY


async def test_mail_whose_template_is_broken_goes_out_in_our_look(mailing: Mailing) -> None:
    transport = MemoryTransport()
    broken = mailing.folder / "templates" / "email" / "digest.txt.j2"
    broken.parent.mkdir(parents=True)
    broken.write_text("{{ nobody.knows.this }}", encoding="utf-8")
    async with mailing.open(transport) as ctx:
        assert (await send(ctx, SLOT)).sent == 6
    assert all(b"Badger seen in market square" in message.data for message in transport.messages)


async def test_a_bug_that_one_delivery_provokes_is_named_and_stops_no_other(mailing: Mailing) -> None:
    class Buggy(MemoryTransport):
        async def send(self, envelope_from: str, recipient: str, message: bytes, **how: Any) -> Outcome | None:
            if recipient == address("ben") and recipient not in tried:
                tried.append(recipient)
                raise ZeroDivisionError("a bug \0 with words that no database keeps \ud800")
            return await super().send(envelope_from, recipient, message, **how)

    tried: list[str] = []
    transport = Buggy(max_connections=2)
    async with mailing.open(transport) as ctx:
        ben = (await rows(ctx))["ben"]
        with capture_logs() as logs:
            report = await send(ctx, SLOT)
        assert (report.sent, report.deferred) == (5, 1)
        (told,) = [said for said in logs if said.get("delivery_id") == ben.id]
        assert (told["log_level"], type(told["exc_info"])) == ("error", ZeroDivisionError)
        assert (await rows(ctx))["ben"].due_at == after(hours=1)
        assert (await send(ctx, after(minutes=59))).sent == 0
        assert (await send(ctx, after(hours=1))).sent == 1
        assert recipients(transport) == EVERYBODY


def sent(delivery_id: int | None, **changes: Any) -> Verdict:
    """An acceptance."""
    plain = Verdict(delivery_id or 0, DeliveryStatus.SENT, None, OutcomeKind.ACCEPTED, 250, "", "kept", "relay", "")
    return replace(plain, **changes)


async def claim_all(ctx: Context) -> list[int]:
    """Claim everything; returns the ids."""
    async with ctx.store.write() as tx:
        claim = await claims.claim(tx, ctx.instance.instance_id, SLOT, limit=100)
    return [found.id or 0 for found in claim.deliveries]


async def test_an_outcome_that_cannot_be_written_takes_no_other_with_it(mailing: Mailing) -> None:
    async with mailing.open(MemoryTransport()) as ctx:
        ids, ledger = await claim_all(ctx), Ledger(ctx.store, ctx.instance.instance_id)
        verdicts = [sent(i) if n != 2 else sent(i, outcome=None) for n, i in enumerate(ids)]
        done = await asyncio.gather(*(ledger.commit(v, SLOT) for v in verdicts), return_exceptions=True)
        assert [type(result) for result in done if result is not None] == [sa.exc.IntegrityError]
        assert isinstance(done[2], sa.exc.IntegrityError)
        assert await standing(ctx) == {"sent": 5, "sending": 1}


async def test_a_sender_cut_off_while_it_writes_for_all_loses_nobodys_outcome(
    on_sqlite: Mailing, impatient: None
) -> None:
    async with on_sqlite.open(MemoryTransport()) as ctx:
        ids, ledger = await claim_all(ctx), Ledger(ctx.store, ctx.instance.instance_id)
        async with locked(on_sqlite.folder / "subscribers.db"):
            commits = [asyncio.create_task(ledger.commit(sent(i), SLOT)) for i in ids]
            await asyncio.sleep(0.3)
            commits[0].cancel()
            await asyncio.sleep(0.1)
            assert not any(commit.done() for commit in commits[1:])
        await asyncio.gather(*commits[1:])
        assert await standing(ctx) == {"sent": 6}


async def test_a_database_locked_for_seconds_pauses_sending_and_loses_nothing(
    on_sqlite: Mailing, impatient: None
) -> None:
    async with SmtpServer(script=always("CONTENT", Slow(0.1))) as server, on_sqlite.open(relay(server)) as ctx:
        with capture_logs() as logs:
            sending = asyncio.create_task(send(ctx, SLOT))
            await server.wait_for(1)
            async with locked(on_sqlite.folder / "subscribers.db"):
                await asyncio.sleep(1.5)
                assert len(server.messages) <= 4  # the ones in flight, and perhaps those before them
            with_luck = await asyncio.gather(sending, return_exceptions=True)
            assert all(isinstance(result, StoreError) or result.sent for result in with_luck)
            await send(ctx, after(minutes=1))  # the daemon's next look
        assert any("sending pauses" in line["event"] for line in logs)
        assert sorted(message.recipients[0] for message in server.messages) == EVERYBODY
        assert await standing(ctx) == {"sent": 6}


async def test_with_hold_a_locked_database_sends_nothing_unmarked_and_everything_later(
    on_sqlite: Mailing, impatient: None
) -> None:
    on_sqlite.sections = {"send": {"on_uncertain": "hold"}}
    async with SmtpServer(script=always("CONTENT", Slow(0.2))) as server, on_sqlite.open(relay(server)) as ctx:
        sending = asyncio.create_task(send(ctx, SLOT))
        await server.wait_until(lambda: sum(line == "DATA" for _, line in server.commands) == 2)
        async with locked(on_sqlite.folder / "subscribers.db"):
            await asyncio.sleep(0.8)
            assert sum(line == "DATA" for _, line in server.commands) == 2
        with_luck = await asyncio.gather(sending, return_exceptions=True)
        assert all(isinstance(result, StoreError) or result.sent for result in with_luck)
        await send(ctx, after(minutes=1))
        assert sorted(message.recipients[0] for message in server.messages) == EVERYBODY
        assert await standing(ctx) == {"sent": 6}
        assert {found.attempts for found in (await rows(ctx)).values()} == {1}


async def test_a_database_that_refuses_before_anything_is_sent_sets_nothing_aside(
    on_sqlite: Mailing, impatient: None
) -> None:
    on_sqlite.sections = {"send": {"on_uncertain": "hold"}}

    class Locking(MemoryTransport):
        """While the second message is on the wire, the database gets locked for a second."""

        async def send(self, envelope_from: str, recipient: str, message: bytes, **how: Any) -> Outcome | None:
            if len(self.messages) == 1:
                lock = locked(on_sqlite.folder / "subscribers.db")
                await lock.__aenter__()
                unlocking.append(asyncio.create_task(self.unlock(lock)))
            return await super().send(envelope_from, recipient, message, **how)

        async def unlock(self, lock: AbstractAsyncContextManager[None]) -> None:
            await asyncio.sleep(1)
            await lock.__aexit__(None, None, None)

    unlocking: list[asyncio.Task[None]] = []
    transport = Locking(max_connections=3)
    async with on_sqlite.open(transport) as ctx:
        for _ in range(3):
            try:
                await send(ctx, SLOT)
            except StoreError:
                await asyncio.sleep(1.1)
        assert recipients(transport) == EVERYBODY
        assert {found.attempts for found in (await rows(ctx)).values()} == {1}


@pytest.mark.parametrize("furnished_url", ["postgresql"], indirect=True)
async def test_a_server_that_cuts_every_connection_to_the_database_costs_no_mail(mailing: Mailing) -> None:
    class Cutting(MemoryTransport):
        """During the third and the fifth message the database server is restarted."""

        async def send(self, envelope_from: str, recipient: str, message: bytes, **how: Any) -> Outcome | None:
            outcome = await super().send(envelope_from, recipient, message, **how)
            if len(self.messages) in (3, 5):
                await cut(ctx)
            return outcome

    transport = Cutting(max_connections=2)
    async with mailing.open(transport) as ctx:
        for _ in range(4):
            try:
                await send(ctx, SLOT)
            except StoreError:
                await asyncio.sleep(0.1)
        assert recipients(transport) == EVERYBODY
        assert await standing(ctx) == {"sent": 6}
        assert {found.attempts for found in (await rows(ctx)).values()} == {1}


async def cut(ctx: Context) -> None:
    """End every connection to the database, as a restart does."""
    import psycopg

    url = ctx.store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as server:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        await server.execute(f"SELECT pg_terminate_backend(pid) {others}")


@asynccontextmanager
async def listening(target: Any, name: str, listener: Any) -> AsyncIterator[None]:
    """Hear of an event of SQLAlchemy's for a while."""
    sa.event.listen(target, name, listener)
    yield
    sa.event.remove(target, name, listener)


async def test_a_full_disk_pauses_sending_until_there_is_room_again(on_sqlite: Mailing, impatient: None) -> None:
    class Filling(MemoryTransport):
        """With the twentieth message the disk is full."""

        async def send(self, envelope_from: str, recipient: str, message: bytes, **how: Any) -> Outcome | None:
            pages[0] = 1 if len(self.messages) == 20 else pages[0]
            return await super().send(envelope_from, recipient, message, **how)

    on_sqlite.readers = tuple(f"reader{n}" for n in range(90))
    pages, transport = [10**6], Filling(max_connections=4)

    def limit(connection: Any, record: Any, proxy: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA max_page_count = {pages[0]}")  # never less than there are
        cursor.close()

    async with on_sqlite.open(transport) as ctx, listening(sa.pool.Pool, "checkout", limit):
        with capture_logs() as logs:
            sending = asyncio.create_task(send(ctx, SLOT))
            async with asyncio.timeout(20):
                while not any("sending pauses" in line["event"] for line in logs):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            before = len(transport.messages)
            await asyncio.sleep(0.5)
            assert len(transport.messages) <= before + 4 < 90
            pages[0] = 10**6
            await sending
        assert any("disk is full" in str(line.get("reason")) for line in logs)
        said = [line["event"] for line in logs]
        assert "outcomes cannot be saved; sending pauses until they can" in said
        assert "outcomes are saved again; sending goes on" in said
        assert recipients(transport) == sorted(map(address, on_sqlite.readers))
        assert await standing(ctx) == {"sent": 90}


async def test_a_clock_that_jumps_neither_loses_nor_repeats_anything(mailing: Mailing) -> None:
    transport = MemoryTransport(max_connections=1)
    async with mailing.open(transport) as ctx:
        assert (await send(ctx, after(hours=-1))).sent == 0
        assert (await send(ctx, SLOT, limit=2)).sent == 2
        assert (await send(ctx, after(hours=-1))).sent == 0
        assert (await send(ctx, after(hours=3), limit=2)).sent == 2
        assert (await send(ctx, SLOT)).sent == 2
        assert recipients(transport) == EVERYBODY
        assert await standing(ctx) == {"sent": 6}


async def test_a_lease_goes_by_the_databases_clock_whatever_a_processs_own_clock_says(mailing: Mailing) -> None:
    transport = MemoryTransport()
    async with mailing.open(MemoryTransport()) as ctx, mailing.open(transport) as other:
        assert len(await claim_all(ctx)) == 6
        for hours in (-12, 0, 12):
            assert (await send(other, after(hours=hours))).sent == 0
        assert not transport.messages
        assert await standing(ctx) == {"sending": 6}
