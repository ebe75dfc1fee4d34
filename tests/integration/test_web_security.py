"""OWASP's list, walked for the readers' pages: what an attacker would try first, and what comes of it.

Sizes, slowness and floods are in test_web_guard; roles and sessions in the admin's own tests; scopes in the API's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import atom, settings, subscriber, topic, world
from sqlmodel import SQLModel
from web_app import Client, serving

from dispatcher import clock
from dispatcher.config.settings import SourceEntry
from dispatcher.model.consent import OptIn
from dispatcher.model.outbound import Delivery
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.links import leaving, preferring
from dispatcher.store import Transaction
from dispatcher.store.engine import many
from dispatcher.tokens import Keyring, Purpose
from dispatcher.web.readers import slips

ANN, STRANGER = "ann@gmail.com", "stranger@gmail.com"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>"
DOORS = ("/u/", "/p/", "/c/", "/v/", "/a/")


@asynccontextmanager
async def site(tmp_path: Path, now: datetime, **sections: Any) -> AsyncIterator[tuple[Context, Client]]:
    """A paper whose feed is hostile, with one reader."""
    feed = atom(tmp_path / "feed.xml", ("1", f"Windmill {EVIL}", now - timedelta(hours=1)))
    chosen = settings(
        tmp_path, f"sqlite:///{tmp_path}/subscribers.db", web={"url": "https://letters.example"},
        sources=[SourceEntry(name=f"Feed {EVIL}", url=feed.as_uri())],
        topics=[topic("wind", "windmill", name=f"Wind {EVIL}", description=EVIL)],
        subscribers=[subscriber(ANN, "wind", name="Ann")], **sections,
    )  # fmt: skip
    async with world(chosen, clock.now()) as ctx, serving(ctx) as client:
        await ingest(ctx, clock.now(), everything=True)
        yield ctx, client


def form(ctx: Context, **changes: str) -> dict[str, str]:
    """The subscribe form, filled in."""
    token = slips.write(ctx, "en", clock.now() - timedelta(minutes=1))
    filled = {
        "email": STRANGER, "topics": "wind", "kind": "daily", "time": "07:30", "day": "mon", "zone": "UTC",
        "lang": "en", "consent": "yes", "do": "subscribe", "token": token, "website": "",
    }  # fmt: skip
    return filled | changes


async def contents(ctx: Context) -> dict[str, list[Any]]:
    """Everything the database holds, but for what the running process notes about itself."""

    def rows(connection: sa.Connection) -> dict[str, list[Any]]:
        tables = [table for table in SQLModel.metadata.sorted_tables if table.name != "instance"]
        return {table.name: [tuple(row) for row in connection.execute(sa.select(table))] for table in tables}

    async with ctx.store.read() as tx:
        return await tx.run_sync(rows)


# -- A01 broken access control ---------------------------------------------------------------------------------------


async def test_a_token_of_one_purpose_opens_no_other_door(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        before = await contents(ctx)
        for purpose in Purpose:
            token = ctx.keyring.sign(purpose, 1, 1)
            for door in DOORS:
                if door.strip("/") == purpose:
                    continue
                for method in ("GET", "POST"):
                    answer = await client.ask(method, door + token)
                    assert 400 <= answer.status < 500, (purpose, method, door)
        assert await contents(ctx) == before


async def test_a_forged_damaged_or_foreign_token_gets_one_and_the_same_answer(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        foreign = Keyring({"abcdef": b"x" * 32}, "abcdef")
        for door, purpose in (("/u/", Purpose.UNSUBSCRIBE), ("/p/", Purpose.PREFERENCES), ("/c/", Purpose.CONFIRM)):
            good = ctx.keyring.sign(purpose, 1, 1)
            told = set()
            for text in (foreign.sign(purpose, 1, 1), good[:-2] + "AA", good + "=", "x", "1", "a" * 600, "a.b.c"):
                answer = await client.get(door + text)
                assert 400 <= answer.status < 500
                told.add((answer.status, answer.text))
            assert len(told) == 1, "what is wrong with a token is nobody's business"


async def test_a_valid_token_for_somebody_who_is_not_there_tells_nothing(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        path = "/u/" + ctx.keyring.sign(Purpose.UNSUBSCRIBE, 987_654, ctx.newsletter.id or 0)
        answer = await client.post(path, {"List-Unsubscribe": "One-Click"})
        assert answer.status == 200, "as for everybody"
        for claims in ((987_654, 1), (1, 987_654), (-1, -1), (0, 0), (2**70, 2**70), ("x", "y")):
            for method in ("GET", "POST"):
                for purpose in (p for p in Purpose if f"/{p}/" in DOORS):
                    got = await client.ask(method, f"/{purpose}/{ctx.keyring.sign(purpose, *claims)}")
                    assert got.status < 500, (purpose, claims, method)


# -- A03 injection ---------------------------------------------------------------------------------------------------


async def test_no_word_from_outside_becomes_markup(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        pages = [
            await client.get("/subscribe"),
            await client.get("/subscribe", params={"email": EVIL, "topics": EVIL, "query": EVIL}),
            await client.get("/subscribe/try", params={"q": "windmill"}),
            await client.get("/subscribe/try", params={"q": EVIL}),
            await client.post("/subscribe", form(ctx, query=EVIL, name=EVIL, do="try")),
            await client.post("/subscribe", form(ctx, email=EVIL)),
            await client.get("/u/" + ctx.keyring.sign(Purpose.UNSUBSCRIBE, 1, 1)),
            await client.get("/p/" + ctx.keyring.sign(Purpose.PREFERENCES, 1, 1)),
            await client.post("/lost", {"email": EVIL}),
            await client.get("/embed"),
            await client.get(f"/{EVIL}"),
            await client.get("/subscribe", headers={"Accept-Language": EVIL, "User-Agent": EVIL, "Referer": EVIL}),
        ]
        assert [p.status for p in pages if p.status >= 500] == []
        for shown in pages:
            assert "<script>alert" not in shown.text
            assert "<img src=x" not in shown.text
            scripts = re.findall(r"<script[^>]*>", shown.text)
            assert all("src=" in script for script in scripts), "no inline script on any page"
            bare = re.sub(r'"[^"]*"', '""', shown.text)
            assert not re.search(r"<[^>]+\son\w+=", bare), "no event handler on any page"
            assert not re.search(r"<[^>]+\sstyle=", bare), "no inline style on any page"


@pytest.mark.parametrize("poison", ["\r\nBcc: victim@x.example", "\nX: y", "\x00", "\r", "%0d%0aBcc:x"])
async def test_no_form_field_adds_a_header(poison: str, tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        for field in ("email", "name", "zone", "lang", "topics", "query", "time", "kind"):
            answer = await client.post("/subscribe", form(ctx, **{field: "a" + poison}))
            assert answer.status < 500, field
            assert "victim" not in str(answer.headers), field
        async with ctx.store.read() as tx:
            rows = await many(tx, Delivery)
        assert all("\n" not in row.recipient and "\r" not in str(row.personal.get("name")) for row in rows)


async def test_sql_in_a_field_is_a_text_like_any_other(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        for poison in ("' OR 1=1 --", '"; DROP TABLE subscriber; --', "1) UNION SELECT * FROM key --"):
            for field in ("email", "name", "topics", "query", "zone"):
                assert (await client.post("/subscribe", form(ctx, **{field: poison}))).status < 500
            assert (await client.get("/subscribe/try", params={"q": poison})).status < 500
        assert len((await contents(ctx))["subscriber"]) == 1


# -- A04 insecure design: redirects, enumeration, cross-site requests --------------------------------------------------


async def test_nothing_a_visitor_says_decides_where_they_are_sent(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        departing = "/u/" + ctx.keyring.sign(Purpose.UNSUBSCRIBE, 1, 1)
        paths = [
            "/",
            "//evil.example",
            "/\\evil.example",
            "/subscribe?next=https://evil.example",
            "/%2f%2fevil.example",
        ]
        paths += [f"{departing}/?next=//evil.example", "/p//evil.example", "/lost/"]
        for path in paths:
            for headers in ({}, {"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}):
                answer = await client.get(path, headers=headers)
                assert answer.status < 500
                assert "evil.example" not in answer.headers.get("location", ""), path
                assert "evil.example" not in re.sub(r'value="[^"]*"', "", answer.text), path


async def test_the_answers_do_not_tell_who_is_subscribed(tmp_path: Path, now: datetime) -> None:
    def said(text: str) -> str:
        return re.sub(r'value="[^"]*"', "", text.replace(ANN, "X").replace(STRANGER, "X"))

    async with site(tmp_path, now) as (ctx, client):
        for path in ("/subscribe", "/lost"):
            answers = [await client.post(path, form(ctx, email=email)) for email in (ANN, STRANGER)]
            assert answers[0].status == answers[1].status == 200
            assert said(answers[0].text) == said(answers[1].text), path
            assert set(answers[0].headers) == set(answers[1].headers)


async def test_readers_pages_set_no_cookie_and_are_framed_by_nobody(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        link = "/" + preferring(1, 1).purpose + "/" + ctx.keyring.sign(Purpose.PREFERENCES, 1, 1)
        gone = "/u/" + ctx.keyring.sign(leaving(1, 1).purpose, 1, 1)
        for path in ("/subscribe", "/lost", "/embed", link, gone):
            answer = await client.get(path, headers={"Origin": "https://evil.example"})
            assert "set-cookie" not in answer.headers, path
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
            assert "access-control-allow-origin" not in answer.headers, path
            assert answer.headers["referrer-policy"] in (
                "no-referrer",
                "no-referrer" if path in (link, gone) else "same-origin",
            )
            assert "no-store" in answer.headers["cache-control"], path


async def test_a_form_that_another_site_sends_does_nothing_by_itself(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        filled = form(ctx)
        filled.pop("token")
        answer = await client.post("/subscribe", filled, headers={"Origin": "https://evil.example"})
        assert answer.status == 200
        async with ctx.store.read() as tx:
            assert await many(tx, OptIn) == []
            assert await many(tx, Delivery) == []


# -- A07, A08: replay, methods ---------------------------------------------------------------------------------------


async def test_only_the_methods_a_page_knows_are_taken(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        token = ctx.keyring.sign(Purpose.UNSUBSCRIBE, 1, 1)
        before = await contents(ctx)
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "HEAD", "OPTIONS"):
            for path in (f"/u/{token}", "/subscribe", "/lost"):
                assert (await client.ask(method, path)).status < 500
        assert await contents(ctx) == before


async def test_looking_never_changes_anything(tmp_path: Path, now: datetime) -> None:
    async with site(tmp_path, now) as (ctx, client):
        await client.post("/subscribe", form(ctx))
        before = await contents(ctx)
        paths = [f"/{purpose}/{ctx.keyring.sign(purpose, 1, 1)}" for purpose in Purpose]
        paths += [
            "/subscribe?email=x@y.example&consent=yes&do=subscribe&topics=wind",
            "/lost?email=" + ANN,
            "/embed",
            "/embed.js",
        ]
        for path in paths:
            for method in ("GET", "HEAD"):
                assert (await client.ask(method, path)).status < 500
        assert await contents(ctx) == before


# -- A09, A05: what is told ------------------------------------------------------------------------------------------


async def test_neither_addresses_nor_tokens_reach_the_log(
    tmp_path: Path, now: datetime, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with site(tmp_path, now) as (ctx, client):
        token = ctx.keyring.sign(Purpose.UNSUBSCRIBE, 1, 1)
        await client.post("/subscribe", form(ctx))
        await client.get(f"/u/{token}")
        await client.post(f"/u/{token}")
        await client.get("/p/" + token)
        said = "".join([*capsys.readouterr(), caplog.text])
        for secret in (STRANGER, ANN, token):
            assert secret not in said


async def test_a_mistake_of_ours_is_told_without_our_insides(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumble(tx: Transaction, *args: object, **kwargs: object) -> None:
        raise RuntimeError("SELECT secret FROM key WHERE path = '/srv/private'")

    async with site(tmp_path, now) as (ctx, client):
        monkeypatch.setattr("dispatcher.store.topics.every", stumble)
        monkeypatch.setattr("dispatcher.store.topics.offered", stumble, raising=False)
        answers = [await client.get(path) for path in ("/subscribe", "/api/v1/topics")]
        for answer in answers:
            assert "private" not in answer.text
            assert "Traceback" not in answer.text
        del ctx
