"""Pictures inside the mail: fetched with care, each kept once, whole in every program that reads MIME, else remote."""

from __future__ import annotations

import email
import email.policy
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import pytest
from builders import settings, subscriber, topic
from web_server import Page, WebServer

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.delivery.signing_key import make_rsa, pem_of
from dispatcher.digest.assembly import assemble
from dispatcher.model.outbound import Delivery, Piece
from dispatcher.pipeline import editions, wires
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.once import once
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.wires import envelope_of
from dispatcher.store.engine import many

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
BEFORE, SLOT = MONDAY + timedelta(hours=7), MONDAY + timedelta(hours=7, minutes=30)
READERS = ["ann@reader.example", "ben@reader.example"]
BY_KIND = {
    "jpg": b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(20_000),
    "png": b"\x89PNG\r\n\x1a\n" + random.Random(2).randbytes(3_000),
    "gif": b"GIF89a" + random.Random(3).randbytes(1_000),
    "webp": b"RIFF\0\0\0\0WEBP" + random.Random(4).randbytes(1_000),
    "html": b"<html>not found",
    "large": b"\xff\xd8\xff\xe0" + bytes(300_000),
}


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    """A site with a story for each kind of picture, and one whose picture is gone."""
    async with WebServer() as server:
        for name, octets in BY_KIND.items():
            server.pages[f"/{name}"] = Page(octets, content_type="image/jpeg")
        feed(server, *BY_KIND, "gone")
        yield server


def feed(server: WebServer, *names: str) -> None:
    items = "".join(
        f"<item><guid>{name}</guid><title>Wind in {name}</title><link>https://gazette.example/{name}</link>"
        f"<pubDate>Mon, 02 Mar 2026 06:{minute:02}:00 GMT</pubDate><description>It blows in {name}.</description>"
        f'<enclosure url="{server.url(f"/{name}")}" type="image/jpeg" length="1"/></item>'
        for minute, name in enumerate(names)
    )
    server.pages["/feed.xml"] = Page(f'<rss version="2.0"><channel><title>G</title>{items}</channel></rss>'.encode())


@asynccontextmanager
async def desk(folder: Path, url: str, web: WebServer, now: datetime, **sections: Any) -> AsyncIterator[Context]:
    source = {"name": "Gazette", "url": web.url(), "allow_private": True}
    chosen = settings(
        folder, url, topics=[topic("wind", "wind")], sources=[source], theme={"images": "inline"},
        subscribers=[subscriber(reader, "wind") for reader in READERS], **sections,
    )  # fmt: skip
    async with open_context(chosen, now=now, transport=MemoryTransport()) as ctx:
        await declare(ctx, now)
        yield ctx


async def sent(folder: Path, url: str, web: WebServer, **sections: Any) -> list[bytes]:
    """The morning's mail."""
    async with desk(folder, url, web, BEFORE, **sections) as ctx:
        await ingest(ctx, BEFORE, everything=True)
        await once(ctx, SLOT)
        assert isinstance(ctx.transport, MemoryTransport)
        return [message for _, message in sorted((one.recipient, one.data) for one in ctx.transport.messages)]


def parsed(octets: bytes) -> tuple[EmailMessage, str, dict[str, bytes]]:
    """A message, its HTML, and its pictures by Content-ID."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.get_content_type() == "multipart/alternative"
    plain, related = message.iter_parts()
    assert (plain.get_content_type(), related.get_content_type()) == ("text/plain", "multipart/related")
    assert related.get_param("type") == "text/html"
    html, *pictures = related.iter_parts()
    assert not message.defects + html.defects
    known = {str(part["Content-ID"]): part.get_content() for part in pictures}
    return message, html.get_content(), known


async def test_pictures_that_can_be_had_are_inside_and_the_others_stay_where_they_are(
    tmp_path: Path, furnished_url: str, web: WebServer
) -> None:
    for octets in await sent(tmp_path, furnished_url, web):
        _, html, pictures = parsed(octets)
        sources = re.findall('<img [^>]*src="([^"]*)"', html)
        assert {source for source in sources if not source.startswith("cid:")} == {
            web.url(f"/{name}") for name in ("webp", "html", "large", "gone")
        }
        inside = [source.removeprefix("cid:") for source in sources if source.startswith("cid:")]
        assert {f"<{name}>" for name in inside} == set(pictures)
        assert sorted(pictures.values()) == sorted(BY_KIND[name] for name in ("jpg", "png", "gif"))
        assert all(len(line) <= 78 for line in octets.partition(b"\r\n\r\n")[2].split(b"\r\n"))


async def test_each_is_fetched_and_kept_once_and_a_repeat_has_the_same_octets(
    tmp_path: Path, furnished_url: str, web: WebServer
) -> None:
    async with desk(tmp_path, furnished_url, web, BEFORE) as ctx:
        await ingest(ctx, BEFORE, everything=True)
        await plan(ctx, SLOT)
        first = await made(ctx)
        assert len(first) == len(READERS)
    assert sum(request.path == "/jpg" for request in web.requests) == 1
    for name in BY_KIND:
        web.pages[f"/{name}"] = Page(b"", status=404)
    async with desk(tmp_path, furnished_url, web, SLOT) as ctx:  # another process
        assert await made(ctx) == first
        async with ctx.store.read() as tx:
            kept = [piece for piece in await many(tx, Piece) if piece.body.startswith("=Content-Type: image/")]
    assert len(kept) == 3


async def made(ctx: Context) -> list[bytes]:
    """Every queued mail, as it would leave."""
    async with ctx.store.read() as tx:
        deliveries = await many(tx, Delivery)
    found = await wires.load(ctx, [delivery.digest_id or 0 for delivery in deliveries])
    return [
        assemble(wire, envelope_of(delivery, wire, ctx.keyring))  # type: ignore[arg-type]
        for delivery in deliveries
        for wire in [found[delivery.digest_id or 0]]
    ]


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({"inline_pictures": 1}, 1),
        ({"inline_pictures": 0}, 0),
        ({"inline_size": 2_000}, 1),
        ({"inline_total": 4_500}, 2),
    ],
)
async def test_limits_hold(tmp_path: Path, furnished: Any, web: WebServer, limits: dict[str, int], count: int) -> None:
    octets = (await sent(tmp_path, furnished("sqlite", tmp_path), web, digest=limits))[0]
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert sum(part.get_content_maintype() == "image" for part in message.walk()) == count


async def test_a_layout_without_pictures_fetches_none(tmp_path: Path, furnished: Any, web: WebServer) -> None:
    octets = (await sent(tmp_path, furnished("sqlite", tmp_path), web, digest={"layout": "headlines"}))[0]
    assert b"multipart/related" not in octets
    assert {request.path for request in web.requests} == {"/feed.xml"}


async def test_a_picture_on_a_private_host_is_never_asked_for_unless_a_source_there_may_be(
    tmp_path: Path, furnished: Any, web: WebServer
) -> None:
    async with WebServer() as inside:
        inside.pages["/secret"] = Page(BY_KIND["jpg"])
        web.pages["/feed.xml"].body = web.pages["/feed.xml"].body.replace(
            web.url("/jpg").encode(), inside.url("/secret").encode()
        )
        octets = (await sent(tmp_path, furnished("sqlite", tmp_path), web))[0]
        assert inside.requests == []
        assert inside.url("/secret") in parsed(octets)[1]


async def test_the_signature_covers_the_pictures(
    tmp_path: Path, furnished: Any, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_rsa("gazette.example", "r1")
    (tmp_path / "r1.pem").write_bytes(pem_of(key))
    (tmp_path / "r1.pem").chmod(0o600)
    named = {"dkim": [{"selector": "r1", "key_file": "r1.pem"}], "mail": {"from": "The Gazette <n@gazette.example>"}}
    octets = (await sent(tmp_path, furnished("sqlite", tmp_path), web, **named))[0]
    monkeypatch.setattr(dkim, "time", type("Then", (), {"time": staticmethod(lambda: SLOT.timestamp() + 60)}))
    assert dkim.verify(octets, dnsfunc=lambda name, timeout=5: key.record.encode())
    assert len(parsed(octets)[2]) == 3


async def test_an_editions_own_pictures_are_inside_as_well(tmp_path: Path, furnished_url: str, web: WebServer) -> None:
    text = f"---\nsubject: A week\n---\n![A jpg]({web.url('/jpg')})\n\n![None]({web.url('/webp')})\n"
    async with desk(tmp_path, furnished_url, web, BEFORE) as ctx:
        async with ctx.store.write() as tx:
            kept = await editions.keep(ctx, tx, text, BEFORE, name="week.md")
            await editions.schedule(tx, kept.slug, BEFORE, at=BEFORE)
        await plan(ctx, BEFORE)
        octets, other = await made(ctx)
    _, html, pictures = parsed(octets)
    assert list(pictures.values()) == [BY_KIND["jpg"]]
    assert re.findall('<img [^>]*src="(?:cid:)?([^"]*)"', html) == [next(iter(pictures)).strip("<>"), web.url("/webp")]
    assert parsed(other)[2] == pictures
