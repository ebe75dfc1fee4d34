"""Deliveries, digests and the state of things over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from api_client import Program, program, reader

from dispatcher import clock
from dispatcher.pipeline import enrolment, own_topics
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.store import subscribers


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url, web={"url": "https://quay.example"}) as found:
        yield found


async def alert(shop: Program, *, sent: bool = False) -> int:
    """An alert to Ann, whose number is 1; returns the number of its delivery."""
    await reader(shop.ctx, "ann@reader.example", "sea", cadence="instant")
    await shop.post("/articles", {"title": "The ferry sails", "url": "https://quay.example/ferry"})
    now = clock.now()
    await plan(shop.ctx, now)
    if sent:
        await send(shop.ctx, now)
    return int((await shop.get("/deliveries")).json["items"][0]["id"])


async def test_a_delivery_is_shown_with_every_attempt(shop: Program) -> None:
    number = await alert(shop, sent=True)
    told = await shop.get(f"/deliveries/{number}")
    assert told.status == 200
    assert (told.json["status"], told.json["recipient"], told.json["kind"]) == ("sent", "ann@reader.example", "alert")
    assert [attempt["outcome"] for attempt in told.json["attempts_made"]] == ["accepted"]
    assert not {"key", "personal", "address_hash"} & told.json.keys()
    assert (await shop.get("/deliveries/999")).status == 404


async def test_deliveries_are_cancelled_and_retried_where_that_can_be(shop: Program) -> None:
    number = await alert(shop)
    assert (await shop.post(f"/deliveries/{number}/retry")).status == 409, "it has not failed"
    cancelled = await shop.post(f"/deliveries/{number}/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert (await shop.post(f"/deliveries/{number}/cancel")).status == 409
    assert (await shop.post("/deliveries/999/cancel")).status == 404
    assert (await shop.post("/deliveries/999/retry")).status == 404


async def test_what_expired_is_sent_again_for_so_many_hours(shop: Program) -> None:
    number = await alert(shop)
    await send(shop.ctx, clock.now() + timedelta(days=3))
    assert (await shop.get(f"/deliveries/{number}")).json["status"] == "expired"
    told = await shop.post(f"/deliveries/{number}/retry", {"hours": 48})
    assert told.json["status"] == "queued"
    for body in ({"hours": 0}, {"hours": 745}, {"hours": "12"}, {"hours": 10**30}, {"days": 1}, [], "x"):
        assert (await shop.post(f"/deliveries/{number}/retry", body)).status == 422, body


async def test_deliveries_are_found_by_status_kind_reader_and_time(shop: Program) -> None:
    await alert(shop)
    soon = (clock.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")

    async def count(query: str) -> int:
        return len((await shop.get(f"/deliveries?{query}")).json["items"])

    assert await count("") == 1
    assert await count("status=queued&kind=alert&subscriber=1") == 1
    assert await count("status=sent") == await count("kind=digest") == await count("subscriber=2") == 0
    assert await count(f"since={soon}") == 0
    for wrong in ("status=lost", "kind=pigeon", "subscriber=0", "subscriber=99999999999", "since=monday"):
        assert (await shop.get(f"/deliveries?{wrong}")).status == 422


async def test_a_digest_is_shown_with_its_stories_and_without_its_readers(shop: Program) -> None:
    await alert(shop)
    listed = (await shop.get("/digests")).json["items"]
    assert [(one["kind"], one["articles"]) for one in listed] == [("alert", 1)]
    told = await shop.get(f"/digests/{listed[0]['id']}")
    assert [(one["title"], one["url"], one["topic"]) for one in told.json["items"]] == [
        ("The ferry sails", "https://quay.example/ferry", "sea")
    ]
    assert "ann@" not in told.text
    assert (told.json["view"] or "").startswith(f"{shop.ctx.settings.web.public_url}/d/")
    assert (await shop.get("/digests/999")).status == 404


async def test_a_digest_does_not_tell_what_readers_called_their_own_topics(shop: Program) -> None:
    ann, now = await reader(shop.ctx, cadence="instant"), clock.now()
    async with shop.ctx.store.write() as tx:
        person = (await subscribers.by_ids(tx, [ann]))[ann]
        own = await own_topics.keep(shop.ctx, tx, person, "illness OR ferry", now, followed=())
        assert own is not None
        await enrolment.follow(tx, person, own, "instant", origin=person.origin, now=now)
        await enrolment.reschedule(tx, person, shop.ctx.newsletter.id or 0, now)
    await shop.post("/articles", {"title": "The ferry sails"})
    await plan(shop.ctx, clock.now())
    digest = (await shop.get("/digests")).json["items"][0]["id"]
    told = await shop.get(f"/digests/{digest}")
    assert told.json["items"][0]["topic"] is None
    assert "illness" not in told.text
    assert told.json["view"] is None, "it would show what they called it"
    assert "illness" not in (await shop.get(f"/subscribers/{ann}")).text
    assert (await shop.get(f"/subscribers/{ann}/subscriptions")).json["items"] == []


async def test_letters_are_no_digests(shop: Program) -> None:
    await shop.post("/subscribers", {"email": "bob@reader.example", "confirm": True, "topics": [{"topic": "sea"}]})
    letter = (await shop.get("/deliveries?kind=confirmation")).json["items"][0]
    assert letter["digest_id"]
    assert (await shop.get("/digests")).json["items"] == []
    assert (await shop.get(f"/digests/{letter['digest_id']}")).status == 404


async def test_the_state_of_things_is_what_the_command_says(shop: Program) -> None:
    await alert(shop)
    told = (await shop.get("/status")).json
    assert (told["articles"], told["subscribers_active"], told["matches"]) == (1, 1, 2)
    assert told["deliveries"]["queued"] == 1
    assert told["daemon"] is None
