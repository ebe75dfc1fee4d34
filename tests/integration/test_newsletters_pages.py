"""Several newsletters on the readers' pages: choosing, confirming and leaving them one by one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from builders import subscriber, texts, topic
from leaving import ANN, BEN, HTML, URL, Room, links_in, open_room
from web_forms import form_to

from dispatcher import clock
from dispatcher.model.consent import Consent
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import ConsentKind, SubscriberStatus
from dispatcher.pipeline.links import leaving
from dispatcher.pipeline.send import send
from dispatcher.web.readers import slips

TOPICS = (topic("town", "council", name="Town"), topic("football", "football", name="Football"))
LETTERS = (
    {"slug": "sport", "name": "Sport", "from": "Sport <sport@goals.example>", "topics": ["football"]},
    {"slug": "letter", "name": "The Letter", "description": "By hand, on Fridays"},
)
FORM = {
    "email": "zoe@gmail.com", "kind": "daily", "time": "07:30", "zone": "Europe/London", "lang": "en", "consent": "yes",
    "do": "subscribe",
}  # fmt: skip


@pytest.fixture
async def room(furnished_url: str, tmp_path: Path) -> AsyncIterator[Room]:
    """Ann reads all three newsletters, Ben the sport alone."""
    people = [subscriber(ANN, "town", "football", "letter"), subscriber(BEN, "football")]
    sections = {"topics": TOPICS, "newsletters": LETTERS, "subscribers": people, "site": {"name": "Gazette"}}
    async with open_room(tmp_path, furnished_url, clock.now(), **sections) as opened:
        yield opened


async def sport_path(room: Room, email: str = ANN) -> str:
    """The link of the sport newsletter's mails."""
    sport = room.ctx.publications.named("sport")
    return room.path(leaving((await room.reader(email)).id or 0, sport.id or 0))


async def test_one_click_leaves_the_newsletter_of_the_mail_and_no_other(room: Room) -> None:
    path = await sport_path(room)
    for _ in range(2):
        answer = await room.client.post(path, {"List-Unsubscribe": "One-Click"})
        assert (answer.status, answer.text) == (200, "unsubscribed\n")
    assert set(await room.follows()) == {"town", "letter"}
    assert (await room.reader()).status == SubscriberStatus.ACTIVE
    consents = [one for one in await room.rows(Consent) if one.kind == ConsentKind.WITHDRAWN]
    assert [one.newsletter_id for one in consents] == [room.ctx.publications.named("sport").id]
    await room.client.post(await sport_path(room, BEN))
    assert (await room.reader(BEN)).status == SubscriberStatus.UNSUBSCRIBED, "it was all he had"


async def test_the_page_says_which_newsletter_it_is_and_offers_to_leave_all(room: Room) -> None:
    path = await sport_path(room)
    asked = await room.client.get(path, headers=HTML)
    assert "Unsubscribe from everything of Sport" in asked.text
    assert "You read Gazette and The Letter as well." in asked.text
    left = await room.client.post(path, headers=HTML)
    assert "Sport sends you nothing more" in left.text
    assert "You still get Gazette and The Letter." in left.text
    every = next(link for link in links_in(left) if "/u/" in link)
    gone = await room.client.post(every, headers=HTML)
    assert gone.status == 200
    assert (await room.reader()).status == SubscriberStatus.UNSUBSCRIBED
    undo = next(link for link in links_in(gone) if "/r/" in link)
    await room.client.post(undo)
    assert set(await room.follows()) == {"town", "letter"}, "what was left before stays left"
    seldom = await room.client.post(f"{await room.leave_path()}/instead", {"do": "monthly"})
    assert seldom.status == 200
    assert (await room.follows())["town"].startswith("monthly")


async def test_two_newsletters_that_are_left_at_once_are_taken_back_one_by_one(room: Room) -> None:
    paths = [await sport_path(room), await room.leave_path()]
    sport, gazette = await asyncio.gather(*(room.client.post(path, headers=HTML) for path in paths))
    assert set(await room.follows()) == {"letter"}
    await room.client.post(next(link for link in links_in(sport) if "/r/" in link))
    assert set(await room.follows()) == {"letter", "football"}
    await room.client.post(next(link for link in links_in(gazette) if "/r/" in link))
    assert set(await room.follows()) == {"letter", "football", "town"}


async def test_less_often_is_meant_of_the_newsletter_of_the_link(room: Room) -> None:
    await room.client.post(f"{await sport_path(room)}/instead", {"do": "weekly"})
    assert {slug: cadence.partition(" ")[0] for slug, cadence in (await room.follows()).items()} == {
        "town": "daily", "football": "weekly", "letter": "daily",
    }  # fmt: skip


async def test_preferences_show_topics_by_newsletter_and_choosing_again_comes_back(room: Room) -> None:
    await room.client.post(await sport_path(room))
    path = await room.preferences_path()
    page = await room.client.get(path)
    headings = re.findall(r"<h3[^>]*>([^<]+)</h3>", page.text)
    assert headings == ["Gazette", "Sport"], "a newsletter that is only written needs no heading of its own"
    assert page.text.index(">Gazette</h3>") < page.text.index(">Town<") < page.text.index(">Sport</h3>")
    assert "Unsubscribe from Gazette" in page.text
    assert "Unsubscribe from Sport" not in page.text
    number = re.search(r'value="(\d+)" id="topic-\d+">\s*<div>\s*<label[^>]*>Football', page.text)
    assert number is not None
    filled = form_to(page.text, path).tick("topic", number[1])
    saved = await room.client.post(path, filled.fields)
    assert saved.status == 303
    assert set(await room.follows()) == {"town", "football", "letter"}
    sport = room.ctx.publications.named("sport").id
    assert [(one.kind, one.source) for one in await room.rows(Consent) if one.newsletter_id == sport][-1:] == [
        (ConsentKind.CONFIRMED, "preferences")
    ]


async def test_the_form_shows_all_newsletters_or_the_one_that_is_asked_for(room: Room) -> None:
    everything = await room.client.get("/subscribe")
    assert re.findall(r"<h3[^>]*>([^<]+)</h3>", everything.text) == ["Gazette", "Sport"]
    assert "By hand, on Fridays" in everything.text
    only = await room.client.get("/subscribe?newsletter=sport")
    assert 'value="football"' in only.text
    assert 'value="town"' not in only.text
    assert "chosen from Sport." in only.text
    assert '<input type="hidden" name="newsletter" value="sport">' in only.text
    piece = await room.client.get("/embed/form?newsletter=letter")
    assert 'value="letter"' in piece.text
    assert 'value="football"' not in piece.text


async def test_a_confirmation_comes_from_the_newsletter_that_is_asked_for(room: Room) -> None:
    token = slips.write(room.ctx, "en", clock.now() - timedelta(minutes=1), "sport")
    sent = await room.client.post("/subscribe", {**FORM, "topics": "football", "newsletter": "sport", "token": token})
    assert sent.status == 200
    token = slips.write(room.ctx, "en", clock.now() - timedelta(minutes=1))
    both = {**FORM, "email": "yan@gmail.com", "topics": "football,town", "token": token}
    assert (await room.client.post("/subscribe", both)).status == 200
    await send(room.ctx, clock.now())
    heads = {one.recipient: one.data.decode().partition("\r\n\r\n")[0] for one in room.transport.messages}
    assert "From: Sport <sport@goals.example>" in heads["zoe@gmail.com"]
    assert "From: The Gazette <news@gazette.example>" in heads["yan@gmail.com"]
    link = re.findall(rf"{URL}(/c/\S+)", texts(room.transport, "zoe@gmail.com")[0])[0]
    assert (await room.client.post(link)).status == 200
    assert set(await room.follows("zoe@gmail.com")) == {"football"}
    sport = room.ctx.publications.named("sport").id
    assert {one.newsletter_id for one in await room.rows(Delivery) if one.recipient == "zoe@gmail.com"} == {sport}
