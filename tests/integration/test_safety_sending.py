"""Pauses, breaker and cap while mail really leaves: on both databases, with a real server on loopback."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mailing import SLOT, Mailing, address, after, relay, rows
from smtp_server import Slow, SmtpServer, always, for_recipients

from dispatcher.model.values import DeliveryKind, DeliveryStatus, LetterName, PauseCause, PauseScope
from dispatcher.outbox.safety import hour_of
from dispatcher.pipeline import letters, safety
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.pipeline.standing import standing
from dispatcher.store import pauses, tallies

MANY = tuple(f"r{number:02}" for number in range(40))
OWNER = "owner@gazette.example"


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    """A relay."""
    async with SmtpServer() as running:
        yield running


def mailing(folder: Path, url: str, **sections: Any) -> Mailing:
    """A digest for forty readers, claimed ten at a time."""
    return Mailing(folder, url, readers=MANY, sections={"send": {"batch": 10}, **sections})


async def pause(ctx: Context, scope: PauseScope, at: Any = SLOT) -> None:
    async with ctx.store.write() as tx:
        await safety.pause(ctx, tx, scope, at, "cli")


async def resume(ctx: Context, at: Any = SLOT) -> None:
    async with ctx.store.write() as tx:
        await safety.resume(ctx, tx, at, "cli")


async def letter(ctx: Context) -> None:
    async with ctx.store.write() as tx:
        await letters.post(ctx, tx, LetterName.MANAGE, to="zoe@reader.example", key="manage:1", now=SLOT)


def recipients(server: SmtpServer) -> list[str]:
    return sorted(message.recipients[0] for message in server.messages)


async def test_a_pause_of_digests_lets_letters_go_and_a_pause_of_all_nothing(
    tmp_path: Path, furnished_url: str, server: SmtpServer
) -> None:
    async with mailing(tmp_path, furnished_url).open(relay(server)) as ctx:
        await letter(ctx)
        await pause(ctx, PauseScope.ALL)
        assert (await send(ctx, SLOT)).sent == 0
        await resume(ctx)
        await pause(ctx, PauseScope.BULK)
        assert (await send(ctx, SLOT)).sent == 1
        assert recipients(server) == ["zoe@reader.example"]
        await resume(ctx)
        assert (await send(ctx, SLOT)).sent == len(MANY)


async def test_a_pause_stops_a_run_under_way_and_each_reader_gets_it_once(
    tmp_path: Path, furnished_url: str, server: SmtpServer
) -> None:
    server.script = always("CONTENT", Slow(0.2))
    async with mailing(tmp_path, furnished_url).open(relay(server, connections=1)) as ctx:
        running = asyncio.create_task(send(ctx, SLOT))
        await server.wait_for(3)
        await pause(ctx, PauseScope.BULK)
        report = await running
        assert 3 <= report.sent < len(MANY)
        found = Counter(delivery.status for delivery in (await rows(ctx)).values())
        assert found == {DeliveryStatus.SENT: report.sent, DeliveryStatus.QUEUED: len(MANY) - report.sent}
        server.script = None
        await resume(ctx)
        assert (await send(ctx, SLOT)).sent == len(MANY) - report.sent
        assert recipients(server) == sorted(map(address, MANY))


async def test_what_expires_while_paused_folds_into_the_next_digest(
    tmp_path: Path, furnished_url: str, server: SmtpServer
) -> None:
    news = mailing(tmp_path, furnished_url)
    async with news.open(relay(server)) as ctx:
        await pause(ctx, PauseScope.BULK)
        assert (await send(ctx, SLOT)).sent == 0
    tomorrow = after(days=1)
    news.stories.insert(0, ("two", "The badger comes back", tomorrow - timedelta(hours=2)))
    async with news.open(relay(server), tomorrow) as ctx:
        await resume(ctx, tomorrow)
        await plan(ctx, tomorrow)
        assert (await send(ctx, tomorrow)).sent == len(MANY)
        text = server.messages[0].data.decode()
        assert "The badger comes back" in text
        assert "Badger seen in market square" in text


async def test_bounces_pause_digests_and_the_owner_gets_one_letter_past_the_pause(
    tmp_path: Path, furnished_url: str, server: SmtpServer
) -> None:
    server.script = for_recipients({address(name): "550 5.1.1 no such user" for name in MANY[:3]})
    breaking = mailing(tmp_path, furnished_url, safety={"batch": 20, "complaint_limit": 0}, alerts={"to": OWNER})
    async with breaking.open(relay(server)) as ctx:
        assert (await send(ctx, SLOT)).failed == 3
        later = after(minutes=1)
        assert (await send(ctx, later)).sent == 1
        async with ctx.store.read() as tx:
            assert await pauses.scopes(tx) == [PauseScope.BULK]
        assert (await send(ctx, after(minutes=2))).sent == 0
        (received,) = server.to(OWNER)
    message = email.message_from_bytes(received.data, policy=email.policy.default)
    assert message["Subject"] == "My Newsletter: Digests are paused: too much mail comes back"
    assert message["List-Unsubscribe"] is None
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        words = " ".join(part.get_content().split())
        assert "3 of 40 mails bounced for good: 7.50%, where 5.00% is the limit" in words
        assert "dispatcher send resume" in words
        assert OWNER in words


async def test_a_daily_cap_holds_over_two_processes_and_goes_on_after_midnight(
    tmp_path: Path, furnished_url: str, server: SmtpServer
) -> None:
    capped = mailing(tmp_path, furnished_url, send={"batch": 10, "per_day": 25})
    async with capped.open(relay(server)) as one, capped.open(relay(server)) as two:
        await letter(one)
        await asyncio.gather(send(one, SLOT), send(two, SLOT))
        assert len(server.messages) == 25
        assert "zoe@reader.example" in recipients(server)
        async with one.store.read() as tx:
            assert (await standing(one, tx, SLOT)).left_today == 0
        assert (await send(two, after(hours=17))).sent == len(MANY) - 24
        assert recipients(server) == sorted([*map(address, MANY), "zoe@reader.example"])


async def test_far_more_than_usual_waits_for_an_approval_and_then_goes(
    tmp_path: Path, furnished_url: str, server: SmtpServer
) -> None:
    guarded = mailing(tmp_path, furnished_url, safety={"volume_over": 30})
    async with guarded.open(relay(server)) as ctx:
        await _usual(ctx, 2)
        assert (await send(ctx, SLOT)).sent == 0, "not even the first one"
        async with ctx.store.read() as tx:
            found = await standing(ctx, tx, SLOT)
        assert [pause.cause for pause in found.pauses] == [PauseCause.VOLUME]
        assert (found.volume.waiting, found.volume.usual, found.volume.most) == (len(MANY), 2, 30)
        async with ctx.store.write() as tx:
            await safety.approve(ctx, tx, SLOT, "cli")
        assert (await send(ctx, SLOT)).sent == len(MANY)


async def _usual(ctx: Context, a_day: int) -> None:
    """Three weeks of so many digests a day."""
    days = [hour_of(SLOT) - timedelta(days=number) for number in range(1, 22)]
    more = {(day, ctx.newsletter.id or 0, DeliveryKind.DIGEST): {"sent": a_day} for day in days}
    await ctx.store.at_once(lambda connection: tallies.count(connection, 1, more))
