"""Leaving over HTTP, as mail programs, scanners and people do it (RFC 8058; L5 to L9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from leaving import ANN, BEN, HTML, Room, links_in, open_room

from dispatcher import clock
from dispatcher.model.consent import Consent
from dispatcher.model.feedback import Suppression
from dispatcher.model.values import ConsentKind, Origin, PausedBy, SubscriberStatus, SuppressionReason
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.links import Action, leaving
from dispatcher.store import subscribers, suppressions
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Purpose

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def room(furnished_url: str, tmp_path: Path) -> AsyncIterator[Room]:
    """The pages, on each engine."""
    async with open_room(tmp_path, furnished_url, clock.now()) as opened:
        yield opened


def multipart() -> aiohttp.FormData:
    """What RFC 8058 asks mail programs to send."""
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("List-Unsubscribe", "One-Click")
    return form


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (multipart, None),
        (lambda: ONE_CLICK, None),
        (lambda: None, None),
        (lambda: b"", "multipart/form-data"),
        (lambda: b"\x00\xff{]", "application/json"),
        (lambda: b"--x\r\nbroken", 'multipart/form-data; boundary="y"'),
    ],
    ids=["form-data", "urlencoded", "nothing", "no boundary", "no form at all", "broken"],
)
async def test_l6_one_click_ends_everything_whatever_its_body(room: Room, body: object, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = await room.client.post(await room.leave_path(), body(), headers=headers)  # type: ignore[operator]
    assert (answer.status, answer.text) == (200, "unsubscribed\n")
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert (await room.reader()).status == SubscriberStatus.UNSUBSCRIBED
    assert await room.follows() == {}
    assert await room.follows(BEN) == {"all": "daily at 07:30", "badgers": "daily at 07:30"}


async def test_l8_a_second_click_is_answered_like_the_first_and_leaves_no_second_proof(room: Room) -> None:
    path = await room.leave_path()
    answers = await asyncio.gather(*(room.client.post(path, ONE_CLICK) for _ in range(8)))
    assert {(answer.status, answer.text) for answer in answers} == {(200, "unsubscribed\n")}
    (consent,) = await room.rows(Consent)
    assert (consent.kind, consent.address, consent.ip) == (ConsentKind.WITHDRAWN, ANN, "127.0.0.1")
    assert consent.source == "https://letters.example/u"
    (suppression,) = await room.rows(Suppression)
    ended = {s.ended_at for s in (await room.subscriptions()).values()}
    assert ended == {suppression.since}


async def test_l8_every_bad_link_is_answered_alike_and_every_good_one_too(room: Room) -> None:
    good = await room.leave_path()
    another_purpose = (await room.preferences_path()).replace("/p/", "/u/")
    lapsed = room.path(Action(Purpose.UNSUBSCRIBE, (1, 1), clock.now() - timedelta(days=1)))
    bad = [good[:-1], good + "A", "/u/x", another_purpose, lapsed, "/u/" + "A" * 600]
    for method in ("GET", "POST"):
        answers = [await room.client.ask(method, path) for path in bad]
        assert {answer.status for answer in answers} == {404}
        assert len({answer.text for answer in answers}) == 1, method
    assert (await room.reader()).status == SubscriberStatus.ACTIVE

    nobody = room.path(leaving(987654, room.ctx.newsletter.id or 0))
    await room.client.post(good, headers=HTML)
    repeated = await room.client.post(good, headers=HTML)
    unknown = await room.client.post(nobody, headers=HTML)
    reader = await room.reader()
    async with room.ctx.store.write() as tx:
        await enrolment.erase(tx, room.ctx.address_key, reader, clock.now())
    erased = await room.client.post(good, headers=HTML)
    assert {answer.status for answer in (repeated, unknown, erased)} == {200}
    assert repeated.text == unknown.text == erased.text


async def test_l7_looking_changes_nothing_and_says_who_would_leave_what(room: Room) -> None:
    path = await room.leave_path()
    before = {noun: await room.rows(noun) for noun in (Consent, Suppression)}
    page = await room.client.get(path)
    head = await room.client.ask("HEAD", path)
    assert (page.status, head.status, head.text) == (200, 200, "")
    assert "a•••@reader.example" in page.text
    assert ANN not in page.text
    assert "Unsubscribe from everything of My Newsletter" in page.text
    assert (await room.reader()).status == SubscriberStatus.ACTIVE
    assert {noun: await room.rows(noun) for noun in before} == before


async def test_the_pages_own_button_sends_what_a_mail_program_sends(room: Room) -> None:
    path = await room.leave_path()
    page = await room.client.get(path)
    assert 'name="List-Unsubscribe" value="One-Click"' in page.text
    assert f"{path}?page" in links_in(page)
    left = await room.client.post(path, ONE_CLICK, headers=HTML)
    assert (left.status, "You are unsubscribed" in left.text) == (200, True)
    assert "Take it back" in left.text
    assert "/r/" not in (await room.client.post(path, ONE_CLICK, headers=HTML)).text
    assert "You are not subscribed" in (await room.client.get(path)).text


async def undo_path(room: Room, email: str = ANN) -> str:
    """Leave, and where that can be taken back."""
    left = await room.client.post(await room.leave_path(email), headers=HTML)
    return next(link for link in links_in(left) if link.startswith("/r/"))


async def test_within_the_hour_a_departure_is_taken_back_as_if_it_had_not_been(room: Room) -> None:
    before = {slug: s.model_dump() for slug, s in (await room.subscriptions()).items()}
    path = await undo_path(room)
    assert (await room.client.get(path)).status == 405
    assert (await room.reader()).status == SubscriberStatus.UNSUBSCRIBED
    for _ in range(2):
        back = await room.client.post(path)
        assert (back.status, "Welcome back" in back.text) == (200, True)
    assert {slug: s.model_dump() for slug, s in (await room.subscriptions()).items()} == before
    assert (await room.reader()).status == SubscriberStatus.ACTIVE
    assert await room.rows(Suppression) == []
    assert [(c.kind, c.source) for c in await room.rows(Consent)] == [
        (ConsentKind.WITHDRAWN, "https://letters.example/u"),
        (ConsentKind.CONFIRMED, "undo"),
    ]


async def test_what_comes_back_may_be_less(room: Room) -> None:
    all_id = (await room.subscriptions())["all"].topic_id
    await room.client.post(await undo_path(room), {"do": f"but-{all_id}"})
    assert await room.follows() == {"badgers": "weekly on fri at 09:00"}
    await room.client.post(await undo_path(room), {"do": "monthly"})
    assert await room.follows() == {"badgers": "monthly on 1 at 09:00"}
    assert (await room.reader()).cadence == "monthly on 1 at 07:30"


async def test_a_departure_cannot_be_taken_back_after_an_hour_nor_instead_of_a_later_one(room: Room) -> None:
    old = await undo_path(room)
    await room.client.post(old)
    await room.client.post(await room.leave_path())
    await room.client.post(old)
    assert (await room.reader()).status == SubscriberStatus.UNSUBSCRIBED
    lapsed = room.path(Action(Purpose.UNDO, (1, 1, 1), clock.now() - timedelta(seconds=1)))
    assert (await room.client.post(lapsed)).status == 404
    assert (await room.client.post(await room.leave_path())).status == 200


@pytest.mark.parametrize("reason", ["bounced", "complained", "erased"])
async def test_nobody_who_bounced_complained_or_was_erased_comes_back_by_it(room: Room, reason: str) -> None:
    path = await undo_path(room)
    reader = await room.reader()
    async with room.ctx.store.write() as tx:
        if reason == "erased":
            await enrolment.erase(tx, room.ctx.address_key, reader, clock.now())
        else:
            hashed = address_hash(room.ctx.address_key, ANN)
            await suppressions.add(tx, hashed, SuppressionReason(reason), clock.now(), address=ANN)
    answer = await room.client.post(path)
    assert (answer.status, "You are not subscribed" in answer.text) == (200, True)
    async with room.ctx.store.read() as tx:
        found = (await subscribers.by_ids(tx, [reader.id or 0]))[reader.id or 0]
    assert found.status in (SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.ERASED)


async def test_a_pause_by_the_operator_is_not_ended_by_leaving_and_coming_back(room: Room) -> None:
    reader = await room.reader()
    async with room.ctx.store.write() as tx:
        await enrolment.pause(tx, reader, PausedBy.OPERATOR, room.ctx.newsletter.id or 0, clock.now())
    await room.client.post(await undo_path(room))
    found = await room.reader()
    assert (found.status, found.paused_by) == (SubscriberStatus.PAUSED, PausedBy.OPERATOR)


async def test_somebody_who_wants_less_rather_than_nothing_gets_it(room: Room) -> None:
    path = await room.leave_path() + "/instead"
    ids = {slug: s.topic_id for slug, s in (await room.subscriptions()).items()}
    assert (await room.client.post(path, {"do": "weekly"})).status == 200
    assert await room.follows() == {"all": "weekly on mon at 07:30", "badgers": "weekly on fri at 09:00"}
    assert (await room.subscriptions())["all"].chosen == ["cadence"]
    assert (await room.reader()).chosen == ["cadence"]
    stopped = await room.client.post(path, {"do": f"but-{ids['badgers']}"})
    assert ("Badgers" in stopped.text, "Everything" in stopped.text) == (False, True)
    assert await room.follows() == {"all": "weekly on mon at 07:30"}
    paused = await room.client.post(path, {"do": "pause-30"})
    assert "Nothing comes until" in paused.text
    reader = await room.reader()
    assert (reader.status, reader.paused_by) == (SubscriberStatus.PAUSED, PausedBy.READER)
    assert reader.paused_until is not None
    assert timedelta(days=29) < reader.paused_until - clock.now() <= timedelta(days=30)
    longer = await room.client.post(path, {"do": "pause-90"})
    assert longer.status == 200
    assert ((await room.reader()).paused_until or clock.now()) - clock.now() > timedelta(days=80)


@pytest.mark.parametrize("do", ["", "all", "but-x", "but-999999999999", "pause-999", "pause--1", "weekly-", "🦡"])
async def test_an_odd_wish_harms_nobody(room: Room, do: str) -> None:
    answer = await room.client.post(await room.leave_path() + "/instead", {"do": do})
    assert answer.status == 200
    assert await room.follows(status="active") == {"all": "daily at 07:30", "badgers": "weekly on fri at 09:00"}


async def test_nobody_stops_a_topic_for_somebody_else_nor_brings_back_who_has_left(room: Room) -> None:
    ann, bens = await room.leave_path() + "/instead", (await room.subscriptions(BEN))["all"].topic_id
    await room.client.post(await room.leave_path(BEN))
    await room.client.post(ann, {"do": f"but-{bens}"})
    await room.client.post(await room.leave_path(BEN) + "/instead", {"do": "weekly"})
    assert (await room.reader(BEN)).status == SubscriberStatus.UNSUBSCRIBED
    assert await room.follows(BEN) == {}
    assert (await room.reader(BEN)).origin == Origin.CONFIG
