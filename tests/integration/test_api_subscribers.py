"""People over the API: whom the operator vouches for, and what nobody may decide for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_client import Program, program, reader

from dispatcher import clock
from dispatcher.model.values import ConsentKind, PausedBy, SubscriptionStatus, SuppressionReason
from dispatcher.pipeline import enrolment
from dispatcher.store import consents, subscribers, suppressions
from dispatcher.store.keys import address_hash

WEB = {"url": "https://quay.example"}
HOOK = {"name": "crm", "url": "https://crm.example/hook", "secret": "s" * 30,
        "events": ["subscribed", "unsubscribed"]}  # fmt: skip


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    more: dict[str, Any] = {"subscribers": [{"email": "con@reader.example", "topics": ["sea"]}]}
    async with program(tmp_path, furnished_url, web=WEB, webhooks=[HOOK], **more) as found:
        yield found


async def test_somebody_is_enrolled_with_proof_of_their_consent(shop: Program) -> None:
    body = {
        "email": "Ann@Reader.example",
        "name": "Ann",
        "timezone": "Europe/London",
        "cadence": "weekly on mon at 08:00",
        "topics": [{"topic": "sea"}, {"topic": "all", "cadence": "Daily at 7:30"}],
        "consent": "ticked a box on the paper form",
    }
    told = await shop.post("/subscribers", body)
    assert told.status == 201
    assert told.headers["location"] == f"/api/v1/subscribers/{told.json['id']}"
    assert (told.json["email"], told.json["status"], told.json["origin"]) == ("ann@reader.example", "active", "api")
    assert {one["topic"]: one["cadence"] for one in told.json["topics"]} == {
        "sea": "weekly on mon at 08:00",
        "all": "daily at 07:30",
    }
    async with shop.ctx.store.read() as tx:
        proof = await consents.of(tx, address_hash(shop.ctx.address_key, "ann@reader.example"))
    assert [(one.kind, one.source) for one in proof] == [(ConsentKind.VOUCHED, "ticked a box on the paper form")]


async def test_nobody_is_enrolled_without_grounds_or_twice(shop: Program) -> None:
    assert (await shop.post("/subscribers", {"email": "ann@reader.example"})).status == 422
    body = {"email": "ann@reader.example", "consent": "by phone"}
    assert (await shop.post("/subscribers", body)).status == 201
    assert (await shop.post("/subscribers", body)).status == 409
    assert (await shop.post("/subscribers", body | {"topics": [{"topic": "none"}]})).status == 409


async def test_who_left_comes_back_with_a_consent_and_who_bounced_does_not(shop: Program) -> None:
    for email, reason in (("bounced@reader.example", SuppressionReason.BOUNCED),):
        async with shop.ctx.store.write() as tx:
            hashed = address_hash(shop.ctx.address_key, email)
            await suppressions.add(tx, hashed, reason, clock.now(), address=email)
        assert (await shop.post("/subscribers", {"email": email, "consent": "by phone"})).status == 409
    ann = await reader(shop.ctx)
    assert (await shop.delete(f"/subscribers/{ann}")).status == 204
    assert (await shop.get(f"/subscribers/{ann}")).json["status"] == "unsubscribed"
    assert (await shop.get(f"/subscribers/{ann}")).json["suppressed"] == "unsubscribed"
    assert (await shop.post(f"/subscribers/{ann}/resume")).status == 409
    assert (await shop.put(f"/subscribers/{ann}/subscriptions/sea", {})).status == 409
    told = await shop.post("/subscribers", {"email": "ann@reader.example", "consent": "asked to come back by phone"})
    assert (told.status, told.json["id"], told.json["status"]) == (201, ann, "active")


async def test_somebody_is_asked_by_mail_and_not_enrolled(shop: Program) -> None:
    body = {"email": "bob@reader.example", "confirm": True, "topics": [{"topic": "sea"}], "ip": "192.0.2.7"}
    assert (await shop.post("/subscribers", body)).status == 202
    assert (await shop.post("/subscribers", body)).status == 202
    letters = (await shop.get("/deliveries?kind=confirmation")).json["items"]
    assert [letter["recipient"] for letter in letters] == ["bob@reader.example"], "one mail a day to one mailbox"
    assert (await shop.get("/subscribers?email=bob@reader.example")).json["items"] == []
    wrong = await shop.post("/subscribers", body | {"topics": [{"topic": "nothing"}]})
    assert wrong.status == 422
    assert wrong.json["errors"][0]["pointer"] == "#/topics"


async def test_one_network_cannot_have_everybody_asked(shop: Program) -> None:
    limit = shop.ctx.settings.subscribe.per_network
    statuses = []
    for number in range(limit + 1):
        body = {"email": f"b{number}@reader.example", "confirm": True, "topics": [{"topic": "sea"}], "ip": "192.0.2.7"}
        statuses.append((await shop.post("/subscribers", body)).status)
    assert statuses == [202] * limit + [429]


async def test_a_change_respects_what_the_reader_and_config_have_decided(shop: Program) -> None:
    ann = await reader(shop.ctx, "ann@reader.example", "sea", chosen=["timezone"])
    told = await shop.patch(f"/subscribers/{ann}", {"name": "Ann", "cadence": "weekly on mon at 08:00"})
    assert told.status == 200
    assert (told.json["name"], told.json["topics"][0]["cadence"]) == ("Ann", "weekly on mon at 08:00")
    chosen = await shop.patch(f"/subscribers/{ann}", {"timezone": "Asia/Tokyo"})
    assert chosen.status == 409
    assert "timezone" in chosen.json["detail"]
    con = (await shop.get("/subscribers?email=con@reader.example")).json["items"][0]["id"]
    declared = await shop.patch(f"/subscribers/{con}", {"name": "Con"})
    assert declared.status == 409
    assert "declared" in declared.json["detail"]
    assert (await shop.patch(f"/subscribers/{ann}", {"timezone": "Mars/Phobos"})).status == 422
    assert (await shop.patch(f"/subscribers/{ann}", {"email": "eve@reader.example"})).status == 422


async def test_pause_and_resume(shop: Program) -> None:
    ann = await reader(shop.ctx)
    paused = await shop.post(f"/subscribers/{ann}/pause")
    assert (paused.json["status"], paused.json["paused_by"]) == ("paused", "operator")
    assert (await shop.post(f"/subscribers/{ann}/pause")).status == 409
    assert (await shop.post(f"/subscribers/{ann}/resume")).json["status"] == "active"
    async with shop.ctx.store.write() as tx:
        person = (await subscribers.by_ids(tx, [ann]))[ann]
        await enrolment.pause(tx, person, PausedBy.READER, shop.ctx.newsletter.id or 0, clock.now())
    assert (await shop.post(f"/subscribers/{ann}/resume")).status == 409, "the reader's word stands"


async def test_who_is_erased_is_gone(shop: Program) -> None:
    ann = await reader(shop.ctx)
    assert (await shop.delete(f"/subscribers/{ann}?erase=true")).status == 204
    assert (await shop.get(f"/subscribers/{ann}")).status == 404
    assert (await shop.delete(f"/subscribers/{ann}")).status == 404
    assert "ann@" not in (await shop.get("/subscribers")).text
    again = await shop.post("/subscribers", {"email": "ann@reader.example", "consent": "by phone"})
    assert again.status == 409


async def test_subscriptions_are_made_changed_and_ended(shop: Program) -> None:
    ann = await reader(shop.ctx)
    path = f"/subscribers/{ann}/subscriptions"
    made = await shop.put(f"{path}/sea", {"cadence": "weekly on mon at 08:00"})
    assert (made.status, made.json["cadence"], made.json["status"]) == (201, "weekly on mon at 08:00", "active")
    assert (await shop.put(f"{path}/sea", {})).json["cadence"] == "weekly on mon at 08:00"
    changed = await shop.put(f"{path}/sea", {"cadence": "instant"})
    assert (changed.status, changed.json["cadence"]) == (200, "instant")
    assert (await shop.delete(f"{path}/sea")).status == 204
    assert (await shop.get(f"{path}/sea")).json["status"] == "paused"
    async with shop.ctx.store.read() as tx:
        assert not [row for row in (await subscribers.schedules(tx, [ann]))[ann] if row.next_due_at]
    assert (await shop.put(f"{path}/sea", {})).json["status"] == "active"
    assert [one["topic"] for one in (await shop.get(path)).json["items"]] == ["sea"]
    assert (await shop.put(f"{path}/nothing", {})).status == 404
    assert (await shop.get(f"{path}/all")).status == 404
    assert (await shop.delete(f"{path}/all")).status == 404
    assert (await shop.get("/subscribers/999/subscriptions")).status == 404


async def test_what_a_reader_decided_about_a_topic_stands(shop: Program) -> None:
    ann = await reader(shop.ctx, "ann@reader.example", "sea", "all")
    async with shop.ctx.store.write() as tx:
        mine = (await subscribers.subscriptions(tx, [ann]))[ann]
        await enrolment.unfollow(tx, mine[0], PausedBy.READER)
        await subscribers.write_subscription(tx, mine[1].id or 0, chosen=["cadence"])
    assert (await shop.put(f"/subscribers/{ann}/subscriptions/sea", {})).status == 409
    assert (await shop.put(f"/subscribers/{ann}/subscriptions/all", {"cadence": "instant"})).status == 409
    assert (await shop.put(f"/subscribers/{ann}/subscriptions/all", {})).status == 200
    async with shop.ctx.store.write() as tx:
        await subscribers.write_subscription(tx, mine[0].id or 0, status=SubscriptionStatus.ENDED)
    assert (await shop.put(f"/subscribers/{ann}/subscriptions/sea", {})).status == 409


async def test_people_are_found_by_address_status_and_topic(shop: Program) -> None:
    ann = await reader(shop.ctx, "ann@reader.example", "sea")
    await shop.post(f"/subscribers/{ann}/pause")

    async def emails(query: str) -> list[str]:
        return [one["email"] for one in (await shop.get(f"/subscribers?{query}")).json["items"]]

    assert await emails("email=ANN@reader.example") == ["ann@reader.example"]
    assert await emails("email=eve@reader.example") == []
    assert await emails("status=paused") == ["ann@reader.example"]
    assert await emails("topic=sea") == ["ann@reader.example", "con@reader.example"]
    assert (await shop.get("/subscribers?topic=nothing")).status == 404
    assert (await shop.get("/subscribers?status=asleep")).status == 422
    assert (await shop.get("/subscribers?emial=ann@reader.example")).status == 422, "a misspelt filter shows nobody"


async def test_webhooks_are_told_who_came_and_went(shop: Program) -> None:
    made = await shop.post("/subscribers", {"email": "ann@reader.example", "consent": "by phone"})
    await shop.delete(f"/subscribers/{made.json['id']}")
    await shop.delete(f"/subscribers/{made.json['id']}")
    hooks = (await shop.get("/deliveries?kind=webhook")).json["items"]
    assert len(hooks) == 2
    assert {hook["recipient"] for hook in hooks} == {"crm"}
