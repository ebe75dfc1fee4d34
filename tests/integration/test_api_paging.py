"""Pages of a list: every row once, whatever is added meanwhile."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Program, program

LISTS = ("articles", "topics", "subscribers", "deliveries", "digests")


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url) as found:
        yield found


async def publish(shop: Program, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await shop.post("/articles", {"guid": str(number), "title": f"Story {number}"})


async def test_pages_hold_every_row_once_while_others_are_added(shop: Program) -> None:
    await publish(shop, 1, 7)
    seen, path, more = [], "/articles?limit=3", 100
    while path:
        told = await shop.get(path)
        assert told.status == 200
        seen += [one["title"] for one in told.json["items"]]
        await publish(shop, more, more + 1)
        more += 2
        link = re.fullmatch(r'</api/v1(/articles\?[^>]+)>; rel="next"', told.headers.get("link", ""))
        path = link[1] if link else ""
        assert bool(path) == bool(told.json["next_cursor"])
        assert not path or f"cursor={told.json['next_cursor']}" in path
    assert seen == [f"Story {number}" for number in range(7, 0, -1)]


async def test_a_full_last_page_has_no_page_after_it(shop: Program) -> None:
    await publish(shop, 1, 2)
    assert (await shop.get("/articles?limit=2")).json["next_cursor"] is None
    assert (await shop.get("/articles?limit=1")).json["next_cursor"] is not None


async def test_a_row_that_vanishes_does_not_move_the_pages(shop: Program) -> None:
    await publish(shop, 1, 4)
    first = await shop.get("/articles?limit=2")
    last = first.json["items"][-1]
    await shop.delete(f"/articles/{last['id']}")
    second = await shop.get(f"/articles?limit=2&cursor={first.json['next_cursor']}")
    assert [one["title"] for one in second.json["items"]] == ["Story 2", "Story 1"]


async def test_the_next_page_keeps_the_filters(shop: Program) -> None:
    for number in range(3):
        await shop.post("/articles", {"title": f"Ferry {number}"})
        await shop.post("/articles", {"title": f"Plane {number}"})
    told = await shop.get("/articles?topic=sea&limit=2")
    assert "topic=sea" in told.headers["link"]
    again = await shop.get(f"/articles?topic=sea&limit=2&cursor={told.json['next_cursor']}")
    assert [one["title"] for one in told.json["items"] + again.json["items"]] == ["Ferry 2", "Ferry 1", "Ferry 0"]


def forged(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


async def test_a_cursor_that_we_did_not_give_out_for_this_list_is_refused(shop: Program) -> None:
    await publish(shop, 1, 3)
    good: str = (await shop.get("/articles?limit=1")).json["next_cursor"]
    damaged = ["x", "%00", "%F0%9F%90%B4", good[:-1], good + "A", good[1:], good.swapcase(), good + "=", "A" * 100]
    damaged += [forged("articles.2"), forged("articles.2abcd"), forged("articles.-1\0\0\0\0"), "-1", "0"]
    for cursor in damaged:
        told = await shop.get(f"/articles?cursor={cursor}")
        assert told.status == 400, cursor
        assert told.is_problem
    assert (await shop.get(f"/articles?cursor={good}")).status == 200
    for name in set(LISTS) - {"articles"}:
        assert (await shop.get(f"/{name}?cursor={good}")).status == 400, name


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1e9", "99999999999999999999", "", "1.5"])
async def test_a_limit_out_of_reach_is_refused(shop: Program, limit: str) -> None:
    for name in LISTS:
        told = await shop.get(f"/{name}?limit={limit}")
        assert told.status == 422
        assert [error["parameter"] for error in told.json["errors"]] == ["limit"]
