"""A paper with an archive: public topics, private ones, and readers; its pages behind a real server."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from builders import atom, settings, subscriber, topic, world
from web_app import Client, serving

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.pipeline.archive import archive
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send

URL = "https://letters.example/mail"
TOPICS = (
    topic("wind", "windmill", name="Wind", description="Mills, old & new"),
    topic("sea", "harbour", name="Sea"),
    topic("secret", "windmill", name="Staff only", public=False),
)


@dataclass
class House:
    """The paper, its feed on disk, and a client of its pages."""

    ctx: Context
    client: Client
    folder: Path

    async def publish(self, now: datetime, *titles: str) -> None:
        """Put stories into the feed, and read them."""
        stories = [(f"{now:%d%H%M}-{place}", title, now) for place, title in enumerate(titles)]
        atom(self.folder / "feed.xml", *stories)
        await ingest(self.ctx, now, everything=True)

    async def send(self, now: datetime) -> list[email.message.EmailMessage]:
        """Plan and send what is due; returns what was sent now."""
        transport = self.ctx.transport
        assert isinstance(transport, MemoryTransport)
        before = len(transport.messages)
        await plan(self.ctx, now)
        await send(self.ctx, now)
        return [email.message_from_bytes(m.data, policy=email.policy.default) for m in transport.messages[before:]]  # type: ignore[misc]

    async def bring_out(self, now: datetime) -> int:
        """Issues for the slot that has come; returns how many."""
        return (await archive(self.ctx, now)).issues


@asynccontextmanager
async def open_house(folder: Path, database_url: str, now: datetime, **sections: Any) -> AsyncIterator[House]:
    """A paper whose archive is public, unless `sections` say otherwise."""
    feed = atom(folder / "feed.xml", ("0", "An old windmill", now - timedelta(days=60)))
    chosen = settings(
        folder,
        database_url,
        **{
            "site": {"name": "The Gazette", "url": "https://gazette.example"},
            "web": {"url": URL},
            "archive": {"public": True},
            "sources": [{"name": "Gazette", "url": feed.as_uri()}],
            "topics": TOPICS,
            "subscribers": [subscriber("ann@x.example", "wind", "secret", name="Ann Archer")],
        }
        | sections,
    )
    async with world(chosen, now, transport=MemoryTransport()) as ctx, serving(ctx) as client:
        await ingest(ctx, now, everything=True)
        yield House(ctx, client, folder)


def sqlite(folder: Path) -> str:
    """A database for what does not depend on which one it is."""
    return f"sqlite:///{folder}/subscribers.db"


def html_of(message: email.message.EmailMessage) -> str:
    """The HTML of a mail."""
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def view_path(message: email.message.EmailMessage) -> str:
    """Where a mail can be seen as a page."""
    found = re.search(rf"{URL}(/d/[A-Za-z0-9_-]+)", html_of(message))
    assert found, "no link to its page"
    return found[1]
