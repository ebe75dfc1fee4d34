"""Topics over the API: the publisher's, and never what readers made for themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Program, program, reader

from dispatcher import clock
from dispatcher.pipeline import own_topics
from dispatcher.store import subscribers


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url) as found:
        yield found


async def test_a_topic_is_added_changed_and_removed(shop: Program) -> None:
    made = await shop.post("/topics", {"slug": "air", "query": "plane", "description": "What flies."})
    assert made.status == 201
    assert made.headers["location"] == "/api/v1/topics/air"
    assert (made.json["name"], made.json["origin"], made.json["is_public"]) == ("Air", "api", True)
    changed = await shop.patch("/topics/air", {"query": "plane OR kite", "is_public": False})
    assert changed.json == made.json | {"query": "plane OR kite", "is_public": False}
    assert (await shop.patch("/topics/air", {"is_paused": True})).json["is_paused"]
    assert not (await shop.patch("/topics/air", {"is_paused": False})).json["is_paused"]
    assert (await shop.get("/topics/air")).json["query"] == "plane OR kite"
    assert (await shop.delete("/topics/air")).status == 204
    assert (await shop.get("/topics/air")).status == 404
    assert (await shop.delete("/topics/air")).status == 404


async def test_a_new_topic_matches_what_is_published_from_then_on(shop: Program) -> None:
    await shop.post("/topics", {"slug": "air", "query": "plane"})
    told = await shop.post("/articles", {"title": "The plane lands"})
    assert "air" in told.json["topics"]
    assert (await shop.get("/topics/air")).json["matches"] == 1


async def test_what_config_declares_is_read_only(shop: Program) -> None:
    for told in (
        await shop.patch("/topics/sea", {"name": "Lake"}),
        await shop.delete("/topics/sea"),
        await shop.post("/topics", {"slug": "sea", "query": "lake"}),
    ):
        assert told.status == 409
        assert told.is_problem
    assert (await shop.get("/topics/sea")).json["query"] == "harbour OR ferry"


async def test_a_readers_own_topics_are_nobodys_business(shop: Program) -> None:
    ann = await reader(shop.ctx)
    async with shop.ctx.store.write() as tx:
        person = (await subscribers.by_ids(tx, [ann]))[ann]
        own = await own_topics.keep(shop.ctx, tx, person, "my illness", clock.now(), followed=())
    assert own is not None
    assert (await shop.get(f"/topics/{own.slug}")).status == 404
    assert "illness" not in (await shop.get("/topics")).text
    told = await shop.post("/articles", {"title": "About my illness"})
    assert told.json["topics"] == ["all"]


async def test_a_query_is_tried_on_a_text(shop: Program) -> None:
    asked = {"query": "ferry -strike", "text": {"title": "The ferries sail", "body": "No strike.", "language": "en"}}
    told = await shop.post("/topics/test", asked)
    assert told.status == 200
    assert not told.json["matches"]
    assert told.json["reason"]["forbidden"] == ["strike"]
    asked["text"] = {"title": "The ferries sail"}
    told = await shop.post("/topics/test", asked)
    assert told.json["matches"]
    assert told.json["reason"]["parts"][0] == {
        "text": "ferry", "is_found": True, "is_negated": False, "counts": {"title": 1},
    }  # fmt: skip


async def test_a_query_is_tried_on_the_latest_articles(shop: Program) -> None:
    await shop.post("/articles", {"title": "The ferry sails"})
    await shop.post("/articles", {"title": "The plane lands"})
    told = await shop.post("/topics/test", {"query": "ferry"})
    assert (told.json["matches"], told.json["found"], told.json["among"]) == (True, 1, 2)
    assert [one["title"] for one in told.json["articles"]] == ["The ferry sails"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"slug": "air", "query": "(plane"}, "#/query"),
        ({"slug": "The Air", "query": "plane"}, "#/slug"),
        ({"slug": "air", "query": "plane", "language": "klingonish"}, "#/language"),
        ({"slug": "air", "query": "plane", "is_public": "yes"}, "#/is_public"),
        ({"slug": "air", "query": "plane", "name": "a\nb"}, "#/name"),
        ({"slug": "air", "query": "x" * 5001}, "#/query"),
    ],
)
async def test_a_topic_is_checked_as_in_config(shop: Program, body: object, pointer: str) -> None:
    told = await shop.post("/topics", body)
    assert told.status == 422
    assert [error["pointer"] for error in told.json["errors"]] == [pointer]


async def test_topics_are_suggested_from_an_article_a_text_and_a_word(shop: Program) -> None:
    await shop.post("/topics", {"slug": "dear", "query": "ferry price", "name": "Dear ferries"})
    story = {"title": "A car ferry", "body": "The car ferry waits. The car ferry is late."}
    published = {"title": story["title"], "content_text": story["body"], "language": "en"}
    kept = (await shop.post("/articles", published)).json["id"]
    for asked in ({"article": kept}, {"text": story}):
        told = await shop.post("/topics/suggest", asked)
        assert told.status == 200
        assert '"car ferry"' in {one["query"] for one in told.json["phrases"]}
        assert told.json["topics"] == [{"slug": "dear", "name": "Dear ferries", "missing": ["price"], "forbidden": []}]
    told = await shop.post("/topics/suggest", {"word": "ferries", "language": "en"})
    assert told.json["inflections"] == [{"query": "ferry", "articles": 1}]
    assert (await shop.post("/topics/suggest", {"article": 2_000_000})).status == 404
    assert (await shop.post("/topics/suggest", {"word": "ferry", "article": 1})).status == 422
    assert (await shop.post("/topics/suggest", {})).status == 422
