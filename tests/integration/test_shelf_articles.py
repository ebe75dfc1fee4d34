"""Trying a query out on the latest articles: what is new and what was edited is noticed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import builders
import pytest

from dispatcher.errors import QueryError
from dispatcher.pipeline import shelf
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.shelf import Shelf


async def test_the_shelf_keeps_up_with_what_is_published(
    furnished_url: str, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "FRESH_FOR", 0.0)
    feed = builders.atom(tmp_path / "feed.xml", ("1", "The town buys a windmill", now))
    chosen = builders.settings(tmp_path, furnished_url, sources=[{"name": "Gazette", "url": feed.as_uri()}])
    async with builders.world(chosen, now) as ctx:
        latest = Shelf(ctx.store)
        assert (await latest.find("windmill", "en")).of == 0
        await ingest(ctx, now)
        found = await latest.find("windmills", "en")
        assert [sample.title for sample in found.samples] == ["The town buys a windmill"]
        assert found.samples[0].source == "Gazette"
        later = now + timedelta(hours=1)
        builders.atom(feed, ("2", "A windmill turns", later), ("1", "The town buys a mill", now))
        await ingest(ctx, later)
        found = await latest.find("windmill", "en")
        assert (found.count, found.of) == (1, 2)
        assert found.samples[0].title == "A windmill turns"
        with pytest.raises(QueryError):
            await latest.find("(", "en")
