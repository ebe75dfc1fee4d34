"""A database that refuses in the midst of sending: workers pause, say so once, go on; nothing is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from conftest import LONG
from crews import workers_of
from processes import Process, Site, a_site, address, planned, statuses, until
from wire_sink import WireSink

from dispatcher.delivery.manners import SEATS, Way

site = pytest.fixture(a_site, name="site")
on_sqlite = pytest.mark.parametrize("furnished_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("furnished_url", ["postgresql"], indirect=True)

CONNECTIONS = 8
ON_THE_WIRE = CONNECTIONS * SEATS[Way.PIPELINED]
"""The most messages that have left, or may have, and whose outcome is not written yet."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; root may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system can only be made by root, and where mounting is allowed")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@asynccontextmanager
async def another_writer(database: Path) -> AsyncIterator[None]:
    """Another process writes to the database, and does not come to an end."""
    begun, done = threading.Event(), threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(database, timeout=30, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        begun.set()
        done.wait()
        connection.execute("ROLLBACK")
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        done.set()
        await asyncio.to_thread(thread.join)


async def begun(site: Site, sink: WireSink, readers: int) -> Process:
    """A daemon with two workers in the midst of a mailing."""
    site.smtp_port, site.connections = sink.port, CONNECTIONS
    await planned(site, readers)
    daemon = site.start("run", "--workers", "2")
    await until(lambda: len(workers_of(daemon.pid)) == 2 and len(sink.taken) > readers // 6, 60, daemon)
    return daemon


async def standstill(sink: WireSink, daemon: Process, within: float = 30) -> None:
    """Wait until nothing has come for two seconds."""
    seen = [-1] * 8

    def stands() -> bool:
        return all(count == seen[0] for count in seen)

    for _ in range(int(within / 0.25)):
        seen = [*seen[1:], len(sink.taken)]
        if stands():
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"sending does not pause:\n{daemon.words()}")


async def finished(sink: WireSink, daemon: Process, readers: int) -> int:
    """Wait until everybody has got theirs; returns how many came again, which must be the same message."""
    everybody = {address(n) for n in range(readers)}
    await until(lambda: sink.recipients == everybody, 120, daemon)
    await asyncio.sleep(1.5)  # anything that should not come would come now
    assert all(len({copy.digest for copy in mine}) == 1 for mine in sink.copies().values())
    return len(sink.taken) - readers


def told(daemon: Process, is_it: Callable[[str], bool]) -> Counter[int]:
    """How often each worker said something."""
    return Counter(line.get("instance_id", 0) for line in daemon.said() if is_it(line["event"]))


@on_sqlite
async def test_a_database_locked_by_another_process_pauses_every_worker_and_loses_nothing(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    readers, seconds = 2400, 25 if LONG else 3  # a lease is 30 seconds; to be refused takes 15
    with WireSink(delay=0.02, chunking=False) as sink:
        daemon = await begun(site, sink, readers)
        async with another_writer(site.folder / "subscribers.db"):
            await asyncio.sleep(0.5)
            before = len(sink.taken)
            await asyncio.sleep(seconds)
            assert len(sink.taken) - before <= ON_THE_WIRE
        repeats = await finished(sink, daemon, readers)
        said = told(daemon, lambda event: "pauses" in event)
        site.end()
    with capsys.disabled():
        print(f"\nlocked for {seconds} s: {repeats} repeats; pauses told: {sorted(said.values())}")
    assert repeats <= (ON_THE_WIRE if LONG else 0)
    assert max(said.values(), default=0) <= 2
    assert bool(said) == LONG
    assert await statuses(site) == {"sent": readers}


@on_sqlite
async def test_a_disk_that_fills_up_pauses_sending_says_so_and_loses_nothing(
    site: Site, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readers = 1500
    shutil.copy(site.folder / "subscribers.db", small_disk / "subscribers.db")
    site.database_url = f"sqlite:///{small_disk}/subscribers.db"
    with WireSink(delay=0.02, chunking=False) as sink:
        daemon = await begun(site, sink, readers)
        fill(small_disk / "ballast")
        await standstill(sink, daemon)
        assert len(sink.recipients) < readers
        await until(lambda: bool(told(daemon, lambda event: "pause" in event or "put off" in event)), 20, daemon)
        (small_disk / "ballast").unlink()
        repeats = await finished(sink, daemon, readers)
        said = Counter(line["event"] for line in daemon.said() if line.get("level") == "error")
        site.end()
    with capsys.disabled():
        print(f"\ndisk full: {repeats} repeats; told: {dict(said)}")
    assert repeats <= ON_THE_WIRE
    assert any("full" in str(line.get("reason")) for line in daemon.said())
    assert sum(said.values()) < 20, "it says so, and not all the time"
    assert await statuses(site) == {"sent": readers}


def fill(file: Path) -> None:
    """Write until there is no room for another octet."""
    with file.open("wb", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    os.write(ballast.fileno(), bytes(size))
            except OSError:
                continue


@on_postgresql
async def test_a_database_server_that_cuts_every_connection_again_and_again_costs_no_mail(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    readers, cuts = 2400, 5
    with WireSink(delay=0.02, chunking=False) as sink:
        daemon = await begun(site, sink, readers)
        for _ in range(cuts):
            await cut(site)
            await asyncio.sleep(0.7)
        repeats = await finished(sink, daemon, readers)
        assert daemon.is_running()
        site.end()
    with capsys.disabled():
        print(f"\n{cuts} times cut off from the database: {repeats} repeats")
    assert repeats <= cuts * ON_THE_WIRE
    assert await statuses(site) == {"sent": readers}


async def cut(site: Site) -> None:
    """End every connection to the database, as a restart does."""
    import psycopg

    async with await psycopg.AsyncConnection.connect(site.database_url, autocommit=True) as server:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        await server.execute(f"SELECT pg_terminate_backend(pid) {others}")
