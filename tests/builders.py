"""Valid nouns and whole little worlds with one call."""

from __future__ import annotations

import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from dispatcher.config.settings import Settings, SourceEntry, SubscriberEntry, TopicEntry
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.digest import kept
from dispatcher.digest.fragments import content_of
from dispatcher.digest.wire import Draft, Wire
from dispatcher.model.content import Article, Source
from dispatcher.model.raw import RawArticle
from dispatcher.model.values import Origin
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.store import Store, schema


def source(now: datetime, **changes: Any) -> Source:
    """A source that is due now."""
    values = {"name": "Gazette", "url": "feed.xml", "origin": Origin.CLI, "next_poll_at": now, "created_at": now}
    return Source(**values | changes)


def raw(guid: str = "1", **changes: Any) -> RawArticle:
    """An item as a feed gives it."""
    return RawArticle(**{"guid": guid, "title": f"Story {guid}", "url": f"https://gazette.example/{guid}"} | changes)


def article(now: datetime, **changes: Any) -> Article:
    """A cleaned article that was seen now."""
    values = {
        "source_id": 1, "cluster_id": 0, "url": "https://gazette.example/1", "title": "The town buys a windmill",
        "summary": "It turns.", "body_text": "It turns, mostly.", "published_at": now, "seen_at": now,
        "content_hash": "1",
    }  # fmt: skip
    return Article(**values | changes)


def settings(base: Path, database_url: str = "sqlite:///subscribers.db", **sections: Any) -> Settings:
    """Settings built by hand, relative to a folder; a file is claimed, so that declaring may pause."""
    return Settings.model_validate(
        {
            "database": {"url": database_url},
            "mail": {"from": "The Gazette <news@gazette.example>"},
            "file": base / "config" / "dispatcher.toml",
            "base": base,
            **sections,
        }
    )


def topic(slug: str, query: str, **changes: Any) -> TopicEntry:
    """A topic as config names it."""
    return TopicEntry(slug=slug, query=query, **changes)


def subscriber(email: str, *topics: Any, **changes: Any) -> SubscriberEntry:
    """A reader as config names them."""
    return SubscriberEntry.model_validate({"email": email, "topics": list(topics), **changes})


def folder_source(name: str, path: Path, **changes: Any) -> SourceEntry:
    """A source as config names it."""
    return SourceEntry(name=name, url=str(path), **changes)


@asynccontextmanager
async def world(
    chosen: Settings, now: datetime, *, transport: MemoryTransport | None = None, role: str = "command",
) -> AsyncIterator[Context]:  # fmt: skip
    """A context on a prepared database in which config has been declared, sending into memory."""
    store = Store(chosen.database_url)
    if await schema.current(store) != schema.HEAD:
        await schema.upgrade(store, now)
    await store.close()
    async with open_context(chosen, now=now, transport=transport or MemoryTransport(), role=role) as ctx:
        await declare(ctx, now, pause_missing=True)
        yield ctx


def atom(path: Path, *entries: tuple[str, str, datetime]) -> Path:
    """An Atom feed in a file; entries are (id, title, published), the newest first as feeds have it."""
    items = "".join(
        f"<entry><id>urn:{guid}</id><title>{escape(title)}</title><updated>{at.isoformat()}</updated>"
        f"<published>{at.isoformat()}</published><link href='https://gazette.example/{guid}'/>"
        f"<summary>{escape(title)} in a sentence or two.</summary></entry>"
        for guid, title, at in entries
    )
    text = "<title>Gazette</title><id>urn:gazette</id><updated>2026-01-01T00:00:00Z</updated>"
    path.write_text(f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">{text}{items}</feed>', encoding="utf-8")
    return path


def rekept(draft: Draft) -> Wire:
    """A draft's wire as another process finds it in the database."""
    numbers = {stretch: number for number, stretch in enumerate(draft.stretches, 1)}
    found = kept.loads(kept.dumps(draft, numbers))
    assert isinstance(found, kept.Kept)
    return found.wire({number: content_of(stretch.body) for stretch, number in numbers.items()})


def subjects(transport: MemoryTransport, recipient: str | None = None) -> list[str]:
    """The subjects of what was sent, in order, perhaps to one reader only."""
    return [
        str(email.message_from_bytes(one.data, policy=email.policy.default)["Subject"])
        for one in transport.messages
        if recipient in (None, one.recipient)
    ]


def texts(transport: MemoryTransport, recipient: str | None = None) -> list[str]:
    """The text parts of what was sent, in order, perhaps to one reader only."""
    found = []
    for one in transport.messages:
        if recipient in (None, one.recipient):
            body = email.message_from_bytes(one.data, policy=email.policy.default).get_body(("plain",))
            assert body is not None
            found.append(str(body.get_content()))
    return found
