"""Several processes that send: they share the work, are replaced when they die, and never stay behind."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from conftest import LONG
from crews import alive, kill, workers_of
from processes import Process, Site, a_site, address, now, planned, statuses, until
from wire_sink import WireSink

from dispatcher.delivery.manners import SEATS, Way
from dispatcher.model.outbound import Delivery
from dispatcher.model.runtime import Instance
from dispatcher.store import instances
from dispatcher.store.engine import many, table

DELIVERY, INSTANCE = table(Delivery), table(Instance)
HEAVY = {"numpy", "aiohttp", "feedparser", "starlette", "apscheduler", "alembic", "typer", "watchfiles", "psycopg"}

site = pytest.fixture(a_site, name="site")
one_engine = pytest.mark.parametrize("furnished_url", ["sqlite", "postgresql"] if LONG else ["sqlite"], indirect=True)


async def crew_of(daemon: Process, count: int) -> list[int]:
    """The daemon's workers, once there are so many."""
    await until(lambda: len(workers_of(daemon.pid)) == count, 30, daemon)
    return workers_of(daemon.pid)


async def stop(daemon: Process) -> None:
    """End a daemon politely; nobody may be left."""
    workers = workers_of(daemon.pid)
    daemon.signal(signal.SIGTERM)
    assert await daemon.ended() == 0, daemon.words()
    assert not any(map(alive, workers))


async def test_two_workers_share_a_mailing_send_it_once_and_leave_nothing_behind(site: Site) -> None:
    readers = 1200
    with WireSink(delay=0.01) as sink:
        site.smtp_port = sink.port
        await planned(site, readers)
        daemon = site.start("run", "--workers", "2")
        await until(lambda: len(sink.taken) >= readers, 60, daemon)
        await asyncio.sleep(1.2)  # anything that should not come would come now
        async with site.open() as ctx:
            living = await instances.living(ctx.store, role="worker")
        assert len(living) == 2
        await stop(daemon)
        assert len(sink.taken) == readers
        assert sink.recipients == {address(n) for n in range(readers)}
        assert sink.most_at_once <= site.connections
    said = {line["instance_id"]: line for line in daemon.said() if line["event"] == "sent"}
    assert len(said) == 2, "each worker sends, and says who it is"
    assert await statuses(site) == {"sent": readers}
    async with site.open() as ctx, ctx.store.read() as tx:
        assert [found.id for found in await many(tx, Instance)] == [ctx.instance.instance_id]
    assert len(list(site.folder.glob("*-lock-*"))) == 0


async def test_send_with_workers_empties_the_outbox_and_adds_up_what_each_did(site: Site) -> None:
    with WireSink() as sink:
        site.smtp_port = sink.port
        await planned(site, 500)
        sending = site.start("send", "--workers", "2", "--json")
        assert await sending.ended() == 0, sending.words()
        assert len(sink.taken) == len(sink.recipients) == 500
    report = sending.words()
    assert json.loads(report[report.index("{\n") :])["sent"] == 500
    assert await statuses(site) == {"sent": 500}


@one_engine
async def test_send_with_workers_says_so_when_one_gives_up(site: Site) -> None:
    site.write()
    wrong = site.config.read_text().replace("[site]", "[site]\nnme = 3")
    sending = site.start("send", "--workers", "1")
    await sending.says("a worker has started")
    site.config.write_text(wrong)
    assert await sending.ended() == 1
    assert "not every worker could go on to the end" in sending.words()


@one_engine
async def test_two_daemons_with_two_workers_each_send_everything_once(site: Site) -> None:
    readers = 1000
    with WireSink(delay=0.02) as sink:
        site.smtp_port = sink.port
        await planned(site, readers)
        daemons = [site.start("run", "--workers", "2") for _ in range(2)]
        await until(lambda: len(sink.taken) >= readers, 60, daemons[0])
        await asyncio.sleep(1.2)  # anything that should not come would come now
        for daemon in daemons:
            await stop(daemon)
        assert len(sink.taken) == len(sink.recipients) == readers
    assert await statuses(site) == {"sent": readers}


@one_engine
async def test_a_worker_that_dies_is_replaced_at_once_and_its_claims_come_back(site: Site) -> None:
    with WireSink(delay=0.5) as sink:
        site.smtp_port, site.connections = sink.port, 4
        await planned(site, 100)
        daemon = site.start("run", "--workers", "2")
        workers = await crew_of(daemon, 2)
        await until(lambda: len(sink.taken) >= 4, 30, daemon)
        for worker in workers:
            kill(worker)
        sink.delay = 0.0
        said = await daemon.says("another takes its place")
        assert said["how"] == "killed by signal 9 (Killed)"
        await until(lambda: len(sink.recipients) == 100, 15, daemon)
        assert set(await crew_of(daemon, 2)).isdisjoint(workers)
        await stop(daemon)
    assert await statuses(site) == {"sent": 100}


@one_engine
async def test_workers_whose_daemon_is_killed_finish_what_is_in_flight_and_end(site: Site) -> None:
    with WireSink(delay=0.3) as sink:
        site.smtp_port, site.connections = sink.port, 4
        await planned(site, 200)
        daemon = site.start("run", "--workers", "2")
        workers = await crew_of(daemon, 2)
        await until(lambda: len(sink.taken) >= 8, 30, daemon)
        daemon.kill()
        await until(lambda: not any(map(alive, workers)), 30)
        came = len(sink.taken)
        assert len(sink.recipients) == came < 200
        assert all(talk.said_quit for talk in sink.conversations)
    assert await statuses(site) == {"queued": 200 - came, "sent": came}


@one_engine
async def test_sighup_reaches_the_workers_and_a_worker_told_to_go_is_replaced(site: Site) -> None:
    with WireSink() as one, WireSink() as other:
        site.smtp_port = one.port
        site.write()
        daemon = site.start("run", "--workers", "1")
        (worker,) = await crew_of(daemon, 1)
        await daemon.says("running")
        site.smtp_port = other.port
        site.write()
        daemon.signal(signal.SIGHUP)
        await daemon.says("configuration read again")
        await planned(site, 30)
        await until(lambda: len(other.taken) == 30, 30, daemon)
        assert not one.taken
        kill(worker, signal.SIGTERM)
        await until(lambda: workers_of(daemon.pid) not in ([], [worker]), 30, daemon)
        await stop(daemon)


@one_engine
async def test_a_crew_that_dies_at_once_again_and_again_is_given_more_and_more_time(site: Site) -> None:
    site.write()
    daemon = site.start("run", "--workers", "1")
    pauses: list[float] = []
    while len(pauses) < 4:
        (worker,) = await crew_of(daemon, 1)
        kill(worker)
        await until(lambda: worker not in workers_of(daemon.pid), 10, daemon)  # noqa: B023 - it is awaited here
        pauses = [line["in_seconds"] for line in daemon.said() if "another takes its place" in line["event"]]
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] > 1
    await stop(daemon)


async def stand_still(site: Site, pid: int) -> None:
    """Stop a worker between two of its transactions: a lock that it held would stop everybody.

    Unless the rounds are long, its lease ends now, rather than when half a minute has passed.
    """
    whose = sa.select(INSTANCE.c.id).where(INSTANCE.c.pid == pid).scalar_subquery()
    mine = (DELIVERY.c.claimed_by == whose) & (DELIVERY.c.status == "sending")
    until_then = DELIVERY.c.lease_until if LONG else now() - timedelta(minutes=1)
    async with site.open() as ctx:
        while True:
            kill(pid, signal.SIGSTOP)
            try:
                async with asyncio.timeout(2), ctx.store.write() as tx:
                    await tx.execute(sa.update(DELIVERY).where(mine).values(lease_until=until_then))
                return
            except TimeoutError:
                kill(pid, signal.SIGCONT)
                await asyncio.sleep(0.1)


async def test_a_worker_that_stood_still_beyond_its_lease_repeats_only_what_was_on_its_wire(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    readers = 600
    with WireSink(delay=0.05, chunking=False) as sink:
        site.smtp_port, site.connections = sink.port, 8
        await planned(site, readers)
        daemon = site.start("run", "--workers", "2")
        stopped, _ = await crew_of(daemon, 2)
        await until(lambda: sum(len(talk.begun) > 3 for talk in sink.conversations) == 8, 30, daemon)
        await stand_still(site, stopped)
        await until(lambda: len(sink.recipients) == readers, 90, daemon)
        kill(stopped, signal.SIGCONT)
        await asyncio.sleep(3)  # anything that should not come would come now
        await stop(daemon)
        repeats = len(sink.taken) - readers
        with capsys.disabled():
            print(f"\na worker that stood still: {repeats} repeats of {readers}")
        assert repeats <= 4 * SEATS[Way.PIPELINED]  # its connections, and what each may carry
        assert all(len({copy.digest for copy in mine}) == 1 for mine in sink.copies().values())
    assert await statuses(site) == {"sent": readers}


def test_a_worker_imports_nothing_that_only_others_need() -> None:
    code = "import sys, dispatcher.workers.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(found.stdout.split())
