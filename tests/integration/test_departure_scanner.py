"""A link scanner that opens every URL of every kind of mail changes nothing (L7)."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import atom
from leaving import ANN, URL, Room, open_room, when_due
from sqlmodel import SQLModel

from dispatcher import clock
from dispatcher.config.letters import LettersSettings
from dispatcher.model.consent import OptIn
from dispatcher.model.values import LetterName
from dispatcher.pipeline import greetings, optin
from dispatcher.pipeline.account import Holder, mail_link
from dispatcher.pipeline.choices import Choices
from dispatcher.pipeline.departure import NOBODY
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.links import Action
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.relocation import ask, confirm
from dispatcher.pipeline.send import send
from dispatcher.store import outbox, subscribers
from dispatcher.store.engine import many
from dispatcher.tokens import Purpose


@pytest.fixture
async def room(furnished_url: str, tmp_path: Path) -> AsyncIterator[Room]:
    """Two readers, one of whom wants alerts, on each engine."""
    async with open_room(tmp_path, furnished_url, clock.now() - timedelta(hours=2)) as opened:
        yield opened


def links_of(data: bytes) -> set[str]:
    """Every URL of ours in a mail: in its text, its HTML and its headers."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    parts = [str(part.get_content()) for part in message.walk() if part.get_content_maintype() == "text"]
    whole = unescape(" ".join([*parts, str(message["List-Unsubscribe"])]))
    return set(re.findall(rf"{re.escape(URL)}/[^\s\"'<>)]*", whole))


async def everything(room: Room) -> dict[str, list[Any]]:
    """All rows of all tables, but for processes, which come and go."""
    tables = [table for table in SQLModel.metadata.sorted_tables if table.name != "instance"]
    async with room.ctx.store.read() as tx:
        return {table.name: sorted(map(repr, await tx.execute(sa.select(table)))) for table in tables}


async def every_mail(room: Room) -> None:
    """One of each: digest, alert, and all the letters there are."""
    ctx, reader = room.ctx, await room.reader()
    now = clock.now()
    follow = (await room.subscriptions("ben@reader.example"))["badgers"]
    async with ctx.store.write() as tx:
        await subscribers.write_subscription(tx, follow.id or 0, cadence="instant")
    await ingest(ctx, now - timedelta(hours=1), everything=True)
    atom(ctx.settings.base / "feed.xml", ("two", "The badger comes back", now - timedelta(minutes=5)))
    await ingest(ctx, now, everything=True)
    async with ctx.store.write() as tx:
        holder = Holder(reader, (await subscribers.endpoints(tx, [reader.id or 0]))[reader.id or 0][0])
        await mail_link(ctx, tx, holder, now)
        await ask(ctx, tx, holder, "ann@new.example", NOBODY, now)
        ctx.settings = ctx.settings.model_copy(update={"letters": LettersSettings(goodbye=True)})
        await greetings.welcome(ctx, tx, reader, now, key="1")
        await greetings.goodbye(ctx, tx, reader, ctx.newsletter.id or 0, now)
    await optin.request(
        ctx, Choices(address="new@reader.example", topics=("all",), timezone="UTC", locale="en"), NOBODY, now
    )
    await optin.lost(ctx, ANN, "10.0.0.0/24", now)
    await plan(ctx, now)
    await send(ctx, now)
    await plan(ctx, when_due(now))
    await send(ctx, when_due(now))
    async with ctx.store.read() as tx:
        opt_in = next(row for row in await many(tx, OptIn) if row.subscriber_id)
    token = room.path(Action(Purpose.ADDRESS, (opt_in.id or 0,), now + timedelta(hours=1))).removeprefix("/a/")
    await confirm(ctx, token, NOBODY, now)
    await send(ctx, now)


async def test_l7_getting_every_url_of_every_kind_of_mail_changes_nothing(room: Room) -> None:
    await every_mail(room)
    async with room.ctx.store.read() as tx:
        sent = [row for row in await outbox.listing(tx, limit=None) if row.status == "sent"]
        digests = await outbox.digests(tx, [row.digest_id or 0 for row in sent])
    assert {row.kind.value for row in sent} >= {"digest", "alert", "confirmation"}
    assert {digest.letter for digest in digests.values()} >= {*LetterName} - {LetterName.OWNER}
    links = sorted(set().union(*(links_of(kept.data) for kept in room.transport.messages)))
    assert {link.removeprefix(URL)[1] for link in links} >= {"u", "p", "c", "v", "a"}

    before = await everything(room)
    for link in links:
        for method in ("HEAD", "GET", "GET"):
            answer = await room.client.ask(method, link.removeprefix(URL))
            assert answer.status in (200, 303, 405, 410), (method, link)
            for further in re.findall(r'href="(/[^"]*)"', answer.text):
                await room.client.get(unescape(further))
    assert await everything(room) == before
