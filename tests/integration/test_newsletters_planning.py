"""Several newsletters in one installation: each reader gets a digest of each, and each is a publication of its own."""

from __future__ import annotations

import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from builders import atom, settings, subscriber, topic, world

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.digest.assembly import assemble
from dispatcher.digest.wire import Wire
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import SubscriberStatus
from dispatcher.pipeline import departure, wires
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.links import leaving
from dispatcher.pipeline.once import once
from dispatcher.pipeline.plan import plan
from dispatcher.store import newsletters, subscribers, topics
from dispatcher.store.engine import many

ANN, BEN = "ann@reader.example", "ben@reader.example"
TOPICS = [topic("town", "council OR bridge"), topic("football", "football OR bridge"), topic("rowing", "rowing")]
SPORT = {
    "slug": "sport", "name": "Sport", "from": "The Sport Desk <sport@goals.example>",
    "bounce_address": "bounces@goals.example", "language": "de", "postal_address": "Pitch 1", "url": "https://goals.example/",
    "theme": {"accent": "#0b6e4f"}, "digest": {"max_articles": 1, "order": "relevant"},
    "topics": ["football", "rowing"],
}  # fmt: skip
LETTER = {"slug": "editors-letter", "name": "The Editor's Letter"}


def at(hours: int, minutes: int = 0, day: int = 0) -> datetime:
    return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=day, hours=hours, minutes=minutes)


@dataclass
class House:
    """A publishing house: one feed, and the newsletters that are made of it."""

    folder: Path
    url: str
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    entries: list[tuple[str, str, datetime]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=lambda: [SPORT, LETTER])
    sections: dict[str, Any] = field(default_factory=dict)

    def publish(self, guid: str, title: str, published: datetime) -> None:
        self.entries.insert(0, (guid, title, published))
        atom(self.folder / "feed.xml", *self.entries)

    @asynccontextmanager
    async def open(self, now: datetime) -> AsyncIterator[Context]:
        """The house at an instant: Ann reads all of it, Ben sport alone."""
        chosen = settings(
            self.folder,
            self.url,
            **{
                "site": {"name": "The Gazette", "postal_address": "Print Street 1"},
                "web": {"url": "https://letters.example"},
                "sources": [{"name": "Gazette", "url": (self.folder / "feed.xml").as_uri(), "poll_every": "15m"}],
                "topics": TOPICS,
                "newsletters": self.letters,
                "subscribers": [subscriber(ANN, "town", "football", "editors-letter"), subscriber(BEN, "football")],
                **self.sections,
            },
        )
        async with world(chosen, now, transport=self.transport) as ctx:
            yield ctx

    async def run(self, now: datetime) -> None:
        """One pass of everything."""
        async with self.open(now) as ctx:
            await once(ctx, now)

    def mails(self, recipient: str) -> list[EmailMessage]:
        return [
            email.message_from_bytes(one.data, policy=email.policy.default)  # type: ignore[misc]
            for one in self.transport.messages
            if one.recipient == recipient
        ]


@pytest.fixture
async def house(tmp_path: Path, furnished_url: str) -> House:
    made = House(tmp_path, furnished_url)
    made.publish("one", "The council meets", at(-8))
    made.publish("two", "Football: a draw", at(-7))
    return made


async def test_a_reader_of_two_newsletters_gets_two_digests_each_under_its_own_name(house: House) -> None:
    await house.run(at(6))
    await house.run(at(7, 31))
    town, sport = house.mails(ANN)
    assert [str(town["From"]), str(sport["From"])] == [
        "The Gazette <news@gazette.example>", "The Sport Desk <sport@goals.example>",
    ]  # fmt: skip
    assert str(town["List-Id"]).endswith("<news.gazette.example>")
    assert str(sport["List-Id"]) == "Sport <sport.goals.example>"
    assert str(sport["Message-ID"]).endswith("@goals.example>")
    assert town["List-Unsubscribe"] != sport["List-Unsubscribe"]
    assert sport["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    body = str(sport.get_body(("html",)).get_content())  # type: ignore[union-attr]
    assert 'lang="de"' in body
    assert "Pitch 1" in body
    assert "#0b6e4f" in body.lower()
    assert "Print Street 1" not in body
    assert "council" not in body
    assert [str(one["From"]) for one in house.mails(BEN)] == [str(sport["From"])]
    senders = {one.envelope_from.partition("+")[0] for one in house.transport.messages}
    assert senders == {"news@gazette.example", "bounces"}


async def test_planning_again_makes_nothing_and_a_story_comes_once_whatever_one_reads(house: House) -> None:
    house.publish("three", "A bridge for football", at(-6))
    async with house.open(at(6)) as ctx:
        await ingest(ctx, at(6))
    async with house.open(at(7, 31)) as ctx:
        first = await plan(ctx, at(7, 31))
        again = await plan(ctx, at(7, 31))
        assert (first.deliveries, again.deliveries) == (3, 0)
        async with ctx.store.read() as tx:
            keys = [row.key for row in await many(tx, Delivery)]
            digests = {row.id: row for row in await many(tx, Digest)}
            ann = await subscribers.by_email(tx, ANN)
            assert ann is not None
            mine = [one for one in await many(tx, Delivery) if one.subscriber_id == ann.id]
        sport = ctx.publications.named("sport")
        assert len({key.split(":")[1] for key in keys}) == 2
        stories = [item[2] for one in mine for item in digests[one.digest_id].items]
        assert len(stories) == len(set(stories)) == 3
        (theirs,) = (one for one in mine if one.newsletter_id == sport.id)
        assert digests[theirs.digest_id].more == 0, "the bridge is in the first one, the default newsletter's"
        (bens,) = (one for one in digests.values() if one.newsletter_id == sport.id and one.more)
        assert len(bens.items) == 1, "of two stories, because max_articles is the newsletter's own"


async def test_what_was_kept_is_sent_as_it_was_whatever_becomes_of_the_newsletter(house: House) -> None:
    await house.run(at(6))
    async with house.open(at(7, 31)) as ctx:
        await plan(ctx, at(7, 31))
        before = await messages(ctx)
    assert len(before) == 3
    house.letters = [{**SPORT, "from": "Another <other@else.example>", "name": "Another"}]
    async with house.open(at(7, 32)) as ctx:
        assert await messages(ctx) == before


async def messages(ctx: Context) -> list[bytes]:
    """What waits in the outbox, as it would go to the wire."""
    async with ctx.store.read() as tx:
        waiting = await many(tx, Delivery)
    found = await wires.load(ctx, [one.digest_id or 0 for one in waiting])
    made = [(one, found[one.digest_id or 0]) for one in waiting]
    return [assemble(wire, wires.envelope_of(one, wire, ctx.keyring)) for one, wire in made if isinstance(wire, Wire)]


async def test_whoever_leaves_one_newsletter_keeps_the_others_and_config_does_not_bring_them_back(house: House) -> None:
    await house.run(at(6))
    async with house.open(at(7, 31)) as ctx:
        await plan(ctx, at(7, 31))
        async with ctx.store.read() as tx:
            ann = await subscribers.by_email(tx, ANN)
        assert ann is not None
        sport = ctx.publications.named("sport")
        link = ctx.keyring.sign(*_signed(leaving(ann.id or 0, sport.id or 0)))
        left = await departure.leave_by_token(ctx, link, at(7, 31))
        assert [one.name for one in left.topics] == ["football"]
        assert [one.slug for one in left.others] == ["default", "editors-letter"]
        assert not (await departure.look(ctx, link, at(7, 32))).is_here
        async with ctx.store.read() as tx:
            assert await newsletters.readers_of(tx, sport.id or 0) != []
            assert ann.id not in await newsletters.readers_of(tx, sport.id or 0)
            assert ann.id in await newsletters.readers_of(tx, ctx.newsletter.id or 0)
    await house.run(at(7, 33))
    assert [str(one["From"]) for one in house.mails(ANN)] == ["The Gazette <news@gazette.example>"]
    assert len(house.mails(BEN)) == 1

    house.publish("four", "Rowing and football", at(8))
    house.sections["subscribers"] = [subscriber(ANN, "town", "rowing", "football"), subscriber(BEN, "football")]
    await house.run(at(7, 31, day=1))
    assert len(house.mails(ANN)) == 1, "no topic of a newsletter that she has left, not even a new one"
    async with house.open(at(7, 40, day=1)) as ctx, ctx.store.read() as tx:
        assert ((await subscribers.by_email(tx, ANN)) or ann).status == SubscriberStatus.ACTIVE


async def test_a_departure_is_taken_back_one_newsletter_or_all(house: House) -> None:
    async with house.open(at(6)) as ctx:
        async with ctx.store.read() as tx:
            ann = await subscribers.by_email(tx, ANN)
        assert ann is not None
        number, sport = ann.id or 0, ctx.publications.named("sport").id or 0

        async def followed() -> list[str]:
            async with ctx.store.read() as tx:
                mine = (await subscribers.subscriptions(tx, [number]))[number]
                known = await topics.by_ids(tx, [one.topic_id for one in mine])
                return sorted(known[one.topic_id].slug for one in mine if one.status == "active")

        one = await departure.leave_by_token(ctx, ctx.keyring.sign(*_signed(leaving(number, sport))), at(6))
        assert await followed() == ["editors-letter", "town"]
        assert one.undo is not None
        await departure.undo(ctx, _token(ctx, one.undo), at(6, 1))
        assert await followed() == ["editors-letter", "football", "town"]
        gone = await departure.leave_by_token(ctx, ctx.keyring.sign(*_signed(leaving(number, 0))), at(6, 2))
        assert await followed() == []
        assert gone.undo is not None
        async with ctx.store.read() as tx:
            assert (await subscribers.by_ids(tx, [number]))[number].status == SubscriberStatus.UNSUBSCRIBED
        back = await departure.undo(ctx, _token(ctx, gone.undo), at(6, 3))
        assert back.is_here
        assert await followed() == ["editors-letter", "football", "town"]
        async with ctx.store.read() as tx:
            due = {row.newsletter_id for row in (await subscribers.schedules(tx, [number]))[number] if row.next_due_at}
        assert len(due) == 3


async def test_a_topic_that_moves_to_another_newsletter_takes_its_readers_along(house: House) -> None:
    await house.run(at(6))
    house.letters = [{**SPORT, "topics": ["rowing"]}, {"slug": "ball", "name": "Ball", "topics": ["football"]}, LETTER]
    await house.run(at(7))
    await house.run(at(7, 31))
    assert [str(one["List-Id"]) for one in house.mails(BEN)] == ["Ball <ball.gazette.example>"]
    house.publish("five", "Football: a win", at(9))
    house.letters = [LETTER]
    await house.run(at(10))
    await house.run(at(7, 31, day=1))
    assert str(house.mails(BEN)[-1]["From"]) == "The Gazette <news@gazette.example>"
    async with house.open(at(8, 0, day=1)) as ctx:
        assert {one.slug: one.is_paused for one in ctx.newsletters.values()} == {
            "default": False, "sport": True, "editors-letter": False, "ball": True,
        }  # fmt: skip


async def test_a_newsletter_without_topics_has_readers_and_no_article_is_matched_for_it(house: House) -> None:
    async with house.open(at(6)) as ctx:
        await ingest(ctx, at(6))
        letter = ctx.publications.named("editors-letter")
        async with ctx.store.read() as tx:
            itself = await topics.by_slug(tx, "editors-letter")
            assert itself is not None
            assert (itself.newsletter_id, itself.query_text, itself.name) == (letter.id, "", "The Editor's Letter")
            assert itself.query_id not in await topics.live_queries(tx)
            assert await topics.unmatched_backwards(tx) == []
            assert (await topics.figures(tx))[itself.id or 0] == (0, 1)
            assert len(await newsletters.readers_of(tx, letter.id or 0)) == 1
            assert await newsletters.count_readers(tx) == {1: 1, letter.id: 1, ctx.publications.named("sport").id: 2}
    house.letters = [SPORT, {**LETTER, "topics": ["rowing"]}]
    house.letters[0] = {**SPORT, "topics": ["football"]}
    async with house.open(at(6, 5)) as ctx:
        assert (await declare(ctx, at(6, 6), pause_missing=True)).paused == 0
        async with ctx.store.read() as tx:
            assert len(await newsletters.readers_of(tx, letter.id or 0)) == 1, "who followed it itself still does"


def _signed(action: Any) -> tuple[Any, ...]:
    return (action.purpose, *action.claims)


def _token(ctx: Context, action: Any) -> str:
    return ctx.keyring.sign(action.purpose, *action.claims, expires_at=action.expires_at)
