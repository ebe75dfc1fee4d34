"""Webhooks against a real server on loopback: what they are told, how often, and that nobody waits for them."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from builders import settings
from hook_server import HookServer, Said, Told
from mailing import SLOT, Mailing, after, relay
from smtp_server import SmtpServer, for_recipients

from dispatcher.config.settings import Settings
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.feedback import Event
from dispatcher.model.outbound import Attempt, Delivery
from dispatcher.model.values import Channel, DeliveryStatus, EventType, Outcome, OutcomeKind
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.admission import person
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.hooks import announce
from dispatcher.pipeline.send import send
from dispatcher.pipeline.settle import settle
from dispatcher.pipeline.tell import ping, tell, webhook_of
from dispatcher.store import claims, events, outbox
from dispatcher.store.engine import many, table
from dispatcher.store.lanes import MAIL, Lane

NOW = SLOT
SECRET = "whsec_c2l4dGVlbiBvY3RldHMgb3Igc28="
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "receive-webhooks.md"


@pytest.fixture
async def hooks() -> AsyncIterator[HookServer]:
    """A program that is told things."""
    async with HookServer() as running:
        yield running


def webhook(hooks: HookServer, name: str, **changes: Any) -> dict[str, Any]:
    """A webhook of config; its path is its name."""
    return {"name": name, "url": hooks.url(f"/{name}"), "secret": SECRET, "allow_private": True} | changes


def chosen(folder: Path, url: str, *webhooks: dict[str, Any]) -> Settings:
    """Settings that name these webhooks."""
    return settings(folder, url, webhooks=list(webhooks))


async def say(ctx: Context, *keys: str, event: str = "subscribed", now: datetime = NOW, **data: Any) -> int:
    """Announce one event for each key."""
    async with ctx.store.write() as tx:
        return sum([await announce(ctx, tx, event, now, key=key, **data) for key in keys])


async def standing(ctx: Context, *names: str) -> list[tuple[str, int, str]]:
    """Status, tries and reason of what webhooks are told, in the order in which it happened."""
    async with ctx.store.read() as tx:
        found = await many(tx, Delivery, table(Delivery).c.channel == Channel.WEBHOOK)
    return [(d.status.value, d.attempts, d.reason) for d in found if not names or d.recipient in names]


def guide() -> dict[str, Any]:
    """The program that the guide gives to those who receive."""
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(code[1], names)
    return names


async def test_an_event_is_told_once_to_whoever_asked_and_signed(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    shop, mill = webhook(hooks, "shop"), webhook(hooks, "mill", events=["bounced"])
    async with open_context(chosen(tmp_path, furnished_url, shop, mill), now=NOW, transport=MemoryTransport()) as ctx:
        assert await say(ctx, "1", "2", topics=["all"]) == 2
        assert await say(ctx, "2") == 0
        assert (await tell(ctx, NOW)).sent == 2
        assert (await tell(ctx, NOW + timedelta(days=1))).sent == 0
        assert await standing(ctx) == [("sent", 1, "")] * 2
    assert {told.path for told in hooks.told} == {"/shop"}
    assert len({told.id for told in hooks.told}) == 2
    for told in hooks.told:
        assert told.event == {
            "type": "subscribed", "id": told.id, "timestamp": "2026-03-02T07:31:00Z",
            "data": {"newsletter": "default", "topics": ["all"]},
        }  # fmt: skip
        assert told.headers["content-type"] == "application/json"
        assert_signed(told)


def assert_signed(told: Told) -> None:
    check = guide()["verify"]
    assert check(SECRET, told.headers, told.body)
    assert not check(SECRET, told.headers, told.body + b" ")
    assert not check("whsec_bm90IHRoZSBzZWNyZXQ=", told.headers, told.body)
    assert not check(SECRET, {**told.headers, "webhook-id": "evt_other"}, told.body)
    late = {**told.headers, "webhook-timestamp": str(int(told.headers["webhook-timestamp"]) - 301)}
    assert not check(SECRET, late, told.body)


async def test_what_is_announced_in_a_transaction_that_fails_is_told_to_nobody(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    async with open_context(
        chosen(tmp_path, furnished_url, webhook(hooks, "shop")), now=NOW, transport=MemoryTransport()
    ) as ctx:

        async def fail() -> None:
            async with ctx.store.write() as tx:
                await announce(ctx, tx, "subscribed", NOW, key="1")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert (await tell(ctx, NOW)).sent == 0
    assert hooks.told == []


async def test_it_is_told_again_with_the_same_id_and_octets_until_it_is_taken(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    slow_down = Said(429, {"Retry-After": "120"})
    hooks.script["/shop"] = [Said(503, body=b"closed for\nthe night"), Said(hangs_up=True), slow_down, 200]
    async with open_context(
        chosen(tmp_path, furnished_url, webhook(hooks, "shop")), now=NOW, transport=MemoryTransport()
    ) as ctx:
        await say(ctx, "1")
        assert (await tell(ctx, NOW)).deferred == 1
        assert await standing(ctx) == [
            ("deferred", 1, "503 the server answered 503 Service Unavailable: closed for the night")
        ]
        assert (await tell(ctx, NOW + timedelta(seconds=9))).deferred == 0
        assert (await tell(ctx, NOW + timedelta(seconds=13))).deferred == 1
        assert await standing(ctx) == [("deferred", 2, "the server closed the connection without an answer")]
        assert (await tell(ctx, NOW + timedelta(seconds=100))).deferred == 1
        assert (await tell(ctx, NOW + timedelta(seconds=219))).sent == 0, "it asked for two minutes"
        assert (await tell(ctx, NOW + timedelta(minutes=8))).sent == 1
        assert await standing(ctx) == [("sent", 4, "")]
        async with ctx.store.read() as tx:
            assert [found.code for found in await many(tx, Attempt)] == [503, 0, 429, 200]
    assert len(hooks.told) == 4
    assert len({(told.id, told.body) for told in hooks.told}) == 1
    for told in hooks.told:
        assert guide()["verify"](SECRET, told.headers, told.body)


async def test_what_is_refused_for_good_is_given_up_and_what_is_too_old_ends(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    hooks.script["/shop"] = [410, 422]
    async with open_context(
        chosen(tmp_path, furnished_url, webhook(hooks, "shop")), now=NOW, transport=MemoryTransport()
    ) as ctx:
        for key in "12":
            await say(ctx, key)
            assert (await tell(ctx, NOW)).failed == 1
        await say(ctx, "3")
        assert (await tell(ctx, NOW + timedelta(hours=24))).expired == 1
        assert [(status, tries) for status, tries, _ in await standing(ctx)] == [
            ("failed", 1), ("failed", 1), ("expired", 0),
        ]  # fmt: skip
        async with ctx.store.write() as tx:
            ids = [found.id or 0 for found in await many(tx, Delivery)]
            assert await outbox.requeue(tx, ids, NOW, NOW + timedelta(days=2)) == 3
            assert await outbox.cancel(tx, ids[2:], NOW) == 1
        assert (await tell(ctx, NOW + timedelta(minutes=1))).sent == 2
    assert len(hooks.told) == 4


async def test_a_redirect_is_not_followed_and_the_new_url_is_used_once_it_is_in_config(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    hooks.script["/shop"] = [Said(307, {"Location": hooks.url("/elsewhere")})]
    old = chosen(tmp_path, furnished_url, webhook(hooks, "shop"))
    async with open_context(old, now=NOW, transport=MemoryTransport()) as ctx:
        await say(ctx, "1")
        assert (await tell(ctx, NOW)).deferred == 1
        assert "put the new URL into config" in (await standing(ctx))[0][2]
        moved = webhook(hooks, "shop", url=hooks.url("/elsewhere"), secret="a secret that nobody knew before")
        await ctx.apply(chosen(tmp_path, furnished_url, moved))
        assert (await tell(ctx, after(seconds=15))).sent == 1
    assert [told.path for told in hooks.told] == ["/shop", "/elsewhere"]
    assert guide()["verify"]("a secret that nobody knew before", hooks.told[1].headers, hooks.told[1].body)


@pytest.mark.parametrize(
    ("url", "private", "words"),
    [
        ("http://127.0.0.1:{port}/shop", False, "port {port} is not allowed"),
        ("http://127.0.0.1/shop", False, "refused to connect to 127.0.0.1: it is a loopback address"),
        ("http://[::ffff:127.0.0.1]/shop", False, "it is a loopback address"),
        ("http://localhost/shop", False, "it is a loopback address"),
        ("http://10.1.2.3/shop", False, "it is a private address"),
        ("http://169.254.169.254/latest/meta-data/", True, "it is a link-local address"),
    ],
)
async def test_a_webhook_that_leads_inside_is_refused_unless_config_allows_it(
    url: str, private: bool, words: str, tmp_path: Path, hooks: HookServer
) -> None:
    inside = webhook(hooks, "shop", url=url.format(port=hooks.port), allow_private=private)
    async with open_context(
        chosen(tmp_path, "sqlite:///subscribers.db", inside), now=NOW, transport=MemoryTransport()
    ) as ctx:
        await say(ctx, "1")
        assert (await tell(ctx, NOW)).deferred == 1
        assert words.format(port=hooks.port) in (await standing(ctx))[0][2]
    assert hooks.told == []


async def test_a_webhook_that_config_no_longer_names_is_told_nothing_and_stops_no_other(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    shop, mill = webhook(hooks, "shop"), webhook(hooks, "mill")
    async with open_context(chosen(tmp_path, furnished_url, shop, mill), now=NOW, transport=MemoryTransport()) as ctx:
        await say(ctx, "1", "2")
        await ctx.apply(chosen(tmp_path, furnished_url, mill))
        report = await tell(ctx, NOW)
        assert (report.sent, report.failed) == (2, 2)
        assert await standing(ctx, "shop") == [("failed", 1, "config names no webhook 'shop' any more")] * 2
    assert {told.path for told in hooks.told} == {"/mill"}


async def test_a_dead_webhook_rests_with_all_that_waits_for_it_while_another_is_told(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    dead = webhook(hooks, "dead", url=f"http://127.0.0.1:{port}/")
    async with open_context(
        chosen(tmp_path, furnished_url, dead, webhook(hooks, "shop")), now=NOW, transport=MemoryTransport()
    ) as ctx:
        await say(ctx, *map(str, range(20)))
        report = await tell(ctx, NOW)
        assert report.sent == 20
        assert 1 <= report.deferred <= 4, "one knock for each try under way"
        assert (await tell(ctx, after(seconds=5))).deferred == 0
        assert 1 <= (await tell(ctx, after(seconds=10))).deferred <= 4
        tries = [found[1] for found in await standing(ctx, "dead")]
        assert sorted(set(tries)) == [0, 1]
        assert "no connection to 127.0.0.1" in (await standing(ctx, "dead"))[0][2]


async def test_a_slow_webhook_keeps_neither_mail_nor_another_webhook_waiting(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    end = asyncio.Event()
    hooks.script["/slow"] = [Said(after=end)]
    transport = MemoryTransport()
    mailing = Mailing(tmp_path, furnished_url)
    mailing.sections = {"webhooks": [webhook(hooks, "slow"), webhook(hooks, "shop")]}
    async with mailing.open(transport) as ctx:
        await say(ctx, "1", now=SLOT)
        first = asyncio.create_task(tell(ctx, SLOT))
        await hooks.wait_for(2)
        assert (await send(ctx, SLOT)).sent == 6
        assert len(transport.messages) == 6
        assert (await tell(ctx, SLOT)).sent == 6, "who got the mail, told to the quick one"
        assert len(hooks.at("/shop")) == 7
        assert len(hooks.at("/slow")) == 1
        assert not first.done()
        end.set()
        assert (await first).sent >= 2
        await tell(ctx, after(seconds=1))
    assert len(hooks.at("/slow")) == len({told.id for told in hooks.at("/slow")}) == 7


async def test_a_slow_relay_keeps_no_webhook_waiting(tmp_path: Path, furnished_url: str, hooks: HookServer) -> None:
    end = asyncio.Event()

    class Slow(MemoryTransport):
        async def send(self, envelope_from: str, recipient: str, message: bytes, **how: Any) -> Outcome | None:
            await end.wait()
            return await super().send(envelope_from, recipient, message, **how)

    mailing = Mailing(tmp_path, furnished_url)
    mailing.sections = {"webhooks": [webhook(hooks, "shop")]}
    async with mailing.open(Slow()) as ctx:
        mail = asyncio.create_task(send(ctx, SLOT))
        await say(ctx, "1", now=SLOT)
        assert (await tell(ctx, SLOT)).sent == 1
        assert not mail.done()
        end.set()
        assert (await mail).sent == 6


async def test_each_lane_takes_back_what_was_left_behind_in_it_alone(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    mailing = Mailing(tmp_path, furnished_url)
    mailing.sections = {"webhooks": [webhook(hooks, "mill"), webhook(hooks, "shop")]}
    async with mailing.open(MemoryTransport()) as ctx:
        me = ctx.instance.instance_id
        await say(ctx, "1", now=SLOT)
        async with ctx.store.write() as tx:
            for lane in (MAIL, Lane("mill")):
                assert (await claims.claim(tx, me, SLOT, limit=100, lane=lane)).deliveries
        assert (await tell(ctx, SLOT)).recovered == 1
        async with ctx.store.read() as tx:
            assert (await outbox.counts(tx))["sending"] == 6
        async with ctx.store.write() as tx:
            await claims.renew(tx, me, Lane("mill"))
            assert (await claims.claim(tx, me, SLOT, limit=100, lane=Lane("shop"))).deliveries == []
        report = await send(ctx, SLOT)
        assert (report.recovered, report.sent) == (6, 6)


async def test_what_was_on_the_wire_when_it_was_cut_off_comes_again_with_the_same_id(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    end = asyncio.Event()
    hooks.script["/shop"] = [Said(after=end)]
    async with open_context(
        chosen(tmp_path, furnished_url, webhook(hooks, "shop")), now=NOW, transport=MemoryTransport()
    ) as ctx:
        await say(ctx, "1")
        telling = asyncio.create_task(tell(ctx, NOW))
        await hooks.wait_for(1)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        end.set()
        assert [status for status, _, _ in await standing(ctx)] == ["sending"]
        again = await tell(ctx, after(seconds=1))
        assert (again.recovered, again.sent) == (1, 1)
    assert len(hooks.told) == 2
    assert len({(told.id, told.body) for told in hooks.told}) == 1


async def test_the_receiver_of_the_guide_receives(tmp_path: Path) -> None:
    receiver = guide()
    happened: list[dict[str, Any]] = []
    receiver |= {"SECRET": SECRET, "happened": happened.append}
    server = ThreadingHTTPServer(("127.0.0.1", 0), receiver["Receiver"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {"name": "shop", "url": f"http://127.0.0.1:{server.server_port}/", "allow_private": True}
    known = chosen(tmp_path, "sqlite:///subscribers.db", {**where, "secret": SECRET})
    try:
        async with open_context(known, now=NOW, transport=MemoryTransport()) as ctx:
            target = webhook_of(ctx.settings.webhooks, "shop")
            assert target is not None
            assert (await ping(ctx, target, NOW))[1].code == 204
            event_id, body = "evt_1", b'{"id":"evt_1","type":"sent","data":{}}'
            for _ in range(2):
                assert (await ctx.webhooks.send(target, event_id, body, NOW)).outcome.code == 204
            stranger = replace(target, secret="some other secret altogether")
            assert (await ctx.webhooks.send(stranger, event_id, body, NOW)).outcome.code == 401
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
    assert [event["type"] for event in happened] == ["ping", "sent"], "the second of the same id is the same event"


async def test_what_becomes_of_mail_is_told_with_its_reader(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    mailing = Mailing(tmp_path, furnished_url, readers=("ann", "ben", "cleo"))
    mailing.sections = {"webhooks": [webhook(hooks, "shop")]}
    said = {"ben@reader.example": "550 5.1.1 no such user", "cleo@reader.example": "451 4.3.0 later"}
    async with SmtpServer(script=for_recipients(said)) as server, mailing.open(relay(server)) as ctx:
        await send(ctx, SLOT)
        await tell(ctx, SLOT)
        found = {(told.event["type"], told.event["data"]["delivery"]["recipient"]): told.event for told in hooks.told}
        assert set(found) == {
            ("sent", "ann@reader.example"), ("failed", "ben@reader.example"), ("bounced", "ben@reader.example"),
        }  # fmt: skip
        sent = found["sent", "ann@reader.example"]["data"]
        assert sent["subscriber"] == {
            "id": sent["subscriber"]["id"], "email": "ann@reader.example", "name": "Ann", "locale": "en",
            "timezone": "UTC", "status": "active",
        }  # fmt: skip
        assert sent["delivery"]["kind"] == "digest"
        assert found["bounced", "ben@reader.example"]["data"]["bounce"]["enhanced"] == "5.1.1"
        assert found["failed", "ben@reader.example"]["data"]["code"] == 550
        await send(ctx, after(days=1))  # by now cleo's is too late to be of use
        await tell(ctx, after(days=1))
        late = hooks.told[-1].event
        assert (late["type"], late["data"]["reason"]) == ("failed", "too late to be of use")
        assert late["data"]["delivery"]["recipient"] == "cleo@reader.example"
        assert len(hooks.told) == 4, "that a webhook was told is told to nobody"


@pytest.mark.parametrize(
    ("kind", "event", "data"),
    [
        (EventType.HARD_BOUNCE, "bounced", {"bounce": {"code": 550, "enhanced": "5.1.1", "text": ""}}),
        (EventType.COMPLAINT, "unsubscribed", {"reason": "complaint"}),
        (EventType.UNSUBSCRIBE, "unsubscribed", {"reason": "mail"}),
        (EventType.SOFT_BOUNCE, "", {}),
    ],
)
async def test_what_comes_back_is_told(
    kind: EventType, event: str, data: dict[str, Any], tmp_path: Path, hooks: HookServer
) -> None:
    mailing = Mailing(tmp_path, "sqlite:///subscribers.db", readers=("ann",))
    mailing.sections = {"webhooks": [webhook(hooks, "shop")]}
    async with mailing.open(MemoryTransport()) as ctx:
        async with ctx.store.write() as tx:
            ann = await person(tx, "ann@reader.example")
            raw = {"code": 550, "enhanced": "5.1.1"}
            await events.record(
                tx, [Event(type=kind, subscriber_id=ann.id, raw=raw, at=SLOT).model_dump(exclude={"id"})]
            )
        await settle(ctx, SLOT)
        await tell(ctx, SLOT)
    assert [told.event["type"] for told in hooks.told] == ([event] if event else [])
    for told in hooks.told:
        about = told.event["data"]
        assert about.pop("subscriber")["email"] == "ann@reader.example"
        assert about == {"newsletter": "default", **data}


async def test_erasing_a_person_takes_them_out_of_what_was_and_is_to_be_told(
    tmp_path: Path, furnished_url: str, hooks: HookServer
) -> None:
    mailing = Mailing(tmp_path, furnished_url, readers=("ann", "ben"))
    mailing.sections = {"webhooks": [webhook(hooks, "shop")]}
    async with mailing.open(MemoryTransport()) as ctx:
        async with ctx.store.read() as tx:
            ann, ben = [await person(tx, f"{name}@reader.example") for name in ("ann", "ben")]
        await say(ctx, "1", now=SLOT, reader=ann)
        await tell(ctx, SLOT)
        await say(ctx, "2", now=SLOT, reader=ann)
        await say(ctx, "3", now=SLOT, reader=ben)
        async with ctx.store.write() as tx:
            await enrolment.erase(tx, ctx.address_key, ann, SLOT)
        report = await tell(ctx, SLOT)
        assert (report.sent, report.failed) == (1, 1)
        assert await standing(ctx) == [
            ("sent", 1, ""), ("failed", 1, "the person it was about has been erased"), ("sent", 1, ""),
        ]  # fmt: skip
        async with ctx.store.read() as tx:
            kept = [found.personal for found in await many(tx, Delivery, table(Delivery).c.channel == Channel.WEBHOOK)]
        assert [bool(personal) for personal in kept] == [False, False, True]


async def test_nobody_configured_costs_nothing_and_leaves_no_rows(tmp_path: Path, furnished_url: str) -> None:
    async with Mailing(tmp_path, furnished_url).open(MemoryTransport()) as ctx:
        assert await say(ctx, "1") == 0
        assert (await send(ctx, SLOT)).sent == 6
        assert await standing(ctx) == []
        assert (await tell(ctx, SLOT)).sent == 0


async def test_an_answer_without_end_is_read_no_further_than_it_may(tmp_path: Path, hooks: HookServer) -> None:
    hooks.script["/shop"] = [Said(200, body=b"x" * 3_000_000), Said(500, body=b"y" * 3_000_000)]
    async with open_context(
        chosen(tmp_path, "sqlite:///subscribers.db", webhook(hooks, "shop")), now=NOW, transport=MemoryTransport()
    ) as ctx:
        target = webhook_of(ctx.settings.webhooks, "shop")
        assert target is not None
        assert (await ping(ctx, target, NOW))[1].kind is OutcomeKind.ACCEPTED
        _, outcome = await ping(ctx, target, NOW)
        assert (outcome.kind, len(outcome.text) < 1000) == (OutcomeKind.DEFERRED, True)
    assert [told.event["type"] for told in hooks.told] == ["ping", "ping"]


async def test_a_hundred_thousand_rows_of_one_lane_are_not_looked_at_by_another(
    tmp_path: Path, hooks: HookServer
) -> None:
    """What the plan says rather than what the clock says: each lane is one range of one index."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import sqlite

    async with open_context(
        chosen(tmp_path, "sqlite:///subscribers.db"), now=NOW, transport=MemoryTransport()
    ) as ctx, ctx.store.read() as tx:  # fmt: skip
        rows = table(Delivery)
        for lane, wanted in (
            (MAIL, "COVERING INDEX ix_delivery_claim (status=? AND priority<?)"),
            (Lane("shop"), "INDEX ix_delivery_webhook (recipient=? AND status=? AND due_at<?)"),
        ):
            due = lane.where & (rows.c.status == DeliveryStatus.QUEUED) & (rows.c.due_at <= NOW)
            query = sa.select(rows.c.priority, rows.c.due_at, rows.c.id).where(due).order_by(*lane.order).limit(9)
            made = query.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True})
            values = tuple(str(made.params[name]) for name in made.positiontup or ())
            plan = [row[3] for row in await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {made}", values)]
            assert plan == [f"SEARCH delivery USING {wanted}"]
