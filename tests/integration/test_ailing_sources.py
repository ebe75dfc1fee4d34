"""A source that breaks is told to the owner once, and once when it recovers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from builders import atom, settings, subjects, texts

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.content import Source
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.send import send
from dispatcher.store import sources

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OWNER = "owner@lantern.example"


async def hear(ctx: Context, at: datetime) -> list[str]:
    """What the owner has been told of, after one more poll."""
    await ingest(ctx, at, everything=True)
    await send(ctx, at)
    assert isinstance(ctx.transport, MemoryTransport)
    return subjects(ctx.transport, OWNER)


async def row(ctx: Context) -> Source:
    async with ctx.store.read() as tx:
        (found,) = await sources.every(tx)
    return found


async def test_the_owner_hears_of_what_lasts_and_of_its_end_and_of_no_blip(tmp_path: Path, furnished_url: str) -> None:
    feed = {"name": "Harbour", "url": "./harbour.xml"}
    chosen = settings(tmp_path, furnished_url, sources=[feed], alerts={"to": OWNER})
    async with open_context(chosen, now=NOW, transport=MemoryTransport()) as ctx:
        await declare(ctx, NOW)
        for hours in range(3):
            assert await hear(ctx, NOW + hours * HOUR) == []
        atom(tmp_path / "harbour.xml", ("one", "A bridge opens", NOW))
        assert await hear(ctx, NOW + 3 * HOUR) == []
        assert ((await row(ctx)).broken_since, (await row(ctx)).polls) == (None, 1)

        (tmp_path / "harbour.xml").unlink()
        heard = [await hear(ctx, NOW + hours * HOUR) for hours in range(4, 10)]
        assert [len(told) for told in heard] == [0, 0, 0, 1, 1, 1]
        assert "A source cannot be read: Harbour" in heard[-1][0]
        (words,) = texts(ctx.transport, OWNER)
        assert "there is no file or folder" in words
        assert "dispatcher sources check ./harbour.xml" in words
        assert (await row(ctx)).broken_since == NOW + 4 * HOUR

        atom(tmp_path / "harbour.xml", ("one", "A bridge opens", NOW))
        for hours in (10, 11):
            told = await hear(ctx, NOW + hours * HOUR)
            assert len(told) == 2
        assert "A source can be read again: Harbour" in told[-1]
        assert (await row(ctx)).told_broken_at is None
