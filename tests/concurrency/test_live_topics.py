"""Topics that several processes change are live everywhere on the next article, at a cost that does not grow."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import builders
import pytest

from dispatcher import clock
from dispatcher.model.content import Topic
from dispatcher.model.values import Origin
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.declare import keep_query
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.matching import sync_index
from dispatcher.store import Transaction, topics

ADD = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import builders
from dispatcher import clock
from dispatcher.pipeline import catalogue
from dispatcher.pipeline.context import open_context

async def main():
    chosen = builders.settings(Path(sys.argv[2]), sys.argv[3])
    async with open_context(chosen) as ctx:
        for number in range(5):
            entry = builders.topic(f"{sys.argv[4]}-{number}", f"{sys.argv[4]} windmill")
            async with ctx.store.write() as tx:
                await catalogue.add_topic(ctx, tx, entry, clock.now())

asyncio.run(main())
"""


async def _refuse(tx: Transaction) -> dict[int, tuple[str, str]]:
    raise AssertionError("all queries were read, for a few that changed")


async def _synced(ctx: Context) -> dict[int, tuple[str, str]]:
    """What a process believes to be live, once it has looked; checked against all that the database has."""
    async with ctx.store.write() as tx:
        await sync_index(ctx, tx)
        return dict(ctx.queries)


async def test_topics_that_two_processes_add_at_once_match_the_next_article(
    furnished_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, now = tmp_path / "feed.xml", clock.now()
    followed, read = [builders.topic("all", "*")], [{"name": "Gazette", "url": feed.as_uri()}]
    chosen = builders.settings(tmp_path, furnished_url, topics=followed, sources=read)
    async with builders.world(chosen, now) as ctx:
        builders.atom(feed, ("0", "Nothing turns", now))
        await ingest(ctx, now, everything=True)
        monkeypatch.setattr(topics, "live_queries", _refuse)
        adding = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", ADD, str(Path(builders.__file__).parent), str(tmp_path), furnished_url, word
            )
            for word in ("grey", "white")
        ]
        assert await asyncio.gather(*(process.wait() for process in adding)) == [0, 0]
        builders.atom(feed, ("1", "The grey and white windmill", now), ("0", "Nothing turns", now))
        await ingest(ctx, now + timedelta(hours=1), everything=True)
        async with ctx.store.read() as tx:
            found = {query: text for query, (text, _) in (await topics.queries(tx, list(ctx.queries))).items()}
            figures = await topics.figures(tx)
            counted = {topic.slug: figures[topic.id or 0][0] for topic in await topics.every(tx)}
    assert set(found.values()) == {"*", "grey windmill", "white windmill"}
    assert {count for slug, count in counted.items() if slug != "all"} == {1}


async def test_every_change_of_a_topic_reaches_a_process_that_knew_it_otherwise(
    furnished_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    chosen = builders.settings(tmp_path, furnished_url, topics=[builders.topic("all", "*")])
    async with builders.world(chosen, now) as ctx:
        whole = topics.live_queries
        await _synced(ctx)
        monkeypatch.setattr(topics, "live_queries", _refuse)

        async def made(slug: str, query: str) -> int:
            async with ctx.store.write() as tx:
                query_id = await keep_query(ctx, tx, query, "en", now)
                return await topics.insert(
                    tx, Topic(slug=slug, name=slug, query_id=query_id, query_text=query, origin=Origin.CLI,
                              created_at=now)
                )  # fmt: skip

        async def agreed() -> set[str]:
            known = await _synced(ctx)
            async with ctx.store.read() as tx:
                assert known == await whole(tx)
            assert ctx.index.slots.keys() == known.keys()
            return {text for text, _ in known.values()}

        one, two = await made("one", "mill"), await made("two", "mill")
        assert await agreed() == {"*", "mill"}
        async with ctx.store.write() as tx:
            await topics.write(tx, one, query_id=await keep_query(ctx, tx, "barn", "en", now))
            await topics.write(tx, two, is_paused=True)
        assert await agreed() == {"*", "barn"}
        async with ctx.store.write() as tx:
            await topics.write(tx, two, is_paused=False)
            await topics.remove(tx, one)
        assert await agreed() == {"*", "mill"}


async def test_who_has_missed_what_is_no_longer_noted_reads_all_queries(
    furnished_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    chosen = builders.settings(tmp_path, furnished_url, topics=[builders.topic("all", "*")])
    monkeypatch.setattr(topics, "CHANGES_KEPT", 1)
    async with builders.world(chosen, now) as ctx:
        await _synced(ctx)
        async with ctx.store.write() as tx:
            for number in range(3):
                query_id = await keep_query(ctx, tx, f"mill {number}", "en", now)
                await topics.insert(
                    tx, Topic(slug=f"t{number}", name="t", query_id=query_id, query_text=f"mill {number}",
                              origin=Origin.CLI, created_at=now)
                )  # fmt: skip
            await topics.forget_changes(tx)
        assert len(await _synced(ctx)) == 4
        async with ctx.store.read() as tx:
            version = await topics.version(tx)
            assert await topics.changes(tx, version - 2, version) is None
            assert await topics.changes(tx, version - 1, version) is not None
