"""Several processes on one database: nothing twice, nothing lost, and the dead are told from the living."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import LONG
from processes import NEWS, Site, a_site, address, crowd, now, planned, publish, statuses, until
from smtp_server import Slow, SmtpServer, always

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.outbound import Delivery
from dispatcher.model.runtime import Instance
from dispatcher.model.values import DeliveryStatus, Outcome
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context, load_settings, open_context
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import recover, send
from dispatcher.store import claims, instances, outbox, subscribers
from dispatcher.store.engine import many, table

DELIVERY = table(Delivery)

site = pytest.fixture(a_site, name="site")


@pytest.fixture
async def mailing(site: Site) -> Site:
    """A mailing to sixty readers, planned and not begun."""
    await planned(site, 60)
    return site


async def contexts(stack: AsyncExitStack, site: Site, count: int) -> list[tuple[Context, MemoryTransport]]:
    """So many daemons' contexts in this process, each with a memory of its own."""
    made = []
    for _ in range(count):
        transport = MemoryTransport(max_connections=2)
        settings = load_settings(site.config, {})
        made.append((await stack.enter_async_context(open_context(settings, transport=transport)), transport))
    return made


async def lapse(ctx: Context) -> None:
    """Let every lease have ended a minute ago."""
    async with ctx.store.write() as tx:
        ago = now() - timedelta(minutes=1)
        await tx.execute(sa.update(DELIVERY).where(DELIVERY.c.status == "sending").values(lease_until=ago))


async def test_two_daemons_that_plan_and_send_at_once_send_everything_once(site: Site) -> None:
    readers = 2000 if LONG else 150
    async with SmtpServer() as server:
        site.smtp_port = server.port
        async with site.open() as ctx:
            await publish(ctx, NEWS)
            await crowd(ctx, readers)
        daemons = [site.start(), site.start()]
        await until(lambda: len(server.messages) >= readers, 60, daemons[0])
        await asyncio.sleep(1)  # anything that should not come would come now
        assert all(daemon.is_running() for daemon in daemons)
    got = Counter(message.recipients[0] for message in server.messages)
    assert got == Counter(address(n) for n in range(readers))
    assert await statuses(site) == {"sent": readers}


async def test_plans_made_at_the_same_moment_make_each_delivery_once(site: Site) -> None:
    readers, planners = 2000 if LONG else 500, 8 if LONG else 3
    site.write()
    async with site.open() as ctx:
        await publish(ctx, NEWS)
        await crowd(ctx, readers)
    processes = [site.start("plan") for _ in range(2)]
    async with AsyncExitStack() as stack:
        made = await contexts(stack, site, planners)
        reports = await asyncio.gather(*(plan(ctx, now()) for ctx, _ in made))
        assert [await process.ended() for process in processes] == [0, 0], processes[0].words()
        await plan(made[0][0], now())  # what one process had locked while the others looked is left for the next tick
        async with made[0][0].store.read() as tx:
            found = await many(tx, Delivery)
    assert sum(report.deliveries for report in reports) <= readers
    assert Counter(delivery.recipient for delivery in found) == Counter(address(n) for n in range(readers))
    assert {delivery.status for delivery in found} == {DeliveryStatus.QUEUED}


async def test_sends_begun_at_the_same_moment_send_each_delivery_once(mailing: Site) -> None:
    async with AsyncExitStack() as stack:
        made = await contexts(stack, mailing, 4)
        for ctx, _ in made:
            ctx.settings = ctx.settings.model_copy(update={"send": ctx.settings.send.model_copy(update={"batch": 7})})
        reports = await asyncio.gather(*(send(ctx, now()) for ctx, _ in made))
    got = Counter(kept.recipient for _, transport in made for kept in transport.messages)
    assert got == Counter(address(n) for n in range(60))
    assert sum(report.sent for report in reports) == 60


CLAIMER = """
import asyncio, sys
from pathlib import Path
from dispatcher import clock
from dispatcher.pipeline.context import load_settings, open_context
from dispatcher.store import claims

async def main():
    async with open_context(load_settings(Path(sys.argv[1]), {})) as ctx:
        async with ctx.store.write() as tx:
            await claims.claim(tx, ctx.instance.instance_id, clock.now(), limit=50)
        print("claimed", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_claims_of_a_living_process_are_its_own_and_those_of_a_dead_one_are_taken_back_at_once(
    mailing: Site, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", CLAIMER, str(mailing.config)]
    claimer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert claimer.stdout is not None
    try:
        assert await asyncio.to_thread(claimer.stdout.readline) == "claimed\n"
        async with mailing.open() as ctx:
            assert await recover(ctx, now()) == 0
            claimer.kill()
            claimer.wait()
            taken = 0

            async with asyncio.timeout(10):  # PostgreSQL notices the end of a connection within a moment
                while not taken:
                    taken = await recover(ctx, now())
            assert taken == 50
            assert await recover(ctx, now()) == 0
            async with ctx.store.read() as tx:
                assert [found.id for found in await instances.every(tx)] == [ctx.instance.instance_id]
    finally:
        claimer.kill()
        claimer.stdout.close()
    assert not list(tmp_path.glob("*-lock-*"))


async def test_a_lapsed_lease_is_taken_back_even_from_the_living(mailing: Site) -> None:
    async with AsyncExitStack() as stack:
        (one, _), (other, sent) = await contexts(stack, mailing, 2)
        async with one.store.write() as tx:
            assert len((await claims.claim(tx, one.instance.instance_id, now(), limit=50)).deliveries) == 50
        assert (await send(other, now())).sent == 10
        await lapse(one)
        assert (await send(other, now())).sent == 50
        assert len({kept.recipient for kept in sent.messages}) == len(sent.messages) == 60


class Pausing(MemoryTransport):
    """One connection; with the third message on the wire everything stands still until `go`."""

    def __init__(self) -> None:
        super().__init__(max_connections=1)
        self.stands, self.go = asyncio.Event(), asyncio.Event()

    async def send(self, envelope_from: str, recipient: str, message: bytes, **how: Any) -> Outcome | None:
        outcome = await super().send(envelope_from, recipient, message, **how)
        if len(self.messages) == 3:
            self.stands.set()
            await self.go.wait()
        return outcome


async def test_claims_lost_during_a_pause_are_not_sent_by_the_one_who_paused(mailing: Site) -> None:
    paused = Pausing()
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(open_context(load_settings(mailing.config, {}), transport=paused))
        ((other, quick),) = await contexts(stack, mailing, 1)
        sending = asyncio.create_task(send(one, now()))
        await paused.stands.wait()
        await lapse(one)
        assert (await send(other, now())).sent == 58
        paused.go.set()
        assert (await sending).sent == 3  # the third was on the wire: it is the one that comes twice
    got = Counter(kept.recipient for kept in (*paused.messages, *quick.messages))
    assert set(got) == {address(n) for n in range(60)}
    assert sorted(got.values())[-2:] == [1, 2]
    third = paused.messages[2]
    assert [kept.data for kept in quick.messages if kept.recipient == third.recipient] == [third.data]


async def test_what_the_clock_says_has_lapsed_is_given_back_without_asking(
    mailing: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dispatcher.pipeline import lease as module

    class Laggard(MemoryTransport):
        async def send(self, envelope_from: str, recipient: str, message: bytes, **how: Any) -> Outcome | None:
            outcome = await super().send(envelope_from, recipient, message, **how)
            if len(self.messages) == 5:
                monkeypatch.setattr(module.Lease, "holds", property(lambda lease: False))
            return outcome

    transport = Laggard(max_connections=1)
    async with open_context(load_settings(mailing.config, {}), transport=transport) as ctx:
        assert (await send(ctx, now())).sent == 5
        async with ctx.store.read() as tx:
            assert (await outbox.counts(tx))["queued"] == 55
        monkeypatch.undo()
        assert (await send(ctx, now())).sent == 55
    assert len({kept.recipient for kept in transport.messages}) == len(transport.messages) == 60


async def test_a_process_whose_lock_was_lost_with_its_connection_takes_it_again(site: Site) -> None:
    await planned(site, 10)
    async with AsyncExitStack() as stack:
        (one, mine), (other, theirs) = await contexts(stack, site, 2)
        if not one.store.is_sqlite:  # a file's lock ends with its process only
            async with one.store.write() as tx:
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                await tx.execute(sa.text(f"{cut} AND pid <> pg_backend_pid()"))
        await recover(other, now())  # takes one for dead, and buries it
        await recover(one, now())
        await recover(other, now())
        async with one.store.read() as tx:
            known = {found.id for found in await many(tx, Instance)}
        assert known == {one.instance.instance_id, other.instance.instance_id}
        assert await instances.dead(one.store, but=one.instance.instance_id) == []
        assert await instances.dead(other.store, but=other.instance.instance_id) == []
        assert (await send(one, now())).sent == 10
        assert not theirs.messages
        assert len(mine.messages) == 10


async def test_a_number_is_never_given_twice_so_that_no_living_process_looks_dead(site: Site) -> None:
    site.write()
    async with AsyncExitStack() as stack:
        ((watcher, _),) = await contexts(stack, site, 1)

        async def come_and_go() -> int:
            lock = await instances.register(watcher.store, instances.DAEMON, now())
            assert await lock.is_held()
            assert await instances.living_daemon(watcher.store) is not None
            await instances.leave(watcher.store, lock)
            return lock.instance_id

        numbers = [number for _ in range(4) for number in await asyncio.gather(*(come_and_go() for _ in range(5)))]
    assert len(set(numbers)) == len(numbers)


async def test_readers_who_leave_while_two_daemons_send_get_at_most_what_is_on_the_wire(mailing: Site) -> None:
    async with SmtpServer(script=always("CONTENT", Slow(1.5))) as server, AsyncExitStack() as stack:
        mailing.smtp_port, mailing.connections = server.port, 3
        mailing.write()
        settings = load_settings(mailing.config, {})
        one, other = [await stack.enter_async_context(open_context(settings)) for _ in range(2)]
        sending = asyncio.gather(send(one, now(), limit=30), send(other, now()))
        await server.wait_until(lambda: sum(line == "DATA" for _, line in server.commands) == 6)
        async with one.store.write() as tx:
            async for page in subscribers.pages(tx):
                for person in page:
                    await enrolment.leave(tx, one.address_key, person, one.newsletter.id or 0, now())
        before = len(server.messages)
        server.script = None
        await sending
        async with one.store.read() as tx:
            counts = await outbox.counts(tx)
    assert len(server.messages) <= before + 2 * mailing.connections
    assert counts["sent"] == len(server.messages)
    assert counts["suppressed"] == 60 - len(server.messages)
