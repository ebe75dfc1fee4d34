"""The links in mails (L2, L3, L5, L10): who gets which, that they are signed, and that a repeat has the same ones."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from builders import atom, settings, subscriber, topic, world

from dispatcher.config.settings import SourceEntry
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.values import DeliveryKind, LetterName
from dispatcher.pipeline import letters
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.links import Action, links_of
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.pipeline.wires import envelope_of, load
from dispatcher.store import claims
from dispatcher.tokens import Keyring, Purpose

URL = "https://letters.gazette.example/mail"


@asynccontextmanager
async def gazette(tmp_path: Path, now: datetime, url: str = URL, **sections: Any) -> AsyncIterator[Context]:
    """A paper with a story for Ann's digest and Ben's alert, planned but not yet sent."""
    early = now - timedelta(hours=1)
    feed = atom(tmp_path / "feed.xml", ("0", "An old windmill", early - timedelta(days=40)))
    chosen = settings(
        tmp_path, f"sqlite:///{tmp_path}/subscribers.db",
        web={"url": url}, sources=[SourceEntry(name="Gazette", url=feed.as_uri())], topics=[topic("wind", "windmill")],
        subscribers=[subscriber("ann@x.example", "wind"), subscriber("ben@x.example", "wind", cadence="instant")],
        **sections,
    )  # fmt: skip
    async with world(chosen, early, transport=MemoryTransport()) as ctx:
        await ingest(ctx, early, everything=True)
        atom(feed, ("1", "A new windmill", now))
        await ingest(ctx, now, everything=True)
        await plan(ctx, now + timedelta(minutes=31))
        yield ctx


async def sent(ctx: Context, now: datetime) -> dict[str, EmailMessage]:
    """What everybody got, by recipient."""
    transport = ctx.transport
    assert isinstance(transport, MemoryTransport)
    await send(ctx, now + timedelta(minutes=31))
    found = {}
    for kept in transport.messages:
        message = email.message_from_bytes(kept.data, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        found[kept.recipient] = message
    return found


async def test_l2_l3_and_l5_every_digest_and_alert_offers_one_click_by_one_signed_https_address(
    tmp_path: Path, now: datetime
) -> None:
    async with gazette(tmp_path, now) as ctx:
        mails = await sent(ctx, now)
        assert set(mails) == {"ann@x.example", "ben@x.example"}
        for message in mails.values():
            (field,) = message.get_all("List-Unsubscribe")
            found = re.fullmatch(rf"<{URL}/u/([A-Za-z0-9_-]+)>", str(field).strip())
            assert found, field
            assert message.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
            token = ctx.keyring.read(found[1], Purpose.UNSUBSCRIBE, now)
            assert token.expires_at is None
            assert token.number(1) == ctx.newsletter.id
            text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
            assert f"{URL}/u/{found[1]}" in text
            assert f"{URL}/u/{found[1]}" in html
            assert f"{URL}/p/" in text
        assert len({str(message["List-Unsubscribe"]) for message in mails.values()}) == 2, "everybody's is their own"


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8080"])
async def test_without_https_there_is_no_one_click_header_and_without_pages_no_link(
    tmp_path: Path, now: datetime, url: str
) -> None:
    async with gazette(tmp_path, now, url) as ctx:
        for message in (await sent(ctx, now)).values():
            assert message["List-Unsubscribe"] is None
            assert message["List-Unsubscribe-Post"] is None
            text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            assert ("/u/" in text) == bool(url)
            assert ("reply to this mail" in text) != bool(url)


TO_ONE = [letter for letter in LetterName if letter != LetterName.WELCOME]
"""The letters that belong to no list; a welcome is mail to a reader."""


async def test_l10_a_letter_to_one_person_belongs_to_no_list(tmp_path: Path, now: datetime) -> None:
    async with gazette(tmp_path, now) as ctx:
        lapse = now + timedelta(days=7)
        for letter in TO_ONE:
            async with ctx.store.write() as tx:
                action = Action(Purpose.CONFIRM, (7,), lapse)
                assert await letters.post(
                    ctx, tx, letter, to=f"{letter}@x.example", key=f"{letter}:7", now=now, topics=["Wind"],
                    action=action,
                )  # fmt: skip
                assert not await letters.post(ctx, tx, letter, to="x@x.example", key=f"{letter}:7", now=now)
        mails = await sent(ctx, now)
        for letter in TO_ONE:
            message = mails[f"{letter}@x.example"]
            assert not [name for name in message if name.lower().startswith("list-") or name == "Precedence"], letter
            assert message["Auto-Submitted"] == "auto-generated"
            if letter not in (LetterName.MOVED, LetterName.OWNER, LetterName.GOODBYE):
                html = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
                (link,) = set(re.findall(rf'href="({URL}/c/[^"]+)"', html))
                token = ctx.keyring.read(link.rpartition("/")[2], Purpose.CONFIRM, now)
                assert (token.claims, token.expires_at) == (("7",), lapse)


async def test_a_repeat_has_the_same_links_whatever_has_become_of_key_and_address(
    tmp_path: Path, now: datetime
) -> None:
    async with gazette(tmp_path, now) as ctx:
        async with ctx.store.write() as tx:
            claim = await claims.claim(tx, ctx.instance.instance_id, now + timedelta(minutes=31), limit=10)
        wires = await load(ctx, [d.digest_id or 0 for d in claim.deliveries])
        before = {d.id: envelope_of(d, wires[d.digest_id or 0], ctx.keyring) for d in claim.deliveries}  # type: ignore[arg-type]
        ctx.keyring = Keyring({**ctx.keyring.keys, "newone": b"n" * 32}, "newone")
        web = ctx.settings.web.model_copy(update={"url": "https://elsewhere.example"})
        ctx.settings = ctx.settings.model_copy(update={"web": web})
        again = await load(ctx, [d.digest_id or 0 for d in claim.deliveries])
        for delivery in claim.deliveries:
            wire = again[delivery.digest_id or 0]
            assert not isinstance(wire, Exception)
            assert envelope_of(delivery, wire, ctx.keyring) == before[delivery.id]
            assert "/u/" in before[delivery.id].links.unsubscribe


async def test_who_has_no_row_has_no_link_to_leave(tmp_path: Path, now: datetime) -> None:
    async with gazette(tmp_path, now) as ctx:
        async with ctx.store.write() as tx:
            claim = await claims.claim(tx, ctx.instance.instance_id, now + timedelta(minutes=31), limit=1)
        (delivery,) = claim.deliveries
        nobody = delivery._replace(subscriber_id=None)
        assert links_of(nobody, ctx.door, ctx.keyring).unsubscribe == ""
        owner = delivery._replace(kind=DeliveryKind.OWNER)
        assert links_of(owner, ctx.door, ctx.keyring).preferences == ""
        assert links_of(delivery, replace(ctx.door, url=""), ctx.keyring).unsubscribe == ""


async def test_links_signed_before_a_restart_with_a_new_secret_are_good_after_it(tmp_path: Path, now: datetime) -> None:
    async with gazette(tmp_path, now) as ctx:
        old = ctx.keyring.sign(Purpose.UNSUBSCRIBE, 1, 1)
    async with gazette(tmp_path, now, site={"name": "G", "secret": "a secret of the operator's own"}) as ctx:
        assert ctx.keyring.read(old, Purpose.UNSUBSCRIBE, now).claims == ("1", "1")
        second = ctx.keyring.sign(Purpose.UNSUBSCRIBE, 2, 1)
        assert ctx.keyring.signing != Keyring({}, "").signing
    async with gazette(tmp_path, now, site={"name": "G", "secret": "another one"}) as ctx:
        for token in (old, second):
            assert ctx.keyring.read(token, Purpose.UNSUBSCRIBE, now)
