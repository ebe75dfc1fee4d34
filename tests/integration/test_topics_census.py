"""What topics find, counted; and which are not worth having as they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import builders

from dispatcher.pipeline.census import Likeness, census
from dispatcher.pipeline.ingest import ingest


async def test_the_census_names_topics_that_find_nothing_everything_or_the_same(
    furnished_url: str, tmp_path: Path, now: datetime
) -> None:
    feed = tmp_path / "feed.xml"
    followed = [
        builders.topic("all", "*"),
        builders.topic("mills", "windmill"),
        builders.topic("paused", "nowhere", public=False),
        builders.topic("towns", "town windmill OR windmill"),
        builders.topic("wind", "windmills OR windmill"),
        builders.topic("mills-again", "WINDMILL"),
    ]
    chosen = builders.settings(
        tmp_path, furnished_url, topics=followed, sources=[{"name": "Gazette", "url": feed.as_uri()}]
    )
    old, today = now - timedelta(days=10), now
    async with builders.world(chosen, old) as ctx:
        assert (await census(ctx.store, old)).articles == 0
        stories = [(f"old {n}", f"The town buys windmill {n}", old) for n in range(5)]
        builders.atom(feed, *stories)
        await ingest(ctx, old, everything=True)
        stories += [(f"new {n}", f"Nothing turns, {n}", today) for n in range(16)]
        builders.atom(feed, *stories)
        await ingest(ctx, today, everything=True)
        found = await census(ctx.store, today + timedelta(minutes=1))
    assert (found.articles, found.since) == (21, old)
    weeks = {topic.slug: topic.weeks for topic in found.topics}
    assert weeks["all"] == (16, 5, 0, 0)
    assert weeks["mills"] == (0, 5, 0, 0)
    assert {topic.slug: topic.share for topic in found.topics}["mills"] == round(5 / 21, 4)
    assert found.silent == ["paused"]
    assert found.greedy == ["all"]
    assert found.same == [["mills", "mills-again"]]
    assert Likeness("mills", "towns", 1.0) in found.alike
    assert not any("all" in (pair.first, pair.second) for pair in found.alike)
