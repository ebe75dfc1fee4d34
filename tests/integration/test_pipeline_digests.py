"""The whole chain on both databases: who gets which story, when, and how often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import atom, settings, subjects, subscriber, texts, topic, world

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.once import once
from dispatcher.store import outbox, subscribers, topics

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
ANN = "ann@reader.example"
BEN = "ben@reader.example"


def at(hours: int, minutes: int = 0, day: int = 0) -> datetime:
    """A time of day in London's winter, counted from Monday."""
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes)


@dataclass
class Desk:
    """A newspaper's feed on disk and everything that has been sent of it."""

    folder: Path
    database_url: str
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    entries: list[tuple[str, str, datetime]] = field(default_factory=list)
    sections: dict[str, Any] = field(default_factory=dict)

    def publish(self, guid: str, title: str, published: datetime) -> None:
        """Put a story on top of the feed."""
        self.entries.insert(0, (guid, title, published))
        atom(self.folder / "feed.xml", *self.entries)

    @asynccontextmanager
    async def open(self, now: datetime, *readers: Any, topics: list[Any] | None = None) -> AsyncIterator[Context]:
        """The world at an instant, as config with these readers declares it."""
        source = {"name": "Gazette", "url": (self.folder / "feed.xml").as_uri(), "poll_every": "15m"}
        chosen = settings(
            self.folder,
            self.database_url,
            sources=[source],
            topics=topics or [topic("all", "*"), topic("energy", "energy"), topic("sport", "football OR rowing")],
            subscribers=list(readers),
            **self.sections,
        )
        async with world(chosen, now, transport=self.transport) as ctx:
            yield ctx

    async def run(self, now: datetime, *readers: Any, topics: list[Any] | None = None) -> list[str]:
        """One pass; returns the subjects that it sent."""
        before = len(self.transport.messages)
        async with self.open(now, *readers, topics=topics) as ctx:
            await once(ctx, now)
        return subjects(self.transport)[before:]


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Desk:
    """A desk with two stories from last night."""
    made = Desk(tmp_path, database_url)
    made.publish("one", "Energy prices fall", at(-8))
    made.publish("two", "Rowing club wins", at(-7))
    return made


def reader(*topics: Any, email: str = ANN, **changes: Any) -> Any:
    """A Londoner who wants mail at half past seven."""
    return subscriber(
        email, *(topics or ("all",)), **{"timezone": "Europe/London", "cadence": "daily at 07:30"} | changes
    )


async def test_a_daily_reader_gets_one_digest_a_day_and_only_with_new_stories(desk: Desk) -> None:
    assert await desk.run(at(7), reader()) == []
    assert len(await desk.run(at(7, 31), reader())) == 1
    assert await desk.run(at(7, 32), reader()) == []
    desk.publish("three", "A bridge opens", at(12))
    assert len(await desk.run(at(7, 31, day=1), reader())) == 1
    assert "A bridge opens" in texts(desk.transport)[1]
    assert "Energy prices fall" not in texts(desk.transport)[1]
    assert await desk.run(at(7, 31, day=2), reader()) == []


async def test_a_reader_in_the_database_and_one_in_config_both_get_theirs(desk: Desk) -> None:
    async with desk.open(at(7), reader()) as ctx:
        await enrol_by_hand(ctx, BEN, "all", at(7))
    await desk.run(at(7, 31), reader())
    assert sorted(kept.recipient for kept in desk.transport.messages) == [ANN, BEN]


async def enrol_by_hand(ctx: Context, email: str, slug: str, now: datetime, cadence: str = "daily at 07:30") -> None:
    """What `subscribers add` does."""
    from dispatcher.model.values import Origin
    from dispatcher.pipeline.admission import admit
    from dispatcher.pipeline.entries import subscriber_entry

    async with ctx.store.write() as tx:
        known = {found.slug: found for found in await topics.every(tx)}
        entry = subscriber_entry(email=email, timezone="Europe/London", cadence=cadence, topics=[slug])
        await admit(ctx, tx, entry, known, now, origin=Origin.CLI)


async def test_a_reader_taken_out_of_config_is_paused_and_wakes_when_named_again(desk: Desk) -> None:
    await desk.run(at(7), reader(), reader(email=BEN))
    await desk.run(at(7, 31), reader())
    assert [kept.recipient for kept in desk.transport.messages] == [ANN]
    desk.publish("three", "A bridge opens", at(12))
    await desk.run(at(8), reader(), reader(email=BEN))
    await desk.run(at(7, 31, day=1), reader(), reader(email=BEN))
    assert sorted(kept.recipient for kept in desk.transport.messages[1:]) == [ANN, BEN]


async def test_config_never_brings_back_somebody_who_unsubscribed(desk: Desk) -> None:
    async with desk.open(at(7), reader(), reader(email=BEN)) as ctx, ctx.store.write() as tx:
        person = await subscribers.by_email(tx, ANN)
        assert person is not None
        await enrolment.leave(tx, ctx.address_key, person, ctx.newsletter.id or 0, at(7))
    await desk.run(at(7, 31), reader(), reader(email=BEN))
    await desk.run(at(7, 31, day=1), reader(timezone="UTC"), reader(email=BEN))
    assert {kept.recipient for kept in desk.transport.messages} == {BEN}


async def test_config_never_brings_back_somebody_who_was_erased(desk: Desk) -> None:
    async with desk.open(at(7), reader()) as ctx, ctx.store.write() as tx:
        person = await subscribers.by_email(tx, ANN)
        assert person is not None
        await enrolment.erase(tx, ctx.address_key, person, at(7))
    assert await desk.run(at(7, 31), reader()) == []
    async with desk.open(at(8), reader()) as ctx, ctx.store.read() as tx:
        assert await subscribers.by_email(tx, ANN) is None


async def test_a_story_in_two_topics_and_two_cadences_reaches_its_reader_once(desk: Desk) -> None:
    keen = reader("energy", "sport", {"topic": "all", "cadence": "weekly on mon at 07:30"})
    await desk.run(at(7), keen)
    await desk.run(at(7, 31), keen)
    desk.publish("three", "Energy from rowing machines", at(12))
    for day in range(1, 9):
        await desk.run(at(7, 31, day=day), keen)
    everything = "\n".join(texts(desk.transport))
    for title in ("Energy prices fall", "Rowing club wins", "Energy from rowing machines"):
        assert everything.count(f"{title} in a sentence") == 1, title


async def test_a_cadence_changed_a_minute_before_the_slot_loses_nothing_and_repeats_nothing(desk: Desk) -> None:
    await desk.run(at(7), reader())
    assert await desk.run(at(7, 29), reader(cadence="daily at 09:00")) == []
    assert await desk.run(at(7, 31), reader(cadence="daily at 09:00")) == []
    assert len(await desk.run(at(9, 1), reader(cadence="daily at 09:00"))) == 1
    assert await desk.run(at(9, 2), reader(cadence="daily at 09:30")) == []
    assert await desk.run(at(9, 31), reader(cadence="daily at 09:30")) == []
    assert "Energy prices fall" in texts(desk.transport)[0]


async def test_a_zone_changed_a_minute_before_the_slot_loses_nothing_and_repeats_nothing(desk: Desk) -> None:
    await desk.run(at(7), reader())
    assert await desk.run(at(7, 29), reader(timezone="Europe/Berlin")) == []
    assert await desk.run(at(7, 31), reader(timezone="Europe/Berlin")) == []
    assert len(await desk.run(at(6, 31, day=1), reader(timezone="Europe/Berlin"))) == 1
    assert "Energy prices fall" in texts(desk.transport)[0]
    assert await desk.run(at(7, 31, day=1), reader(timezone="Europe/London")) == []


async def test_a_change_from_weekly_to_daily_still_brings_the_unread_of_the_week(desk: Desk) -> None:
    weekly = reader(cadence="weekly on mon at 07:30")
    await desk.run(at(7), weekly)
    await desk.run(at(7, 31), weekly)
    for day in range(1, 6):
        desk.publish(f"day{day}", f"News of day {day}", at(12, day=day))
        await desk.run(at(12, 1, day=day), weekly)
    await desk.run(at(20, day=5), reader())
    await desk.run(at(7, 31, day=6), reader())
    assert all(f"News of day {day}" in texts(desk.transport)[1] for day in range(1, 6))


async def test_a_change_from_daily_to_instant_brings_the_unread_at_once(desk: Desk) -> None:
    await desk.run(at(7), reader())
    sent = await desk.run(at(7, 29), reader(cadence="instant"))
    assert len(sent) == 2
    assert await desk.run(at(7, 31), reader(cadence="instant")) == []


async def test_a_topic_added_after_an_article_is_matched_backwards(desk: Desk) -> None:
    desk.publish("three", "Badger seen in market square", at(6))
    await desk.run(at(7), reader("energy"))
    offered = [topic("energy", "energy"), topic("badgers", "badger")]
    await desk.run(at(7, 10), reader("energy", "badgers"), topics=offered)
    await desk.run(at(7, 31), reader("energy", "badgers"), topics=offered)
    assert "Badger seen in market square" in texts(desk.transport)[0]


async def test_two_readers_with_one_query_under_names_of_their_own_never_see_each_others(desk: Desk) -> None:
    offered = [topic("a", "energy prices", name="Ann's bills"), topic("b", "prices  ENERGY", name="Ben's research")]
    both = (reader("a"), reader("b", email=BEN))
    await desk.run(at(7), *both, topics=offered)
    await desk.run(at(7, 31), *both, topics=offered)
    async with desk.open(at(8), *both, topics=offered) as ctx, ctx.store.read() as tx:
        assert len({found.query_id for found in await topics.every(tx)}) == 1
    (ann,), (ben,) = texts(desk.transport, ANN), texts(desk.transport, BEN)
    assert "Ann's bills" in ann
    assert "Ben's research" not in ann
    assert "Ben's research" in ben
    assert "Ann's bills" not in ben


async def test_readers_who_see_the_same_share_one_digest(desk: Desk) -> None:
    readers = [reader(email=f"r{n}@reader.example", name=f"Reader {n}") for n in range(5)]
    await desk.run(at(7), *readers)
    async with desk.open(at(7, 31), *readers) as ctx:
        done = await once(ctx, at(7, 31))
    assert (done.plan.digests, done.plan.deliveries, done.send.sent) == (1, 5, 5)


async def test_an_instant_reader_gets_new_stories_at_once_but_no_back_catalogue(desk: Desk) -> None:
    keen = reader(cadence="instant")
    assert await desk.run(at(7), keen) == []
    desk.publish("three", "A bridge opens", at(7, 4))
    sent = await desk.run(at(7, 5), keen)
    assert len(sent) == 1
    assert "A bridge opens" in sent[0]
    assert await desk.run(at(7, 6), keen) == []


async def test_more_than_five_instant_stories_at_once_become_one_digest(desk: Desk) -> None:
    keen = reader(cadence="instant")
    await desk.run(at(7), keen)
    for number in range(6):
        desk.publish(f"n{number}", f"Story number {number}", at(7, 4))
    assert len(await desk.run(at(7, 5), keen)) == 1
    for number in range(10, 15):
        desk.publish(f"n{number}", f"Story number {number}", at(7, 6))
    assert len(await desk.run(at(7, 7), keen)) == 5


async def test_a_first_poll_brings_only_what_was_published_within_a_period(desk: Desk) -> None:
    desk.publish("old", "Last year's news", at(0, day=-300))
    desk.publish("older", "Three days old", at(0, day=-3))
    await desk.run(at(7), reader())
    await desk.run(at(7, 31), reader())
    assert "Last year's news" not in texts(desk.transport)[0]
    assert "Three days old" not in texts(desk.transport)[0]
    assert "Energy prices fall" in texts(desk.transport)[0]


async def test_first_digest_nothing_begins_with_what_comes_after(desk: Desk) -> None:
    desk.sections = {"schedule": {"first_digest": "nothing"}}
    await desk.run(at(7), reader())
    desk.publish("three", "A bridge opens", at(7, 10))
    await desk.run(at(7, 31), reader())
    assert "A bridge opens" in texts(desk.transport)[0]
    assert "Energy prices fall" not in texts(desk.transport)[0]


async def test_a_machine_that_was_down_over_a_slot_folds_it_into_the_next(desk: Desk) -> None:
    await desk.run(at(7), reader())
    await desk.run(at(7, 31), reader())
    desk.publish("three", "A bridge opens", at(12))
    await desk.run(at(12, 5), reader())
    desk.publish("four", "The bridge closes", at(12, day=1))
    assert await desk.run(at(6, day=2), reader()) == []  # Tuesday's slot, 22 hours late, is skipped
    assert len(await desk.run(at(7, 31, day=2), reader())) == 1
    assert "A bridge opens" in texts(desk.transport)[1]
    assert "The bridge closes" in texts(desk.transport)[1]


async def test_a_slot_missed_by_hours_is_still_served_once(desk: Desk) -> None:
    await desk.run(at(7), reader())
    assert len(await desk.run(at(13), reader())) == 1
    assert await desk.run(at(13, 1), reader()) == []
    desk.publish("three", "A bridge opens", at(14))
    assert len(await desk.run(at(7, 31, day=1), reader())) == 1


async def test_an_edit_before_the_slot_is_silent_and_after_it_brings_no_second_mail(desk: Desk) -> None:
    await desk.run(at(7), reader())
    desk.entries = [(guid, title.replace("fall", "fall sharply"), when) for guid, title, when in desk.entries]
    atom(desk.folder / "feed.xml", *desk.entries)
    await desk.run(at(7, 10), reader())
    await desk.run(at(7, 31), reader())
    assert "Energy prices fall sharply" in texts(desk.transport)[0]
    desk.entries = [(guid, title.replace("sharply", "slowly"), when) for guid, title, when in desk.entries]
    atom(desk.folder / "feed.xml", *desk.entries)
    await desk.run(at(8), reader())
    assert await desk.run(at(7, 31, day=1), reader()) == []


async def test_what_expired_before_it_arrived_comes_with_the_next_digest(desk: Desk) -> None:
    await desk.run(at(7), reader())
    async with desk.open(at(7, 31), reader()) as ctx:
        from dispatcher.pipeline.plan import plan

        assert (await plan(ctx, at(7, 31))).deliveries == 1  # planned, and then the power goes
    assert len(await desk.run(at(7, 31, day=1), reader())) == 1
    assert "Energy prices fall" in texts(desk.transport)[0]
    async with desk.open(at(8, day=1), reader()) as ctx, ctx.store.read() as tx:
        counts = await outbox.counts(tx)
    assert (counts["expired"], counts["sent"]) == (1, 1)


async def test_the_cap_says_how_many_more_there_are(desk: Desk) -> None:
    desk.sections = {"digest": {"max_articles": 3}}
    for number in range(8):
        desk.publish(f"n{number}", f"Story number {number}", at(6, number))
    await desk.run(at(7), reader())
    await desk.run(at(7, 31), reader())
    (text,) = texts(desk.transport)
    assert "Story number 7" in text
    assert "Story number 4" not in text
    assert "7" in text


async def test_the_hour_that_comes_twice_in_autumn_brings_one_digest(desk: Desk) -> None:
    night = reader(cadence="daily at 01:30")
    autumn = datetime(2026, 10, 25, tzinfo=UTC)  # London: 01:30 comes twice
    desk.entries.clear()
    desk.publish("one", "Energy prices fall", autumn - timedelta(hours=9))
    await desk.run(autumn, night)
    assert len(await desk.run(autumn + timedelta(minutes=31), night)) == 1
    desk.publish("two", "Clocks go back", autumn + timedelta(minutes=40))
    assert await desk.run(autumn + timedelta(minutes=91), night) == []
    assert len(await desk.run(autumn + timedelta(days=1, minutes=91), night)) == 1
