"""The subscribe pages over real HTTP, without JavaScript and without cookies."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import builders
import pytest
import web_app

from dispatcher import clock
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.consent import Consent, OptIn
from dispatcher.model.outbound import Delivery
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.send import send
from dispatcher.store import subscribers
from dispatcher.store.engine import many
from dispatcher.tokens import Purpose
from dispatcher.web.readers import slips

GOOD = {
    "email": "ann@gmail.com", "topics": "climate", "kind": "daily", "time": "07:30", "day": "mon",
    "zone": "Europe/London", "lang": "en", "consent": "yes", "do": "subscribe",
}  # fmt: skip


@dataclass
class Site:
    """A site that is served, and what one does with it."""

    ctx: Context
    client: web_app.Client

    async def send_form(self, **changes: Any) -> web_app.Got:
        """The form as its page gives it, filled in and sent at leisure."""
        token = slips.write(self.ctx, "en", clock.now() - timedelta(minutes=1))
        filled = {**GOOD, "token": token, "website": "", **changes}
        return await self.client.post(
            "/subscribe", {name: value for name, value in filled.items() if value is not None}
        )

    async def outbox(self) -> list[str]:
        """Which letters wait for whom."""
        async with self.ctx.store.read() as tx:
            return [f"{row.key.split(':')[2]} {row.recipient}" for row in await many(tx, Delivery)]

    async def link(self) -> str:
        """The confirmation link of the last mail that arrived."""
        await send(self.ctx, clock.now())
        assert isinstance(self.ctx.transport, MemoryTransport)
        found = re.findall(r"https://letters\.example(/c/\S+)", builders.texts(self.ctx.transport)[-1])
        return str(found[0])


def world_settings(tmp_path: Path, url: str, **sections: Any) -> Any:
    topics = [
        builders.topic("climate", "climate", description="Heat & rain"),
        builders.topic("sport", "sport"),
        builders.topic("secret", "secret", public=False),
    ]
    return builders.settings(
        tmp_path, url, **{"web": {"url": "https://letters.example"}, "topics": topics, **sections}
    )  # fmt: skip


@pytest.fixture
async def site(furnished_url: str, tmp_path: Path, now: datetime) -> AsyncIterator[Site]:
    chosen = world_settings(tmp_path, furnished_url)
    async with builders.world(chosen, now, transport=MemoryTransport()) as ctx, web_app.serving(ctx) as client:
        yield Site(ctx, client)


async def test_the_form_offers_the_public_topics_only(site: Site) -> None:
    got = await site.client.get("/subscribe?topics=sport&email=ann@gmail.com")
    assert got.status == 200
    assert "Heat &amp; rain" in got.text
    assert "secret" not in got.text
    assert re.search(r'value="sport" checked', got.text)
    assert 'value="ann@gmail.com"' in got.text


async def test_subscribe_confirm_and_be_subscribed(site: Site) -> None:
    got = await site.send_form(query="windmill", name="Ann")
    assert got.status == 200
    assert "ann@gmail.com" in got.text
    link = await site.link()
    shown = await site.client.get(link)
    assert shown.status == 200
    assert "windmill" in shown.text
    async with site.ctx.store.read() as tx:
        assert await subscribers.by_email(tx, "ann@gmail.com") is None, "opening the link does nothing"
    first, second = await site.client.post(link), await site.client.post(link)
    assert (first.status, second.status) == (200, 200)
    assert first.text == second.text
    assert "/p/" in first.text
    async with site.ctx.store.read() as tx:
        reader = await subscribers.by_email(tx, "ann@gmail.com")
        assert reader is not None
        followed = await subscribers.subscriptions(tx, [reader.id or 0])
        assert len(followed[reader.id or 0]) == 2
        assert [proof.kind.value for proof in await many(tx, Consent)] == ["requested", "confirmed"]


async def test_a_form_from_another_site_is_shown_once_more_with_everything_filled_in(site: Site) -> None:
    headers = {"Origin": "https://gazette.example"}
    got = await site.client.post("/subscribe", {"email": "ann@gmail.com", "topics": "climate,sport"}, headers=headers)
    assert got.status == 200
    assert len(re.findall(r'name="topics"[^>]* checked', got.text)) == 2
    assert 'name="origin" value="https://gazette.example"' in got.text
    assert await site.outbox() == []
    token = re.findall(r'name="token" value="([^"]+)"', got.text)[0]
    again = await site.send_form(token=token, origin="https://gazette.example")
    assert again.status == 200
    assert await site.outbox() == ["confirm ann@gmail.com"]
    async with site.ctx.store.read() as tx:
        assert (await many(tx, Consent))[0].source == "https://gazette.example"


@pytest.mark.parametrize(
    "changes",
    [{"website": "https://spam.example"}, {"token": "hasty"}, {"email": "bounced@gazette.example"}],
    ids=["honeypot", "too soon", "suppressed"],
)
async def test_everybody_gets_the_same_answer_and_robots_nothing_else(site: Site, changes: dict[str, str]) -> None:
    from dispatcher.model.values import SuppressionReason
    from dispatcher.store import suppressions
    from dispatcher.store.keys import address_hash

    async with site.ctx.store.write() as tx:
        hashed = address_hash(site.ctx.address_key, "bounced@gazette.example")
        await suppressions.add(tx, hashed, SuppressionReason.BOUNCED, clock.now())
    if changes.get("token") == "hasty":
        changes = {"token": slips.write(site.ctx, "en", clock.now())}
    odd = await site.send_form(**changes)
    assert await site.outbox() == []
    usual = await site.send_form()
    assert await site.outbox() == ["confirm ann@gmail.com"]
    email = changes.get("email", "ann@gmail.com")
    assert odd.text.replace(email, "ann@gmail.com") == usual.text
    assert odd.status == usual.status
    assert {name: value for name, value in odd.headers.items() if name not in ("date", "content-length")} == {
        name: value for name, value in usual.headers.items() if name not in ("date", "content-length")
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"email": "ann"}, "not a complete address"),
        ({"email": "änn@gmail.com"}, "cannot write to addresses with letters"),
        ({"topics": None}, "choose at least one topic"),
        ({"topics": "secret"}, "no longer offered"),
        ({"topics": "nonsense"}, "no longer offered"),
        ({"consent": None}, "tick this box"),
        ({"zone": "Mars/Base"}, "choose a time zone"),
        ({"lang": "xx"}, "choose a language"),
        ({"time": "25:99"}, "how often"),
        ({"query": "windmill AND ("}, "cannot be understood"),
        ({"query": "w" * 600}, "too long"),
    ],
)
async def test_what_is_wrong_is_said_beneath_its_field(site: Site, changes: dict[str, Any], words: str) -> None:
    got = await site.send_form(**changes)
    assert got.status == 422
    assert words in unescape(got.text)
    assert 'role="alert"' in got.text
    assert await site.outbox() == []


async def test_the_mistake_in_a_query_is_pointed_at(site: Site) -> None:
    got = await site.send_form(query="windmill AND (mill")
    place = re.findall(r'<pre class="place"[^>]*>(.*?)</pre>', got.text, re.DOTALL)[0]
    line, mark = unescape(place).split("\n")[:2]
    assert line.startswith("windmill AND (mill")
    assert mark.strip() == "^"


async def test_a_query_is_tried_out_on_the_latest_stories_and_nothing_else_is_lost(
    furnished_url: str, tmp_path: Path, now: datetime
) -> None:
    feed = builders.atom(tmp_path / "feed.xml", *((str(n), f"Windmill number {n}", now) for n in range(7)))
    source = {"name": "Gazette", "url": feed.as_uri()}
    chosen = world_settings(tmp_path, furnished_url, sources=[source])
    async with builders.world(chosen, now, transport=MemoryTransport()) as ctx, web_app.serving(ctx) as client:
        await ingest(ctx, now)
        got = await Site(ctx, client).send_form(query="windmill", do="try", name="Ann")
        assert got.status == 200
        assert len(re.findall("Windmill number", got.text)) == 5
        assert "would have found 7" in got.text
        assert 'value="Ann"' in got.text
        piece = await client.get("/subscribe/try?q=windmill")
        assert "Windmill number" in piece.text
        assert "<html" not in piece.text
        assert "cannot be understood" in (await client.get("/subscribe/try?q=(")).text
        assert await Site(ctx, client).outbox() == []


async def test_disposable_domains_are_refused_with_their_subdomains(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("# thrown away\nthrowaway.example\n")
    limited = site.ctx.settings.subscribe.model_copy(update={"disposable_domains_file": "bad.txt"})
    site.ctx.settings = site.ctx.settings.model_copy(update={"subscribe": limited})
    for email in ("a@throwaway.example", "a@deep.throwaway.example"):
        got = await site.send_form(email=email)
        assert got.status == 422
        assert "thrown away" in got.text
    assert (await site.send_form(email="a@notthrowaway.example")).status == 200


async def test_a_network_that_asks_too_often_is_told_so(site: Site) -> None:
    limited = site.ctx.settings.subscribe.model_copy(update={"per_network": 2})
    site.ctx.settings = site.ctx.settings.model_copy(update={"subscribe": limited})
    statuses = [(await site.send_form(email=f"p{n}@gmail.com")).status for n in range(3)]
    assert statuses == [200, 200, 429]


async def test_when_it_is_closed_nobody_subscribes_but_links_still_work(site: Site) -> None:
    await site.send_form()
    link = await site.link()
    closed = site.ctx.settings.subscribe.model_copy(update={"open": False})
    site.ctx.settings = site.ctx.settings.model_copy(update={"subscribe": closed})
    for path in ("/subscribe", "/embed"):
        assert (await site.client.get(path)).status == 403
    assert (await site.send_form()).status == 403
    assert (await site.client.get("/subscribe/try?q=a")).status == 404
    assert (await site.client.post(link)).status == 200


async def test_a_lapsed_link_can_be_had_again_within_the_limits(site: Site) -> None:
    await site.send_form()
    async with site.ctx.store.write() as tx:
        from dispatcher.store import consents

        (opt_in,) = await many(tx, OptIn)
        old = clock.now() - timedelta(days=9)
        await tx.execute(consents.OPT_IN.update().values(requested_at=old, mailed_at=old))
    token = site.ctx.keyring.sign(Purpose.CONFIRM, opt_in.id or 0, expires_at=clock.now() - timedelta(days=2))
    assert (await site.client.post(f"/c/{token}")).status == 410
    shown = await site.client.get(f"/c/{token}")
    assert shown.status == 410
    assert 'value="again"' in shown.text
    for _ in range(2):
        assert (await site.client.post(f"/c/{token}", {"do": "again"})).status == 200
    assert await site.outbox() == ["confirm ann@gmail.com"] * 2


async def test_a_forged_link_leads_nowhere_and_says_nothing(site: Site) -> None:
    forged = site.ctx.keyring.sign(Purpose.CONFIRM, 999)
    other = site.ctx.keyring.sign(Purpose.PREFERENCES, 1, 1)
    answers = [await site.client.get(f"/c/{token}") for token in (forged, other, "x" * 40, "%00")]
    assert {got.status for got in answers} == {404}
    assert len({got.text for got in answers}) == 1
    assert {(await site.client.post(f"/c/{token}")).status for token in (forged, other)} == {404}


async def test_a_lost_link_is_mailed_to_readers_and_nobody_can_tell(site: Site) -> None:
    await site.send_form()
    await site.client.post(await site.link())
    known = await site.client.post("/lost", {"email": "Ann@gmail.com"})
    unknown = await site.client.post("/lost", {"email": "bob@gmail.com"})
    assert known.status == unknown.status == 200
    assert known.text.replace("Ann@", "bob@") == unknown.text
    assert await site.outbox() == ["confirm ann@gmail.com", "welcome ann@gmail.com", "manage ann@gmail.com"]
    assert (await site.client.post("/lost", {"email": "nonsense"})).status == 422


async def test_hostile_fields_are_shown_as_text_and_break_nothing(site: Site) -> None:
    evil = "\"><script>alert(1)</script>\x00\u2028'"
    for name in ("email", "name", "query", "time", "zone", "lang", "token", "origin", "topics", "kind", "do"):
        got = await site.send_form(**{name: evil})
        assert got.status in (200, 422)
        assert "<script>alert" not in got.text
    many_values = "&".join(["topics=a&query=b"] * 3000).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await site.client.post("/subscribe", many_values, headers=headers)).status == 400
    assert (
        await site.client.post("/subscribe", b"\xff\xfe{", headers={"Content-Type": "application/json"})
    ).status == 200


async def test_the_form_for_other_sites_is_a_piece_that_anybody_may_load(site: Site) -> None:
    script = await site.client.get("/embed.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    piece = await site.client.get("/embed/form?topics=climate&lang=en-GB")
    assert piece.headers["access-control-allow-origin"] == "*"
    assert 'action="https://letters.example/subscribe"' in piece.text
    assert "<html" not in piece.text
    answer = await site.send_form(embed="1")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "<html" not in answer.text
    assert await site.outbox() == ["confirm ann@gmail.com"]
    faulty = await site.send_form(embed="1", email="ann")
    assert (faulty.status, faulty.headers["access-control-allow-origin"]) == (422, "*")


async def test_operators_are_shown_what_to_copy(site: Site) -> None:
    text = unescape((await site.client.get("/embed")).text)
    assert '<script src="https://letters.example/embed.js" data-topics="climate,sport" async></script>' in text
    assert "secret" not in text
