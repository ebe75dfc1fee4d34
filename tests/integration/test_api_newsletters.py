"""Newsletters over the API: listed, named by topics and digests, and left one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Program, program, reader

from dispatcher.model.values import SubscriberStatus
from dispatcher.store import subscribers

LETTERS = [{"slug": "quay", "name": "The Quay", "topics": ["sea"]}, {"slug": "letter", "name": "The Letter"}]


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url, newsletters=LETTERS) as found:
        yield found


async def test_newsletters_are_listed_with_their_topics_and_readers_a_page_at_a_time(shop: Program) -> None:
    await reader(shop.ctx, "ann@reader.example", "sea", "letter")
    listed = (await shop.get("/newsletters")).json
    assert [(one["slug"], one["topics"], one["readers"]) for one in listed["items"]] == [
        ("letter", ["letter"], 1), ("quay", ["sea"], 1), ("default", ["all"], 0),
    ]  # fmt: skip
    first = (await shop.get("/newsletters?limit=2")).json
    rest = (await shop.get(f"/newsletters?limit=2&cursor={first['next_cursor']}")).json
    assert [one["slug"] for one in [*first["items"], *rest["items"]]] == ["letter", "quay", "default"]
    assert rest["next_cursor"] is None


async def test_a_topic_names_its_newsletter_and_may_be_added_to_one(shop: Program) -> None:
    assert (await shop.get("/topics/sea")).json["newsletter"] == "quay"
    assert (await shop.get("/topics/all")).json["newsletter"] == "default"
    itself = (await shop.get("/topics/letter")).json
    assert (itself["newsletter"], itself["query"]) == ("letter", "")
    made = await shop.post("/topics", {"slug": "fish", "query": "fish", "newsletter": "quay"})
    assert (made.status, made.json["newsletter"]) == (201, "quay")
    wrong = await shop.post("/topics", {"slug": "fish-two", "query": "fish", "newsletter": "key"})
    assert (wrong.status, wrong.is_problem) == (422, True)


async def test_somebody_is_unsubscribed_from_one_newsletter_or_all(shop: Program) -> None:
    number = await reader(shop.ctx, "ann@reader.example", "sea", "all")
    assert (await shop.delete(f"/subscribers/{number}?newsletter=quay")).status == 204
    assert (await shop.delete(f"/subscribers/{number}?newsletter=key")).status == 404

    async def status() -> SubscriberStatus:
        async with shop.ctx.store.read() as tx:
            return (await subscribers.by_ids(tx, [number]))[number].status

    assert await status() == SubscriberStatus.ACTIVE
    assert (await shop.put(f"/subscribers/{number}/subscriptions/sea", {})).status == 409
    assert (await shop.delete(f"/subscribers/{number}")).status == 204
    assert await status() == SubscriberStatus.UNSUBSCRIBED
