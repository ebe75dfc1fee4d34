"""The daemon's loop in real time: whatever happens in one step, to one row or to the database, it lives on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import settings, subjects, subscriber, topic, world
from mailing import address, locked
from structlog.testing import capture_logs

from dispatcher import clock, daemon
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.audience import Subscription
from dispatcher.pipeline.context import Context
from dispatcher.store import connections, subscribers
from dispatcher.store.engine import table
from dispatcher.store.instances import DAEMON, living_daemon

READERS = ("ann", "ben", "cleo")


@asynccontextmanager
async def running(folder: Path, url: str, transport: MemoryTransport, **named: Any) -> AsyncIterator[Context]:
    """A daemon with a folder of articles and three readers who want everything at once."""
    (folder / "articles").mkdir()
    readers = [subscriber(address(name), "all", cadence="instant") for name in READERS]
    source = {"name": "Folder", "url": "./articles"}
    chosen = settings(folder, url, sources=[source], topics=[topic("all", "*")], subscribers=readers)
    async with world(chosen, clock.now(), transport=transport, role=DAEMON) as ctx:
        running = daemon.Daemon(ctx, **named)
        task = asyncio.create_task(running.run())
        await asyncio.sleep(1.5)  # the first look at the folder, which is a first poll
        try:
            yield ctx
        finally:
            running.stop()
            await asyncio.wait_for(task, 30)


def write(folder: Path, title: str) -> None:
    """Put an article into the folder."""
    (folder / "articles" / f"{title}.txt").write_text(f"{title}\nIn a sentence or two.\n", encoding="utf-8")


async def eventually(is_true: Callable[[], bool], within: float = 15) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(within):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_poisoned_row_is_named_and_set_aside_and_the_others_get_theirs(tmp_path: Path, furnished: Any) -> None:
    transport = MemoryTransport()
    async with running(tmp_path, furnished("sqlite", tmp_path), transport) as ctx:
        async with ctx.store.write() as tx:
            ben = await subscribers.by_email(tx, address("ben"))
            assert ben is not None
            mine = table(Subscription)
            poison = {"cadence": "every blue moon", "look_at": clock.now()}
            await tx.execute(sa.update(mine).where(mine.c.subscriber_id == ben.id).values(**poison))
        with capture_logs() as logs:
            write(tmp_path, "Badgers")
            await eventually(lambda: len(transport.messages) == 2)
            await asyncio.sleep(1.2)
        assert sorted(kept.recipient for kept in transport.messages) == [address("ann"), address("cleo")]
        told = [said for said in logs if said.get("subscriber_id") == ben.id]
        assert [said["log_level"] for said in told] == ["error"]  # once: then it is set aside


async def test_a_step_that_crashes_is_logged_and_tried_again(
    tmp_path: Path, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(ctx: Context, now: Any) -> Any:
        crashes.append(now)
        if len(crashes) < 3:
            raise ZeroDivisionError("a bug")
        return await plan(ctx, now)

    crashes: list[Any] = []
    plan, transport = daemon.plan, MemoryTransport()
    monkeypatch.setattr(daemon, "plan", crash)
    with capture_logs() as logs:
        async with running(tmp_path, furnished("sqlite", tmp_path), transport):
            write(tmp_path, "Badgers")
            await eventually(lambda: len(transport.messages) == 3)
    failed = [said for said in logs if said["event"] == "step failed"]
    assert [said["step"] for said in failed] == ["plan", "plan"]
    assert all(said["instance_id"] for said in failed)


async def test_a_daemon_outlives_a_database_that_refuses_and_still_watches_its_folders(
    tmp_path: Path, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.1)
    monkeypatch.setattr(daemon, "RELOOK", 0.3)
    transport = MemoryTransport()
    with capture_logs() as logs:
        async with running(tmp_path, furnished("sqlite", tmp_path), transport):
            async with locked(tmp_path / "subscribers.db"):
                write(tmp_path, "Badgers")
                await asyncio.sleep(2.5)
                assert transport.messages == []
            await eventually(lambda: len(transport.messages) == 3)
            write(tmp_path, "Bridges")
            await eventually(lambda: len(transport.messages) == 6)
    put_off = [said for said in logs if said["event"] == "step put off"]
    assert {said["reason"] for said in put_off} == {"the database refused: database is locked"}
    assert not [said for said in logs if said["event"] == "step failed"]
    assert sorted(subjects(transport)) == ["Badgers"] * 3 + ["Bridges"] * 3


async def test_a_signal_while_the_configuration_is_still_being_applied_is_heard(
    tmp_path: Path, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(ctx: Context, now: Any, **named: Any) -> Any:
        report = await declare(ctx, now, **named)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.3)
        return report

    declare, missed = daemon.declare, []
    monkeypatch.setattr(daemon, "declare", slowly)
    for number in (signal.SIGHUP, signal.SIGTERM):  # what nobody listened to would end the tests
        signal.signal(number, lambda number, frame: missed.append(number))
    with capture_logs() as logs:
        chosen = settings(tmp_path, furnished("sqlite", tmp_path))
        async with world(chosen, clock.now(), role=DAEMON) as ctx:
            await asyncio.wait_for(daemon.Daemon(ctx, reload=lambda: chosen).run(), 30)
            assert await living_daemon(ctx.store) is not None
    assert missed == []
    assert [said["event"] for said in logs if said.get("part") == "daemon"][-1] == "stopped"
