"""A newsletter on disk, its readers in bulk, and real `dispatcher` processes working on it, to be killed at will."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from builders import atom

from dispatcher import clock
from dispatcher.model.audience import Endpoint, Schedule, Subscriber, Subscription
from dispatcher.model.values import Origin
from dispatcher.pipeline.context import Context, load_settings, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.schedule import cadence as cadences
from dispatcher.store import outbox, topics
from dispatcher.store.engine import add_new, table
from dispatcher.store.keys import address_hash

NEWS = "Badgers dig up the bowling green"


@dataclass
class Site:
    """A folder with a configuration. `extra` is TOML that goes below the rest. `end` kills what still runs."""

    folder: Path
    database_url: str
    smtp_port: int = 25
    connections: int = 8
    extra: str = ""
    running: list[Process] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "config" / "dispatcher.toml"

    def write(self) -> None:
        """Write the configuration."""
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f"""
[site]
name = "The Gazette"
[database]
url = "{self.database_url}"
[mail]
from = "The Gazette <news@gazette.example>"
[[smtp]]
host = "127.0.0.1"
port = {self.smtp_port}
security = "none"
max_connections = {self.connections}
timeout = "5s"
[log]
format = "json"
[[sources]]
name = "Desk"
url = "{(self.folder / "feed.xml").as_uri()}"
poll_every = "1h"
[[topics]]
slug = "all"
query = "*"
{self.extra}
""",
            encoding="utf-8",
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Context]:
        """The newsletter seen from this process, its configuration written and declared."""
        self.write()
        async with open_context(load_settings(self.config, {})) as ctx:
            await declare(ctx, clock.now())
            yield ctx

    def start(self, *arguments: str) -> Process:
        """Start a command, by default the daemon, with the configuration that was written last."""
        process = Process(self.config, *(arguments or ("run",)), log=self.folder / f"log-{len(self.running)}")
        self.running.append(process)
        return process

    def end(self) -> None:
        """Kill what a test left running."""
        for process in self.running:
            process.kill()


def a_site(tmp_path: Path, furnished_url: str) -> Iterator[Site]:
    """A newsletter on a database of each engine. For tests to make a fixture of."""
    made = Site(tmp_path, furnished_url)
    yield made
    made.end()


class Process:
    """One `dispatcher` command in a process of its own; what it says on standard error goes to a file."""

    def __init__(self, config: Path, *arguments: str, log: Path) -> None:
        self.log = log
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
        with log.open("wb") as sink:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "dispatcher", "--config", str(config), *arguments],
                env=environment, stdout=sink, stderr=sink, cwd=config.parent.parent,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._popen.pid

    def kill(self) -> None:
        """Kill -9: no warning, no last words."""
        self._popen.kill()
        self._popen.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    async def ended(self, within: float = 40) -> int:
        """The exit code, once there is one."""
        return await asyncio.to_thread(self._popen.wait, within)

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def said(self) -> list[dict[str, Any]]:
        """The events it has logged."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def words(self) -> str:
        """Everything it has printed."""
        return self.log.read_text("utf-8", "replace")

    async def says(self, event: str, within: float = 30) -> dict[str, Any]:
        """Wait for an event in its log."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [said for said in self.said() if event in said["event"]]
            return bool(found)

        await until(look, within, self)
        return found[-1]


async def until(is_true: Callable[[], bool], within: float, by: Process | None = None) -> float:
    """Wait for something that other threads, or this process, bring about; returns how long it took."""
    started = time.monotonic()
    while not is_true():
        told = f":\n{by.words()}" if by else ""
        assert time.monotonic() - started < within, f"not within {within} s{told}"
        assert by is None or by.is_running() or is_true(), f"the process has ended{told}"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def address(number: int) -> str:
    """The address of one of the crowd."""
    return f"reader{number}@crowd.example"


async def publish(ctx: Context, *titles: str) -> None:
    """Stories in the site's feed, an hour old, and read from there."""
    entries = [(f"story{n}", title, now() - timedelta(hours=1)) for n, title in enumerate(titles)]
    atom(ctx.settings.base / "feed.xml", *entries)
    assert (await ingest(ctx, now(), everything=True)).new == len(titles)


async def crowd(ctx: Context, count: int) -> None:
    """Readers of everything, in bulk, whose digest fell due two minutes ago."""
    parsed = cadences.parse(f"daily at {now() - timedelta(minutes=2):%H:%M}")
    ago = now() - timedelta(days=3)
    people = [
        Subscriber(email=address(n), name=f"Reader {n}", cadence=str(parsed), origin=Origin.CLI, created_at=ago)
        for n in range(count)
    ]
    async with ctx.store.write() as tx:
        topic = (await topics.every(tx))[0]
        await add_new(tx, Subscriber, [person.model_dump(exclude={"id"}) for person in people])
        rows = await tx.execute(sa.select(table(Subscriber).c.id, table(Subscriber).c.email))
        ids = {email: number for number, email in rows if email.endswith("@crowd.example")}
        endpoints = [
            Endpoint(subscriber_id=i, address=e, address_hash=address_hash(ctx.address_key, e), created_at=ago)
            for e, i in ids.items()
        ]
        follows = [
            Subscription(subscriber_id=i, topic_id=topic.id, cadence=str(parsed), origin=Origin.CLI, created_at=ago)
            for i in ids.values()
        ]
        due = [
            Schedule(
                subscriber_id=i, newsletter_id=ctx.newsletter.id, cadence=str(parsed), label=parsed.label,
                timezone="UTC", next_due_at=now(),
            )
            for i in ids.values()
        ]  # fmt: skip
        for noun, made in ((Endpoint, endpoints), (Subscription, follows), (Schedule, due)):
            await add_new(tx, noun, [row.model_dump(exclude={"id"}) for row in made])


async def statuses(site: Site) -> dict[str, int]:
    """How many deliveries stand in each status that any stands in."""
    async with site.open() as ctx, ctx.store.read() as tx:
        return {status: count for status, count in (await outbox.counts(tx)).items() if count}


async def planned(site: Site, readers: int) -> None:
    """One digest for so many readers in the outbox, by us or by a daemon that is at it already; nothing sent by us."""
    async with site.open() as ctx:
        await publish(ctx, NEWS)
        before = sum((await statuses(site)).values())
        await crowd(ctx, readers)
        await plan(ctx, now())
        assert sum((await statuses(site)).values()) == before + readers


def now() -> datetime:
    """The present: daemons live in it."""
    return clock.now()
