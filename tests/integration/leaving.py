"""A newsletter with two readers and its pages, for tests of how people leave, choose and look after their data."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

from builders import atom, settings, subscriber, topic, world
from web_app import Client, Got, serving

from dispatcher import clock
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import Action, leaving, preferring
from dispatcher.store import subscribers, topics
from dispatcher.store.engine import many
from dispatcher.tokens import Purpose

ANN, BEN = "ann@reader.example", "ben@reader.example"
URL = "https://letters.example"
HTML = {"Accept": "text/html"}
TOPICS = (
    topic("all", "*", name="Everything"),
    topic("badgers", "badger", name="Badgers"),
    topic("hidden", "*", public=False),
)


def when_due(now: datetime | None = None) -> datetime:
    """When the next digests are due, whatever the hour is now."""
    now = now or clock.now()
    at = now.replace(hour=7, minute=31, second=0, microsecond=0)
    return at if at > now else at + timedelta(days=1)


@dataclass
class Room:
    """A context, a browser in front of its pages, and what left for the readers."""

    ctx: Context
    client: Client
    transport: MemoryTransport
    now: datetime

    async def reader(self, email: str = ANN) -> Subscriber:
        """A reader as they are stored now."""
        async with self.ctx.store.read() as tx:
            found = await subscribers.by_email(tx, email)
        assert found is not None, email
        return found

    async def follows(self, email: str = ANN, *, status: str = "active") -> dict[str, str]:
        """Topic → cadence of what a reader follows."""
        return {name: s.cadence for name, s in (await self.subscriptions(email)).items() if s.status == status}

    async def subscriptions(self, email: str = ANN) -> dict[str, Subscription]:
        """What a reader follows or followed, by slug, or by query for their own."""
        reader = await self.reader(email)
        async with self.ctx.store.read() as tx:
            mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, [])
            known = await topics.by_ids(tx, [s.topic_id for s in mine])
        named = {s.topic_id: known[s.topic_id] for s in mine}
        return {(t.query_text if t.owner_id else t.slug): s for s in mine for t in [named[s.topic_id]]}

    async def endpoint(self, email: str = ANN) -> int:
        """The id of the endpoint that reaches a reader."""
        reader = await self.reader(email)
        async with self.ctx.store.read() as tx:
            return (await subscribers.endpoints(tx, [reader.id or 0]))[reader.id or 0][0].id or 0

    def path(self, action: Action) -> str:
        """The path of a link."""
        token = self.ctx.keyring.sign(action.purpose, *action.claims, expires_at=action.expires_at)
        return f"/{action.purpose}/{token}"

    async def leave_path(self, email: str = ANN) -> str:
        """The unsubscribe link of a reader's mails."""
        return self.path(leaving((await self.reader(email)).id or 0, self.ctx.newsletter.id or 0))

    async def preferences_path(self, email: str = ANN) -> str:
        """The preferences link of a reader's mails."""
        return self.path(preferring((await self.reader(email)).id or 0, await self.endpoint(email)))

    async def account_path(self, email: str = ANN) -> str:
        """A fresh link to a reader's data."""
        claims = ((await self.reader(email)).id or 0, await self.endpoint(email))
        return self.path(Action(Purpose.VERIFY, claims, clock.now() + timedelta(hours=1)))

    async def rows(self, noun: type[Any]) -> list[Any]:
        """A whole table."""
        async with self.ctx.store.read() as tx:
            return await many(tx, noun)


@asynccontextmanager
async def open_room(folder: Path, database_url: str, now: datetime, **sections: Any) -> AsyncIterator[Room]:
    """Ann and Ben, who both follow everything and badgers, seen from the present."""
    feed = atom(folder / "feed.xml", ("one", "Badger seen in market square", now - timedelta(hours=1)))
    sources = [{"name": "Gazette", "url": feed.as_uri()}, {"name": 'Daily "Express"', "url": feed.as_uri() + "x"}]
    people = [
        subscriber(
            ANN, "all", {"topic": "badgers", "cadence": "weekly on fri at 09:00"}, name="Ann", timezone="Europe/London"
        ),
        subscriber(BEN, "all", "badgers", name="Ben"),
    ]
    chosen = {"web": {"url": URL}, "sources": sources, "topics": TOPICS, "subscribers": people} | sections
    transport = MemoryTransport()
    async with world(settings(folder, database_url, **chosen), now, transport=transport) as ctx, serving(ctx) as client:
        yield Room(ctx, client, transport, now)


def links_in(page: Got) -> list[str]:
    """Where the links of a page lead."""
    return [unescape(url) for url in re.findall(r'(?:href|action)="([^"]*)"', page.text)]
