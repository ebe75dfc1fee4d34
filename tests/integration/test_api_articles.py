"""Articles that a program publishes: they go the way of all others, at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import builders
import pytest
from api_client import Program, program, reader

from dispatcher import clock
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.store import articles, sources


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url) as found:
        yield found


async def test_an_article_is_published_cleaned_and_matched(shop: Program) -> None:
    told = await shop.post(
        "/articles",
        {
            "title": "The ferry sails",
            "url": "https://Quay.example/ferry?utm_source=x#top",
            "content_html": "<p onclick='x()'>At <b>noon</b>.</p><script>steal()</script>",
            "authors": ["Ann", "Ann"],
            "tags": ["Sea"],
            "language": "en",
            "published_at": "2026-03-01T08:00:00+01:00",
        },
    )
    assert told.status == 201
    assert told.headers["location"] == f"/api/v1/articles/{told.json['id']}"
    assert told.json["url"] == "https://quay.example/ferry"
    assert told.json["body_html"] == "<p>At <b>noon</b>.</p>"
    assert told.json["sources"] == ["api"]
    assert told.json["authors"] == ["Ann"]
    assert told.json["published_at"] == "2026-03-01T07:00:00Z"
    assert sorted(told.json["topics"]) == ["all", "sea"]
    assert (await shop.get(f"/articles/{told.json['id']}")).json == told.json


async def test_the_same_guid_again_is_an_edit(shop: Program) -> None:
    first = await shop.post("/articles", {"guid": "7", "title": "Noon", "content_text": "The plane lands."})
    again = await shop.post("/articles", {"guid": "7", "title": "Noon", "content_text": "The plane lands."})
    edit = await shop.post("/articles", {"guid": "7", "title": "Noon", "content_text": "The ferry lands."})
    assert [first.status, again.status, edit.status] == [201, 200, 200]
    assert [told.json["version"] for told in (first, again, edit)] == [1, 1, 2]
    assert first.json["topics"] == ["all"]
    assert sorted(edit.json["topics"]) == ["all", "sea"]
    assert first.json["id"] == edit.json["id"]
    assert len((await shop.get("/articles")).json["items"]) == 1


async def test_without_a_guid_the_link_says_which_article_it_is_and_without_a_link_its_text(shop: Program) -> None:
    link = {"title": "Noon", "url": "https://quay.example/noon"}
    assert (await shop.post("/articles", link)).status == 201
    assert (await shop.post("/articles", link | {"title": "Noon, corrected"})).status == 200
    assert (await shop.post("/articles", {"title": "Dusk"})).status == 201
    assert (await shop.post("/articles", {"title": "Dusk"})).status == 200


async def test_an_article_that_a_feed_has_brought_is_the_same_article(shop: Program, tmp_path: Path) -> None:
    feed = builders.atom(tmp_path / "feed.xml", ("1", "The harbour opens", clock.now()))
    now = clock.now()
    async with shop.ctx.store.write() as tx:
        await sources.insert(tx, builders.source(now, url=str(feed)))
    await ingest(shop.ctx, now)
    told = await shop.post("/articles", {"title": "Harbour open!", "url": "https://gazette.example/1"})
    assert told.status == 200
    assert told.json["title"] == "The harbour opens"
    assert told.json["sources"] == ["Gazette", "api"]


async def test_what_is_published_is_news_even_if_it_is_the_first_and_old(shop: Program) -> None:
    old = (clock.now() - timedelta(days=3)).isoformat()
    told = await shop.post("/articles", {"title": "The ferry sails", "published_at": old})
    async with shop.ctx.store.read() as tx:
        article = await articles.get(tx, told.json["id"])
    assert article is not None
    assert not article.is_backlog


async def test_an_alert_goes_out_for_it(shop: Program) -> None:
    await reader(shop.ctx, "ann@reader.example", "sea", cadence="instant")
    await shop.post("/articles", {"title": "The ferry sails", "url": "https://quay.example/ferry"})
    now = clock.now()
    await plan(shop.ctx, now)
    await send(shop.ctx, now)
    transport = shop.ctx.transport
    assert isinstance(transport, MemoryTransport)
    assert builders.subjects(transport, "ann@reader.example") == ["The ferry sails"]


async def test_nobody_polls_the_source_that_is_published_to(shop: Program) -> None:
    await shop.post("/articles", {"title": "One", "source": "Desk"})
    report = await ingest(shop.ctx, clock.now() + timedelta(days=1), everything=True)
    assert (report.polled, report.failed) == (0, 0)
    async with shop.ctx.store.read() as tx:
        source = await sources.by_name(tx, "Desk")
    assert source is not None
    assert (source.url, source.origin, source.failures, source.last_error) == ("api:", "api", 0, "")


async def test_a_source_that_is_read_cannot_be_published_to_nor_one_that_is_paused(shop: Program) -> None:
    now = clock.now()
    async with shop.ctx.store.write() as tx:
        await sources.insert(tx, builders.source(now))
    told = await shop.post("/articles", {"title": "One", "source": "Gazette"})
    assert told.status == 409
    assert "publish to one of another name" in told.json["detail"]
    await shop.post("/articles", {"title": "One", "source": "Desk"})
    async with shop.ctx.store.write() as tx:
        desk = await sources.by_name(tx, "Desk")
        assert desk is not None
        await sources.write(tx, desk.id or 0, is_paused=True)
    assert (await shop.post("/articles", {"title": "Two", "source": "Desk"})).status == 409


async def test_a_withdrawn_article_is_gone_and_stays_away(shop: Program) -> None:
    told = await shop.post("/articles", {"guid": "7", "title": "The ferry sails", "content_text": "At noon."})
    path = f"/articles/{told.json['id']}"
    assert (await shop.delete(path)).status == 204
    assert (await shop.get(path)).status == 404
    assert (await shop.delete(path)).status == 404
    assert (await shop.get("/articles")).json["items"] == []
    assert (await shop.post("/articles", {"guid": "7", "title": "The ferry sails!"})).status == 409
    await shop.post("/topics", {"slug": "ferries", "query": "ferry"})
    await ingest(shop.ctx, clock.now())
    assert (await shop.get("/topics/ferries")).json["matches"] == 0


async def test_articles_are_listed_by_source_topic_and_time(shop: Program) -> None:
    await shop.post("/articles", {"title": "The ferry sails", "source": "Desk"})
    await shop.post("/articles", {"title": "The plane lands"})
    soon = (clock.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")

    async def titles(query: str) -> list[str]:
        return [one["title"] for one in (await shop.get(f"/articles?{query}")).json["items"]]

    assert await titles("") == ["The plane lands", "The ferry sails"]
    assert await titles("source=Desk") == ["The ferry sails"]
    assert await titles("topic=sea") == ["The ferry sails"]
    assert await titles(f"since={soon}") == []
    assert (await shop.get("/articles?source=Nobody")).status == 404
    assert (await shop.get("/articles?topic=nothing")).status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/title"),
        ({"title": ""}, "#/title"),
        ({"title": "One", "published_at": "yesterday"}, "#/published_at"),
        ({"title": "One", "published_at": "2026-03-01T08:00:00"}, "#/published_at"),
        ({"title": "One", "published_at": 1772352000}, "#/published_at"),
        ({"title": "One", "published_at": "0001-01-01T00:00:00+14:00"}, "#/published_at"),
        ({"title": "One", "url": "javascript:alert(1)"}, "#/url"),
        ({"title": "One", "source": "a\r\nBcc: x"}, "#/source"),
        ({"title": "One", "tags": ["a", 1]}, "#/tags/1"),
        ({"title": "One", "titel": "Two"}, "#/titel"),
        ({"title": "One", "content_html": "x", "content_text": "x"}, "#"),
    ],
)
async def test_what_is_wrong_is_told_where_it_is(shop: Program, body: object, pointer: str) -> None:
    told = await shop.post("/articles", body)
    assert told.status == 422
    assert told.is_problem
    assert [error["pointer"] for error in told.json["errors"]] == [pointer]
