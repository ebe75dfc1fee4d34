"""One digest for a few readers, planned for half past seven; tests send it as often and as late as they like."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builders import atom, settings, subscriber, topic, world
from smtp_server import SmtpServer

from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.model.outbound import Delivery
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.store.engine import many

SLOT = datetime(2026, 3, 2, 7, 31, tzinfo=UTC)
READERS = ("ann", "ben", "cleo", "dan", "eve", "fay")


def after(**duration: float) -> datetime:
    """So long after the digest was planned."""
    return SLOT + timedelta(**duration)


def address(name: str) -> str:
    """A reader's address."""
    return f"{name}@reader.example"


@dataclass
class Mailing:
    """A newsletter on disk with one story; `sections` are settings, `topics` what each reader follows."""

    folder: Path
    database_url: str
    readers: tuple[str, ...] = READERS
    sections: dict[str, Any] = field(default_factory=dict)
    topics: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The first story, published the evening before."""
        self.stories = [("one", "Badger seen in market square", SLOT - timedelta(hours=9))]

    @asynccontextmanager
    async def open(self, transport: Any, now: datetime = SLOT) -> AsyncIterator[Context]:
        """A process on this newsletter. What is due by now is in the outbox, and not yet sent."""
        feed = atom(self.folder / "feed.xml", *self.stories)
        offered = [topic("all", "*"), topic("badgers", "badger"), topic("squares", "square")]
        readers = [subscriber(address(name), self.topics.get(name, "all"), name=name.title()) for name in self.readers]
        chosen = settings(
            self.folder, self.database_url, sources=[{"name": "Gazette", "url": feed.as_uri()}], topics=offered,
            subscribers=readers, **self.sections,
        )  # fmt: skip
        first = not (self.folder / "opened").exists()
        (self.folder / "opened").touch()
        async with world(chosen, now - timedelta(minutes=30) if first else now, transport=transport) as ctx:
            await ingest(ctx, now - timedelta(minutes=30) if first else now, everything=True)
            await plan(ctx, now)
            yield ctx


def relay(server: SmtpServer, *, connections: int = 2) -> SmtpTransport:
    """The transport to a test's server."""
    return SmtpTransport(Relay(server.host, server.port, helo="client.test", timeout=5, max_connections=connections))


async def rows(ctx: Context) -> dict[str, Delivery]:
    """The newest delivery of each reader."""
    async with ctx.store.read() as tx:
        return {found.recipient.partition("@")[0]: found for found in await many(tx, Delivery)}


async def standing(ctx: Context) -> dict[str, int]:
    """How many deliveries stand in each status that any stands in."""
    async with ctx.store.read() as tx:
        return dict(Counter(found.status.value for found in await many(tx, Delivery)))


@asynccontextmanager
async def locked(database: Path) -> AsyncIterator[None]:
    """Another process writes to a SQLite file, and takes its time."""
    done, begun = threading.Event(), threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(database, timeout=30, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
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
