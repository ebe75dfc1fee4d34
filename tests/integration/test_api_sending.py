"""Keeping mail back over the API and on the admin's first page; many deliveries sent again but for the suppressed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from admin_desk import paper, signed_in
from api_client import Program, program, reader

from dispatcher import clock
from dispatcher.model.values import DeliveryStatus, PauseScope, SuppressionReason
from dispatcher.pipeline import safety
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.store import audits, outbox, stories, suppressions
from dispatcher.store.stories import Wanted
from dispatcher.web.pages import at


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url, web={"url": "https://quay.example"}) as found:
        yield found


async def test_a_program_keeps_mail_back_and_lets_it_go(shop: Program) -> None:
    before = (await shop.get("/sending")).json
    assert before == {
        "pauses": [], "volume": {"today": 0, "waiting": 0, "usual": None, "most": None}, "left_today": None,
        "day": dict.fromkeys(("sent", "failed", "bounced", "complained"), 0),
        "week": dict.fromkeys(("sent", "failed", "bounced", "complained"), 0),
    }  # fmt: skip
    paused = await shop.post("/sending/pause", {"reason": "wrong story"})
    assert paused.status == 200
    (pause,) = paused.json["pauses"]
    assert (pause["scope"], pause["cause"], pause["reason"]) == ("bulk", "operator", "wrong story")
    assert pause["by"].startswith("token:")
    assert len((await shop.post("/sending/pause")).json["pauses"]) == 1, "twice is as good as once"
    assert len((await shop.post("/sending/pause", {"scope": "all"})).json["pauses"]) == 2
    assert (await shop.get("/status")).json["pauses"][0] == pause
    assert (await shop.post("/sending/approve")).json["pauses"] != []
    assert (await shop.post("/sending/resume")).json["pauses"] == []
    async with shop.ctx.store.read() as tx:
        actions = [line.action for line in await audits.latest(tx, 9)]
    assert actions.count("pause sending") == actions.count("resume sending") == 2


async def test_a_pause_must_be_one_there_is(shop: Program) -> None:
    assert (await shop.post("/sending/pause", {"scope": "some"})).status == 422
    assert (await shop.post("/sending/pause", {"reason": "two\nlines"})).status == 422


async def test_a_pause_over_the_api_holds_for_the_next_send(shop: Program) -> None:
    await reader(shop.ctx, "ann@reader.example", "sea", cadence="instant")
    await shop.post("/articles", {"title": "The ferry sails", "url": "https://quay.example/ferry"})
    await plan(shop.ctx, clock.now())
    await shop.post("/sending/pause", {"scope": "all"})
    assert (await send(shop.ctx, clock.now())).sent == 0
    await shop.post("/sending/resume")
    assert (await send(shop.ctx, clock.now())).sent == 1
    number = (await shop.get("/deliveries")).json["items"][0]["id"]
    story = (await shop.get(f"/deliveries/{number}")).json["story"]
    assert [moment["what"] for moment in story] == ["planned", "first taken", "try 1: accepted", "sent"]
    assert (await shop.get("/sending")).json["day"]["sent"] == 1


async def test_what_is_suppressed_is_not_among_those_to_be_sent_again(shop: Program) -> None:
    ctx, now = shop.ctx, clock.now()
    for name in ("ann", "ben"):
        await reader(ctx, f"{name}@reader.example", "sea", cadence="instant")
    await shop.post("/articles", {"title": "The ferry sails", "url": "https://quay.example/ferry"})
    await plan(ctx, now)
    async with ctx.store.write() as tx:
        everything = {delivery.recipient: delivery for delivery in await outbox.listing(tx)}
        await outbox.expire(tx, max(delivery.expires_at for delivery in everything.values()))
        ben = everything["ben@reader.example"]
        await suppressions.add(tx, ben.address_hash, SuppressionReason.BOUNCED, now, address=ben.recipient)
    async with ctx.store.read() as tx:
        wanted = Wanted(statuses=[DeliveryStatus.FAILED, DeliveryStatus.EXPIRED], digest_id=ben.digest_id)
        assert await stories.lost(tx, wanted) == ([everything["ann@reader.example"].id], 1)
        assert len((await stories.of(tx, ben))[2]) == 1


async def test_the_first_admin_page_says_that_mail_is_kept_back(furnished_url: str, tmp_path: Path) -> None:
    async with paper(tmp_path, furnished_url) as (ctx, client):
        desk = await signed_in(ctx, client)
        assert "kept back" not in (await desk.get(at(ctx, "/admin"))).text
        async with ctx.store.write() as tx:
            await safety.pause(ctx, tx, PauseScope.BULK, clock.now(), "cli", reason="<wrong> story")
        page = (await desk.get(at(ctx, "/admin"))).text
        assert "digests and editions kept back by cli since" in page
        assert "&lt;wrong&gt; story" in page
