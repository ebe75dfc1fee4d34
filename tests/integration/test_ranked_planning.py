"""Ranked digests from feeds to mail on both engines: priorities, several sources, caps, layouts of topics, and why."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import atom, settings, subscriber, texts, topic

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Digest
from dispatcher.pipeline.batch import load
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.once import once
from dispatcher.pipeline.plan import decided, digest_row
from dispatcher.pipeline.reasons import Account, account
from dispatcher.schedule.reasons import Fate
from dispatcher.store import subscribers
from dispatcher.store.engine import many, table

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SLOT = MONDAY + timedelta(hours=7, minutes=30)
ANN = "ann@reader.example"
TOPICS = [topic("wind", "wind", name="Wind"), topic("sea", "sea", name="Sea")]


@dataclass
class Desk:
    """Two feeds, of which the second is thought twice as much of, and a reader of two topics."""

    folder: Path
    url: str

    def write(self, name: str, *entries: tuple[str, str, datetime]) -> None:
        atom(self.folder / f"{name}.xml", *entries)

    @asynccontextmanager
    async def open(
        self, now: datetime, topics: Sequence[Any] = TOPICS, newsletters: Sequence[Any] = (), **digest: Any
    ) -> AsyncIterator[Context]:
        sources = [
            {"name": name, "url": (self.folder / f"{name}.xml").as_uri(), "priority": priority}
            for name, priority in (("Herald", 5), ("Record", 10))
        ]
        chosen = settings(
            self.folder, self.url, topics=topics, sources=sources, subscribers=[subscriber(ANN, "wind", "sea")],
            digest=digest, newsletters=newsletters,
        )  # fmt: skip
        async with open_context(chosen, now=now, transport=MemoryTransport()) as ctx:
            await declare(ctx, now)
            yield ctx


@pytest.fixture
async def desk(tmp_path: Path, furnished_url: str) -> Desk:
    """Feeds that have been read once, so that what follows is no backlog, and then brought four stories."""
    made = Desk(tmp_path, furnished_url)
    made.write("Herald")
    made.write("Record")
    async with made.open(MONDAY - timedelta(hours=1)) as ctx:
        await ingest(ctx, MONDAY - timedelta(hours=1), everything=True)
    at = MONDAY + timedelta(hours=6)
    made.write("Herald", ("h1", "Wind from the north", at - timedelta(minutes=9)), ("h2", "Sea wall holds", at))
    made.write("Record", ("r1", "Wind from the south", at - timedelta(hours=1)), ("r2", "Wind dies down", at))
    async with made.open(at) as ctx:
        await ingest(ctx, at, everything=True)
    return made


async def sent(desk: Desk, **digest: Any) -> list[str]:
    """The titles of the morning's digest, as they stand in its text."""
    async with desk.open(SLOT, **digest) as ctx:
        await once(ctx, SLOT)
        assert isinstance(ctx.transport, MemoryTransport)
        (text,) = texts(ctx.transport, ANN)
    return re.findall("^(Wind (?:from|dies)[a-z ]*|Sea wall[a-z ]*)\r?$", text, re.MULTILINE)


async def test_ranked_the_source_that_counts_more_comes_first(desk: Desk) -> None:
    ranked = await sent(desk, order="ranked")
    assert ranked == ["Wind dies down", "Wind from the south", "Wind from the north", "Sea wall holds"]


async def test_a_cap_leaves_no_topic_without(desk: Desk) -> None:
    assert await sent(desk, max_articles=2) == ["Wind dies down", "Sea wall holds"]


async def test_a_topic_is_laid_out_ordered_and_capped_by_itself(desk: Desk) -> None:
    wind = topic("wind", "wind", name="Wind", digest={"order": "ranked", "max_articles": 2, "layout": "headlines"})
    async with desk.open(SLOT, topics=[wind, TOPICS[1]]) as ctx:
        await once(ctx, SLOT)
        async with ctx.store.read() as tx:
            (digest,) = await many(tx, Digest)
        assert (digest.more, digest.styles) == (1, {"Wind": {"layout": "headlines"}})
        assert isinstance(ctx.transport, MemoryTransport)
        (text,) = texts(ctx.transport, ANN)
    assert "1 more story" in text
    assert "Wind from the north" not in text


async def test_a_newsletters_own_style_and_a_layout_that_the_reader_chose(desk: Desk) -> None:
    wind = topic("wind", "wind", name="Wind", digest={"layout": "headlines", "summary_length": 50})
    letter = {"slug": "weather", "topics": ["wind", "sea"], "digest": {"layout": "list", "max_articles": 2}}
    for chosen, styles in (("", {"Wind": {"layout": "headlines", "summary_length": 50}}),
                           ("cards", {"Wind": {"summary_length": 50}})):  # fmt: skip
        async with desk.open(SLOT, topics=[wind, TOPICS[1]], newsletters=[letter]) as ctx:
            async with ctx.store.write() as tx:
                await tx.execute(sa.update(table(Subscriber)).values(layout=chosen))
            async with ctx.store.read() as tx:
                batch = await load(ctx, tx, list((await subscribers.by_ids(tx, [1])).values()), SLOT)
            (planned,) = decided(ctx, batch, 1, SLOT).planned
            row = digest_row(ctx, batch.subscribers[1], planned, SLOT)
        assert (row["layout"], row["styles"], row["more"]) == (chosen or "list", styles, 2)


async def why(desk: Desk, at: datetime, **digest: Any) -> Account:
    async with desk.open(at, **digest) as ctx:
        return await account(ctx, ANN, at)


async def test_why_tells_the_place_and_merits_of_each_story_and_what_kept_the_others_out(desk: Desk) -> None:
    found = await why(desk, SLOT, order="ranked", max_articles=3)
    (message,) = found.messages
    assert [(one.title, one.place) for one in message.stories] == [
        ("Wind dies down", 1), ("Wind from the south", 2), ("Sea wall holds", 3),
    ]  # fmt: skip
    assert message.stories[1].why == "2 of 2 in Wind, ranked"
    assert (message.stories[0].source, message.stories[0].priority, message.stories[0].told_by) == ("Record", 10, 1)
    assert message.stories[0].score > message.stories[1].score > message.left_out[0].score
    ((left_out),) = message.left_out
    assert (left_out.title, left_out.fate, left_out.why) == ("Wind from the north", Fate.OVER, "over the cap of 3")


async def test_why_knows_what_was_sent_what_was_left_out_then_and_what_is_not_due(desk: Desk) -> None:
    await sent(desk, max_articles=3)
    evening = SLOT + timedelta(hours=10)
    async with desk.open(evening) as ctx:
        before = await account(ctx, ANN, SLOT + timedelta(hours=1))
    assert before.at == SLOT + timedelta(days=1), "their next slot"
    assert before.messages == ()
    reasons = {one.title: one.why for one in before.left_out}
    assert re.fullmatch(r"already sent in digest \d+, 2026-03-02 07:30Z", reasons["Sea wall holds"])
    assert reasons["Wind from the south"] == "left out of an earlier digest"


async def test_a_story_that_several_sources_tell_goes_before_one_that_one_tells(desk: Desk) -> None:
    at = MONDAY + timedelta(hours=7)
    links = [("x1", "Wind turns", at), ("x2", "Wind rises", at)]
    desk.write("Herald", *links)
    async with desk.open(at) as ctx:
        await ingest(ctx, at, everything=True)
    desk.write("Record", ("x1", "Wind turns", at))
    async with desk.open(at) as ctx:
        await ingest(ctx, at, everything=True)
    (message,) = (await why(desk, SLOT, order="ranked")).messages
    told_by = {one.title: one.told_by for one in message.stories}
    assert told_by["Wind turns"] == 2
    assert told_by["Wind rises"] == 1
