"""Editions over the API and on the admin's pages: written, looked at, proved, scheduled, stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from admin_desk import HOSTILE, Desk, paper, signed_in
from api_client import Program, program, reader

from dispatcher import clock
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.store import audits
from dispatcher.store import editions as rows
from dispatcher.web.pages import at

WEEK = "---\nsubject: A week\ntopics: [sea]\nsend_at: 2190-01-01 07:30\n---\n# Hi\n\nIt was **good**.\n"


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url, web={"url": "https://quay.example"}) as found:
        yield found


def sent(ctx: Context) -> list[tuple[str, bytes]]:
    """What left."""
    assert isinstance(ctx.transport, MemoryTransport)
    return [(mail.recipient, mail.data) for mail in ctx.transport.messages]


async def actions(ctx: Context) -> list[tuple[str, str]]:
    """What the log says of editions, the latest first."""
    async with ctx.store.read() as tx:
        return [(line.actor.partition(":")[0], line.action) for line in await audits.latest(tx, 50)
                if "edition" in line.action]  # fmt: skip


async def test_a_program_writes_proves_schedules_and_stops_an_edition(shop: Program) -> None:
    await reader(shop.ctx, "ann@reader.example", "sea")
    await reader(shop.ctx, "ben@reader.example", "all")
    made = await shop.post("/editions", {"source": WEEK})
    assert (made.status, made.json["slug"], made.json["status"], made.json["readers"]) == (201, "a-week", "draft", 1)
    assert made.headers["location"].endswith("/api/v1/editions/a-week")
    again = await shop.post("/editions", {"source": WEEK.replace("good", "great")})
    assert (again.status, again.json["version"]) == (200, 2)
    seen = (await shop.get("/editions/a-week/preview")).json
    assert (seen["subject"], "It was great." in seen["text"], "<strong>great</strong>" in seen["html"]) == (
        "A week", True, True,
    )  # fmt: skip
    assert (await shop.post("/editions/a-week/test", {"to": "me@quay.example"})).status == 204
    ((to, data),) = sent(shop.ctx)
    assert (to, b"Subject: [Test] A week" in data) == ("me@quay.example", True)
    planned = await shop.post("/editions/a-week/schedule", {})
    assert (planned.json["status"], planned.json["send_at"]) == ("scheduled", "2190-01-01T07:30:00Z")
    now = clock.now()
    assert (await shop.post("/editions/a-week/schedule", {"send_at": now.isoformat()})).status == 200
    await plan(shop.ctx, now)
    assert (await shop.post("/editions/a-week/pause")).json["mails"] == {"held": 1}
    told = (await shop.get("/editions/a-week")).json
    assert told["reasons"] == [{"status": "held", "reason": "its edition is paused", "mails": 1}]
    assert (await shop.post("/editions/a-week/resume")).json["mails"] == {"queued": 1}
    await send(shop.ctx, clock.now())
    assert [to for to, _ in sent(shop.ctx)] == ["me@quay.example", "ann@reader.example"]
    assert (await shop.get("/editions/a-week")).json["mails"] == {"sent": 1}
    assert (await shop.post("/editions/a-week/cancel")).json["status"] == "cancelled"
    assert (await shop.post("/editions/a-week/resume")).status == 409
    assert (await actions(shop.ctx))[0] == ("token", "cancel edition")
    listed = (await shop.get("/editions")).json
    assert [(one["slug"], one["newsletter"]) for one in listed["items"]] == [("a-week", "default")]


async def test_what_is_wrong_with_a_manuscript_is_told_by_line(shop: Program) -> None:
    told = await shop.post("/editions", {"source": WEEK.replace("[sea]", "[see]").replace("topics", "topcis")})
    assert (told.status, told.is_problem) == (422, True)
    assert told.json["errors"] == [
        {"pointer": "#/source", "detail": 'manuscript:3: topcis: there is no such key; did you mean "topics"?'}
    ]
    unknown = await shop.post("/editions", {"source": WEEK.replace("[sea]", "[see]"), "newsletter": "defalt"})
    assert [fault["detail"] for fault in unknown.json["errors"]] == [
        'manuscript:3: topics: there is no topic "see"; did you mean "sea"?',
        'manuscript: newsletter: there is no newsletter "defalt"; did you mean "default"?',
    ]
    assert (await shop.post("/editions", {"source": ""})).status == 422
    assert (await shop.post("/editions", {"source": "\ud800"})).status in (400, 422)
    for path in ("/editions/none", "/editions/none/preview", "/editions/UPPER"):
        assert (await shop.get(path)).status == 404
    for path, body in (("schedule", {}), ("pause", None), ("test", {"to": "a@quay.example"})):
        assert (await shop.post(f"/editions/none/{path}", body)).status == 404
    await shop.post("/editions", {"source": WEEK.replace("send_at: 2190-01-01 07:30\n", "")})
    assert (await shop.post("/editions/a-week/schedule", {})).status == 409
    assert (await shop.post("/editions/a-week/explode")).status in (404, 422)


async def edition_page(ctx: Context, desk: Desk, source: str) -> str:
    """Write one at the desk; the path of its page."""
    answer = await desk.post(at(ctx, "/admin/editions"), {"source": source})
    assert answer.status == 303, answer.text
    return str(answer.headers["location"]).partition("?")[0]


async def test_an_editor_writes_looks_schedules_and_stops_at_the_desk(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        source = WEEK.replace("[sea]", "[harbour]").replace("\n", "\r\n")  # as browsers send it
        path = await edition_page(ctx, desk, source)
        page = await desk.get(path)
        assert "topics: harbour" in page.text
        letter = await desk.get(f"{path}/letter")
        assert "<strong>good</strong>" in letter.text
        assert "img-src data:" in letter.headers["content-security-policy"]
        assert (await desk.post(f"{path}/test", {"to": "not an address"})).status == 422
        assert (await desk.post(f"{path}/test", {"to": "me@quay.example"})).status == 303
        assert [to for to, _ in sent(ctx)] == ["me@quay.example"]
        assert (await desk.post(f"{path}/schedule", {"at": "never"})).status == 422
        assert (await desk.post(f"{path}/schedule", {"at": ""})).status == 303
        assert "scheduled" in (await desk.get(path)).text
        renamed = await desk.post(path, {"source": source.replace("A week", "Another week")})
        assert (renamed.status, "add the line `slug: a-week`" in renamed.text) == (422, True)
        async with ctx.store.read() as tx:
            assert [one.slug for one in await rows.every(tx, limit=9)] == ["a-week"]
        assert (await desk.post(f"{path}/unschedule")).status == 303
        assert (await desk.post(f"{path}/send")).status == 303
        await plan(ctx, clock.now())
        for move in ("pause", "resume", "cancel"):
            assert (await desk.post(f"{path}/{move}")).status == 303, move
        assert "1 cancelled" in (await desk.get(path)).text
        assert (await desk.post(f"{path}/resume")).status == 422
        assert (await desk.post(f"{path}/explode")).status == 404
        assert [action for _, action in await actions(ctx)] == [
            "cancel edition", "resume edition", "pause edition", "send edition", "unschedule edition",
            "schedule edition", "send proof of edition", "write edition",
        ]  # fmt: skip


async def test_hostile_text_stays_text_at_the_desk(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        wrong = await desk.post(at(ctx, "/admin/editions"), {"source": HOSTILE})
        assert (wrong.status, HOSTILE in wrong.text) == (422, False)
        path = await edition_page(ctx, desk, f"---\nsubject: Hi {HOSTILE}\nslug: hi\n---\n{HOSTILE}</textarea>\n")
        for where in ("/admin/editions", path, f"{path}/letter"):
            text = (await desk.get(where)).text
            assert "<script" not in text
            assert "<img src=x" not in text
