"""The preferences page over HTTP, without JavaScript: what it shows, takes, refuses, and never gives away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from leaving import ANN, BEN, Room, open_room
from web_forms import Form, form_to

from dispatcher import clock
from dispatcher.model.audience import Endpoint, Schedule, Subscriber, Subscription
from dispatcher.model.content import Source, Topic
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import Origin, PausedBy, SubscriberStatus
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.links import preferring
from dispatcher.store import subscribers
from dispatcher.web.words import languages

OTHER = list(languages())[-1]  # a language that is not the site's, if we have words for any
EVERYTHING = (Subscriber, Endpoint, Subscription, Schedule, Topic, Delivery)


@pytest.fixture
async def room(furnished_url: str, tmp_path: Path) -> AsyncIterator[Room]:
    """The pages, on each engine."""
    async with open_room(tmp_path, furnished_url, clock.now(), subscribe={"own_topics": 2}) as opened:
        yield opened


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Room]:
    """The pages, on SQLite: for what does not depend on the engine."""
    url = f"sqlite:///{tmp_path}/small.db"
    async with open_room(tmp_path, url, clock.now(), subscribe={"own_topics": 2}) as opened:
        yield opened


async def form(room: Room, email: str = ANN) -> Form:
    """The form as the page has it now."""
    path = await room.preferences_path(email)
    return form_to((await room.client.get(path)).text, path)


async def send(room: Room, filled: Form) -> Any:
    """Press Save."""
    return await room.client.post(filled.action, filled.fields)


async def topic_id(room: Room, slug: str) -> int:
    """The id of one of the publisher's topics."""
    return next(topic.id for topic in await room.rows(Topic) if topic.slug == slug and topic.owner_id is None)


async def test_a_form_that_is_sent_back_as_it_came_changes_nothing(room: Room) -> None:
    before = {noun: await room.rows(noun) for noun in EVERYTHING}
    answer = await send(room, await form(room))
    assert (answer.status, answer.headers["location"].endswith("?saved")) == (303, True)
    assert {noun: await room.rows(noun) for noun in EVERYTHING} == before
    assert "Saved." in (await room.client.get(answer.headers["location"])).text


async def test_everything_can_be_changed_at_once_and_config_respects_it(room: Room) -> None:
    filled = await form(room)
    badgers = await topic_id(room, "badgers")
    filled.untick("topic", await topic_id(room, "all")).set(f"often-{badgers}", "weekly on sun").set(
        f"time-{badgers}", "10:15"
    )
    filled.set("often", "weekdays").set("time", "18:05").set("name", "Ann B.").set("zone", "America/New_York")
    filled.set("lang", OTHER).set("layout", "headlines").set("quiet_from", "22:00").set("quiet_until", "07:00")
    filled.set("day", "mon", "tue", "sat").set("query-new", "otter OR beaver").set("name-new", "Rivers")
    filled.tick("source", next(iter(s.id for s in await room.rows(Source) if s.name == "Gazette")))
    assert (await send(room, filled)).status == 303

    async def as_wished() -> None:
        reader = await room.reader()
        said = ("Ann B.", "America/New_York", OTHER, "headlines")
        assert (reader.name, reader.timezone, reader.locale, reader.layout) == said
        assert (reader.cadence, reader.allowed_days) == ("weekdays at 18:05", "mon,tue,sat")
        assert (reader.quiet_from, reader.quiet_until) == ("22:00", "07:00")
        assert await room.follows() == {
            "badgers": "weekly on sun at 10:15",
            "otter OR beaver": "weekdays at 18:05",
            'source:"Gazette"': "weekdays at 18:05",
        }

    await as_wished()
    rivers = next(topic for topic in await room.rows(Topic) if topic.name == "Rivers")
    assert (rivers.owner_id, rivers.is_public, rivers.origin) == ((await room.reader()).id, False, Origin.WEB)
    await declare(room.ctx, clock.now(), pause_missing=True)
    await as_wished()
    due = [
        row for row in await room.rows(Schedule) if row.next_due_at and row.subscriber_id == (await room.reader()).id
    ]
    assert {(row.cadence, row.timezone) for row in due} == {
        ("weekdays at 18:05", "America/New_York"), ("weekly on sun at 10:15", "America/New_York"),
    }  # fmt: skip
    page = await room.client.get(await room.preferences_path())
    assert (page.headers["content-language"], f'lang="{OTHER}"' in page.text) == (OTHER, True)


async def test_topics_that_come_as_usual_follow_a_change_of_what_is_usual(room: Room) -> None:
    await send(room, (await form(room)).set("often", "monthly on 31").set("time", "06:00"))
    assert await room.follows() == {"all": "monthly on 31 at 06:00", "badgers": "weekly on fri at 09:00"}
    await send(room, (await form(room)).set(f"often-{await topic_id(room, 'badgers')}", ""))
    assert await room.follows() == {"all": "monthly on 31 at 06:00", "badgers": "monthly on 31 at 06:00"}


async def test_own_topics_are_edited_renamed_and_removed_and_then_they_are_gone(room: Room) -> None:
    await send(room, (await form(room)).set("query-new", "otter"))
    own = next(topic for topic in await room.rows(Topic) if topic.owner_id)
    filled = (await form(room)).set(f"query-{own.id}", "otter -river").set(f"name-{own.id}", "Dry otters")
    await send(room, filled.set(f"often-{own.id}", "instant"))
    again = next(topic for topic in await room.rows(Topic) if topic.owner_id)
    assert (again.id, again.query_text, again.name) == (own.id, "otter -river", "Dry otters")
    assert again.query_id != own.query_id
    assert (await room.follows())["otter -river"] == "instant"
    await send(room, (await form(room)).tick("drop", own.id))
    assert [topic for topic in await room.rows(Topic) if topic.owner_id] == []
    assert "otter" not in " ".join(await room.follows())


async def test_own_topics_are_bounded_in_number_and_length_and_must_be_queries(small: Room) -> None:
    for query, said in [
        ("otter (", "This is not understood"), ("x" * 501, "longer than 500"), ("", "Please write what to look for"),
    ]:  # fmt: skip
        answer = await send(small, (await form(small)).set("query-new", query).set("name-new", "Mine"))
        assert (answer.status, said in answer.text) == (422, True), query
        assert 'value="Mine"' in answer.text
    await send(small, (await form(small)).set("query-new", "otter"))
    answer = await send(small, (await form(small)).set("query-new", "OTTER"))
    assert (answer.status, "looks for the same" in answer.text) == (422, True)
    await send(small, (await form(small)).set("query-new", "beaver"))
    answer = await send(small, (await form(small)).set("query-new", "newt"))
    assert (answer.status, "There may be 2 topics" in answer.text) == (422, True)
    assert {topic.query_text for topic in await small.rows(Topic) if topic.owner_id} == {"otter", "beaver"}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("zone", "Mars/Base", "time zone from the list"),
        ("lang", "tlh", "language from the list"),
        ("layout", "comic", "layout from the list"),
        ("quiet_from", "25:99", "Please give both times"),
        ("quiet_from", "22:00", "Please give both times"),
        ("day", "", "leave one day"),
        ("often", "cron * * * * *", "how often from the list"),
        ("often", "", "how often from the list"),
        ("time", "half past", "a time of day"),
        ("until", "", "choose the day"),
        ("until", "2001-01-01", "still to come"),
        ("until", "9999-12-31", "within two years"),
    ],
)
async def test_a_mistake_changes_nothing_and_comes_back_with_everything_as_typed(
    small: Room, field: str, value: str, said: str
) -> None:
    before = {noun: await small.rows(noun) for noun in EVERYTHING}
    filled = (await form(small)).set("name", '<b>"Ann"').set("query-new", "otter").set("topic")
    filled.set("sending", "pause" if field == "until" else "on").set(field, value)
    answer = await send(small, filled)
    assert (answer.status, said in answer.text, 'role="alert"' in answer.text) == (422, True, True)
    shown = form_to(answer.text, filled.action)
    assert shown.values("name") == ['<b>"Ann"']
    assert shown.values("query-new") == ["otter"]
    assert shown.values("topic") == []
    if field not in ("day", "often", "lang", "layout"):
        assert shown.values(field) == [value]
    assert {noun: await small.rows(noun) for noun in EVERYTHING} == before


async def test_a_break_lasts_until_the_readers_own_midnight_and_can_be_ended_early(room: Room) -> None:
    day = (clock.now() + timedelta(days=9)).date()
    await send(room, (await form(room)).set("zone", "Asia/Tokyo").set("sending", "pause").set("until", f"{day}"))
    reader = await room.reader()
    assert (reader.status, reader.paused_by) == (SubscriberStatus.PAUSED, PausedBy.READER)
    assert reader.paused_until is not None
    assert f"{reader.paused_until:%H:%M}" == "15:00"
    assert (await form(room)).values("until") == [f"{day}"]
    assert "Nothing comes until" in (await room.client.get(await room.preferences_path())).text
    await send(room, (await form(room)).set("name", "Ann"))
    assert (await room.reader()).paused_until == reader.paused_until
    await send(room, (await form(room)).set("sending", "on"))
    assert (await room.reader()).status == SubscriberStatus.ACTIVE


async def test_a_pause_by_the_operator_is_not_the_readers_to_end(room: Room) -> None:
    filled, reader = await form(room), await room.reader()
    async with room.ctx.store.write() as tx:
        await enrolment.pause(tx, reader, PausedBy.OPERATOR, room.ctx.newsletter.id or 0, clock.now())
    assert "has paused your mail" in (await room.client.get(filled.action)).text
    await send(room, filled.set("sending", "on").set("name", "Anna"))
    reader = await room.reader()
    assert (reader.status, reader.paused_by, reader.name) == (SubscriberStatus.PAUSED, PausedBy.OPERATOR, "Anna")


async def test_a_stale_form_does_not_bring_back_who_has_left(room: Room) -> None:
    stale = (await form(room)).set("query-new", "otter")
    await room.client.post(await room.leave_path())
    answer = await send(room, stale)
    assert (answer.status, "You have left" in answer.text) == (200, True)
    assert (await room.reader()).status == SubscriberStatus.UNSUBSCRIBED
    assert await room.follows() == {}
    page = await room.client.get(stale.action)
    assert ("/subscribe" in page.text, ANN in page.text) == (True, False)


async def test_a_stale_form_keeps_what_another_tab_has_added(room: Room) -> None:
    stale = await form(room)
    await send(room, (await form(room)).set("query-new", "otter"))
    assert (await send(room, stale.set("name", "Anna"))).status == 303
    assert "otter" in await room.follows()


async def test_ids_of_other_people_and_of_hidden_topics_are_as_if_they_had_not_been_sent(room: Room) -> None:
    await send(room, (await form(room, BEN)).set("query-new", "otter"))
    bens = next(topic for topic in await room.rows(Topic) if topic.owner_id)
    filled = await form(room)
    before = await room.follows(), await room.follows(BEN)
    for name in ("topic", "drop", "own", "source"):
        filled.tick(name, bens.id).tick(name, await topic_id(room, "hidden")).tick(name, "x").tick(name, "9" * 40)
    filled.set(f"query-{bens.id}", "stolen").set(f"name-{bens.id}", "stolen").set(f"often-{bens.id}", "instant")
    assert (await send(room, filled)).status == 303
    assert (await room.follows(), await room.follows(BEN)) == before
    assert next(topic for topic in await room.rows(Topic) if topic.owner_id).query_text == "otter"
    assert "otter" not in (await room.client.get(await room.preferences_path())).text


async def test_a_hidden_topic_stays_with_the_reader_who_has_it_until_they_let_it_go(room: Room) -> None:
    hidden = await topic_id(room, "hidden")
    reader = await room.reader()
    async with room.ctx.store.write() as tx:
        topic = next(topic for topic in await room.rows(Topic) if topic.id == hidden)
        await enrolment.follow(tx, reader, topic, "daily at 07:30", origin=Origin.CLI, now=clock.now())
    assert (await send(room, await form(room))).status == 303
    assert "hidden" in await room.follows()
    await send(room, (await form(room)).untick("topic", hidden))
    await send(room, (await form(room)).tick("topic", hidden))
    assert "hidden" not in await room.follows()


async def test_a_topic_that_config_took_away_is_the_readers_own_once_they_tick_it(room: Room) -> None:
    follow = (await room.subscriptions())["badgers"]
    async with room.ctx.store.write() as tx:
        await enrolment.unfollow(tx, follow, PausedBy.CONFIG)
    assert f"{follow.topic_id}" not in (await form(room)).values("topic")
    await send(room, (await form(room)).tick("topic", follow.topic_id))
    again = (await room.subscriptions())["badgers"]
    assert (again.status, again.paused_by, again.origin) == ("active", None, Origin.WEB)


async def test_a_link_of_an_address_that_is_not_used_any_more_says_so_and_nothing_else(room: Room) -> None:
    reader, others = await room.reader(), await room.endpoint(BEN)
    stolen = room.path(preferring(reader.id or 0, others))
    unknown = room.path(preferring(987, 654))
    good = await room.preferences_path()
    async with room.ctx.store.write() as tx:
        await enrolment.erase(tx, room.ctx.address_key, reader, clock.now())
    for path in (stolen, unknown, good):
        for method in ("GET", "POST"):
            answer = await room.client.ask(method, path)
            assert (answer.status, "no longer used" in answer.text, "/lost" in answer.text) == (410, True, True)
    for path in ("/p/x", good[:-2], good.replace("/p/", "/v/"), good.replace("/p/", "/a/")):
        assert (await room.client.get(path)).status == 404


async def test_the_page_shows_no_whole_address_and_mails_a_fresh_link_at_most_every_ten_minutes(room: Room) -> None:
    path = await room.preferences_path()
    page = await room.client.get(path)
    assert ("a•••@reader.example" in page.text, ANN in page.text) == (True, False)
    answers = [await room.client.post(f"{path}/verify") for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert ANN not in answers[0].text
    (letter,) = await room.rows(Delivery)
    assert (letter.kind, letter.recipient) == ("confirmation", ANN)
    await room.client.post(await room.leave_path(BEN))
    assert (await room.client.post(f"{await room.preferences_path(BEN)}/verify")).status == 200
    assert [row.recipient for row in await room.rows(Delivery)] == [ANN, BEN]


async def test_a_field_without_end_and_a_file_are_refused(small: Room) -> None:
    path = await small.preferences_path()
    assert (await small.client.post(path, {"name": "x" * 200_000})).status == 413
    assert (await small.client.post(path, [(f"f{n}", "") for n in range(5_001)])).status == 400
    assert (await small.client.post(path, b"\x00\xff", headers={"Content-Type": "application/json"})).status == 422
    async with small.ctx.store.read() as tx:
        assert (await subscribers.by_email(tx, ANN)) is not None
