"""Editions on their way: to whom they go and when, once each whatever happens, and how they are stopped."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import atom, settings, subscriber, topic

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.errors import ConfigError
from dispatcher.model.edition import EditionStatus
from dispatcher.pipeline import editions, enrolment, release
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.editions import EditionError
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.store import editions as stored
from dispatcher.store import outbox, subscribers

MONDAY = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
WEEK = """---
subject: What a week
preheader: Boats and badgers
{facts}
---
# Dear readers

It was a **good** week. [More](https://news.example/more)

```stories
topic: badgers
since: 7d
limit: 3
```

Until then.
"""


def manuscript(*facts: str) -> str:
    """An edition with these lines in its front matter."""
    return WEEK.format(facts="\n".join(facts))


OLD = (
    ("one", "Badger seen in market square", MONDAY - timedelta(hours=9)),
    ("zero", "Badger of last winter", MONDAY - timedelta(days=60)),
)


class House:
    """A newsletter on one database, with readers in several places, and what they were sent."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url, self.transport = folder, url, MemoryTransport(max_connections=4)

    @asynccontextmanager
    async def open(self, now: datetime = MONDAY) -> AsyncIterator[Context]:
        """A process of it."""
        feed = atom(self.folder / "feed.xml", *OLD)
        people = [
            subscriber("ann@reader.example", "badgers", name="Ann", timezone="Europe/London"),
            subscriber("ben@reader.example", "boats", timezone="America/New_York", locale="de"),
            subscriber("cleo@reader.example", "badgers", timezone="Pacific/Auckland", cadence="weekly on mon at 08:00"),
        ]
        chosen = settings(
            self.folder, self.url, sources=[{"name": "Gazette", "url": feed.as_uri()}], subscribers=people,
            topics=[topic("badgers", "badger"), topic("boats", "boat")], web={"url": "https://l.example"},
        )  # fmt: skip
        async with open_context(chosen, now=now, transport=self.transport) as ctx:
            await declare(ctx, now)
            yield ctx

    async def write(self, ctx: Context, *facts: str, now: datetime = MONDAY) -> str:
        """Keep and schedule an edition; its slug."""
        async with ctx.store.write() as tx:
            kept = await editions.keep(ctx, tx, manuscript(*facts), now, name="week.md")
            await editions.schedule(tx, kept.slug, now, at=None if kept.send_at else now)
        return kept.slug

    @property
    def readers(self) -> list[str]:
        """Who was sent something, once for each mail."""
        return sorted(sent.recipient.partition("@")[0] for sent in self.transport.messages)

    def parsed(self, reader: str) -> Any:
        """What one was sent."""
        (found,) = [sent for sent in self.transport.messages if sent.recipient.startswith(reader)]
        return email.message_from_bytes(found.data, policy=email.policy.default)


@pytest.fixture
def house(tmp_path: Path, furnished_url: str) -> House:
    """The world of these tests."""
    return House(tmp_path, furnished_url)


async def passed(ctx: Context, now: datetime) -> None:
    """One pass of plan and send."""
    await plan(ctx, now)
    await send(ctx, now)


async def status_of(ctx: Context, slug: str) -> EditionStatus:
    """Where an edition stands."""
    async with ctx.store.read() as tx:
        return (await editions.named(tx, slug)).status


async def test_an_edition_reaches_every_reader_of_its_newsletter_once_with_its_words_and_stories(house: House) -> None:
    async with house.open() as ctx:
        await ingest(ctx, MONDAY, everything=True)
        slug = await house.write(ctx)
        await release.release(ctx, MONDAY)
        await send(ctx, MONDAY)
        await passed(ctx, MONDAY + timedelta(minutes=1))
        mine = [m for m in house.transport.messages if b"What a week" in m.data]
        assert sorted(m.recipient[:3] for m in mine) == ["ann", "ben", "cle"]
        assert await status_of(ctx, slug) is EditionStatus.SENT
        ann = email.message_from_bytes(next(m.data for m in mine if m.recipient.startswith("ann")),
                                       policy=email.policy.default)  # fmt: skip
    assert ann["Subject"] == "What a week"
    assert ann["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = (ann.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert "More <https://news.example/more>" in text
    assert "<strong>good</strong>" in html
    assert "Boats and badgers" in html


@pytest.mark.parametrize(
    ("fact", "readers"),
    [
        ("topics: [boats]", ["ben"]),
        ("locale: [de, fr]", ["ben"]),
        ("timezone: Europe/London", ["ann"]),
        ("cadence: weekly", ["cleo"]),
        ("origin: config", ["ann", "ben", "cleo"]),
        ("origin: web", []),
        ("since: 2026-03-02", ["ann", "ben", "cleo"]),
        ("before: 2026-03-02", []),
    ],
)
async def test_an_audience_is_asked_when_it_is_sent(house: House, fact: str, readers: list[str]) -> None:
    async with house.open() as ctx:
        await house.write(ctx, fact)
        await release.release(ctx, MONDAY)
        await send(ctx, MONDAY)
    assert house.readers == readers


async def test_each_reader_gets_it_at_that_hour_in_their_own_zone(house: House) -> None:
    async with house.open() as ctx:
        slug = await house.write(ctx, "send_at: 2026-03-03 08:00", "in_reader_zone: true")
        for at, readers in (
            (datetime(2026, 3, 2, 18, 59, tzinfo=UTC), []),
            (datetime(2026, 3, 2, 19, 0, tzinfo=UTC), ["cleo"]),
            (datetime(2026, 3, 3, 8, 0, tzinfo=UTC), ["ann", "cleo"]),
            (datetime(2026, 3, 3, 13, 0, tzinfo=UTC), ["ann", "ben", "cleo"]),
        ):
            await release.release(ctx, at)
            await send(ctx, at)
            assert house.readers == readers
        assert await status_of(ctx, slug) is EditionStatus.SENDING
        await release.release(ctx, datetime(2026, 3, 3, 20, 0, tzinfo=UTC))
        await release.release(ctx, datetime(2026, 3, 3, 20, 1, tzinfo=UTC))
        assert await status_of(ctx, slug) is EditionStatus.SENT
    assert house.readers == ["ann", "ben", "cleo"]


@pytest.mark.parametrize(
    ("hour", "london", "new_york"),
    [
        ("2026-03-29 01:30", "2026-03-29 01:30", "2026-03-29 05:30"),  # London has no such hour: its clock says 02:30
        ("2026-10-25 01:30", "2026-10-25 00:30", "2026-10-25 05:30"),  # London has it twice: the first counts
        ("2026-11-01 01:30", "2026-11-01 01:30", "2026-11-01 05:30"),  # so has New York
    ],
)
async def test_an_hour_that_a_clock_leaves_out_or_shows_twice_comes_once(
    house: House, hour: str, london: str, new_york: str
) -> None:
    async with house.open() as ctx:
        await house.write(ctx, f"send_at: {hour}", "in_reader_zone: true")
        for days in range(-1, 2):
            await release.release(ctx, datetime.fromisoformat(f"{hour}Z") + timedelta(days=days))
        async with ctx.store.read() as tx:
            slots = {mail.recipient[:3]: mail.slot_at for mail in await outbox.listing(tx)}
    assert (f"{slots['ann']:%Y-%m-%d %H:%M}", f"{slots['ben']:%Y-%m-%d %H:%M}") == (london, new_york)
    assert len(slots) == 3


async def test_who_moves_to_a_zone_that_had_it_already_still_gets_it(house: House) -> None:
    async with house.open() as ctx:
        await house.write(ctx, "send_at: 2026-03-03 08:00", "in_reader_zone: true")
        await release.release(ctx, datetime(2026, 3, 2, 19, 0, tzinfo=UTC))
        async with ctx.store.write() as tx:
            ann = await subscribers.by_email(tx, "ann@reader.example")
            assert ann is not None
            await subscribers.write(tx, ann.id or 0, timezone="Pacific/Auckland")
        for hour in (8, 13, 20, 21):
            await release.release(ctx, datetime(2026, 3, 3, hour, tzinfo=UTC))
        await send(ctx, datetime(2026, 3, 3, 21, tzinfo=UTC))
    assert house.readers == ["ann", "ben", "cleo"]


async def test_two_processes_that_release_in_small_portions_serve_everybody_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "PORTION", 1)
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(house.open()) for _ in range(2)]
        await house.write(one)
        await asyncio.gather(release.release(one, MONDAY), release.release(other, MONDAY))
        await asyncio.gather(send(one, MONDAY), send(other, MONDAY))
    assert house.readers == ["ann", "ben", "cleo"]


async def test_whoever_takes_over_in_the_middle_goes_on_where_it_stood(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "PORTION", 1)
    async with house.open() as ctx:
        slug = await house.write(ctx)
        async with ctx.store.read() as tx:
            edition = await editions.named(tx, slug)
        async with ctx.store.write() as tx:
            assert await release._serve(ctx, tx, edition.id or 0, MONDAY) == 1
        with pytest.raises(RuntimeError, match="killed"):
            await serve_and_die(ctx, edition.id or 0)
    async with house.open() as ctx:
        await release.release(ctx, MONDAY)
        await send(ctx, MONDAY)
    assert house.readers == ["ann", "ben", "cleo"]


async def serve_and_die(ctx: Context, edition_id: int) -> None:
    """Serve a portion, but for the commit."""
    async with ctx.store.write() as tx:
        await release._serve(ctx, tx, edition_id, MONDAY)
        raise RuntimeError("killed before the commit")


async def test_who_leaves_between_schedule_and_send_gets_nothing_and_so_does_who_leaves_after_the_release(
    house: House,
) -> None:
    async with house.open() as ctx:
        await house.write(ctx)
        await leave(ctx, "ann@reader.example")
        await release.release(ctx, MONDAY)
        await leave(ctx, "ben@reader.example")
        await send(ctx, MONDAY)
    assert house.readers == ["cleo"]


async def leave(ctx: Context, address: str) -> None:
    """A reader leaves the newsletter."""
    async with ctx.store.write() as tx:
        person = await subscribers.by_email(tx, address)
        assert person is not None
        await enrolment.leave(tx, ctx.address_key, person, ctx.newsletter.id or 0, MONDAY)


async def test_a_pause_holds_what_has_not_left_and_resume_lets_it_go(house: House) -> None:
    async with house.open() as ctx:
        slug = await house.write(ctx)
        await release.release(ctx, MONDAY)
        async with ctx.store.write() as tx:
            assert await editions.pause(tx, slug, MONDAY) == 3
        await passed(ctx, MONDAY)
        assert house.readers == []
        async with ctx.store.write() as tx:
            assert await editions.resume(tx, slug, MONDAY) == 3
        await release.release(ctx, MONDAY)
        await send(ctx, MONDAY)
        assert await status_of(ctx, slug) is EditionStatus.SENT
    assert house.readers == ["ann", "ben", "cleo"]


async def test_a_cancelled_edition_never_leaves(house: House) -> None:
    async with house.open() as ctx:
        slug = await house.write(ctx)
        await release.release(ctx, MONDAY)
        async with ctx.store.write() as tx:
            assert await editions.cancel(tx, slug, MONDAY) == 3
        await passed(ctx, MONDAY)
        async with ctx.store.read() as tx:
            edition = await editions.named(tx, slug)
            assert await stored.standing(tx, edition.id or 0) == {"cancelled": 3}
        with pytest.raises(EditionError, match="but cancelled"):
            async with ctx.store.write() as tx:
                await editions.resume(tx, slug, MONDAY)
    assert house.readers == []


async def test_a_draft_may_be_written_anew_and_one_on_its_way_may_not(house: House) -> None:
    async with house.open() as ctx:
        slug = await house.write(ctx)
        async with ctx.store.write() as tx:
            kept = await editions.keep(ctx, tx, manuscript().replace("good", "great"), MONDAY, name="week.md")
        assert (kept.version, kept.status) == (2, EditionStatus.SCHEDULED)
        await release.release(ctx, MONDAY)
        with pytest.raises(EditionError, match="its words stand"):
            async with ctx.store.write() as tx:
                await editions.keep(ctx, tx, manuscript(), MONDAY, name="week.md")
        await send(ctx, MONDAY)
    assert "great" in house.parsed("ann").get_body(("plain",)).get_content()
    assert slug == "what-a-week"


async def test_every_portion_gets_the_same_octets_whatever_happens_to_its_stories_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "PORTION", 1)
    async with house.open() as ctx:
        await ingest(ctx, MONDAY, everything=True)
        later = MONDAY + timedelta(hours=1)
        told = ("two", "Badger opens the harbour", MONDAY + timedelta(minutes=5))
        atom(house.folder / "feed.xml", told)
        await ingest(ctx, later, everything=True)
        slug = await house.write(ctx, "timezone: [Europe/London, America/New_York]")
        async with ctx.store.read() as tx:
            number = (await editions.named(tx, slug)).id or 0
        async with ctx.store.write() as tx:
            assert await release._serve(ctx, tx, number, later) == 1
        await send(ctx, later)
        atom(house.folder / "feed.xml", ("three", "Badger wins the race", later), told)
        await ingest(ctx, later + timedelta(hours=1), everything=True)
        await release.release(ctx, later + timedelta(hours=1))
        await send(ctx, later + timedelta(hours=1))
    for reader in ("ann", "ben"):
        text = house.parsed(reader).get_body(("plain",)).get_content()
        assert ("opens the harbour" in text, "wins the race" in text) == (True, False)


async def test_its_stories_are_those_of_the_moment_when_it_began_to_be_sent(house: House) -> None:
    async with house.open() as ctx:
        await house.write(ctx)
        await ingest(ctx, MONDAY, everything=True)
        atom(house.folder / "feed.xml", *OLD, ("two", "Badger opens the harbour", MONDAY + timedelta(minutes=5)))
        later = MONDAY + timedelta(hours=1)
        await ingest(ctx, later, everything=True)
        await release.release(ctx, later)
        await send(ctx, later)
    text = house.parsed("ben").get_body(("plain",)).get_content()
    assert "Badger opens the harbour" in text
    assert "Badger seen in market square" in text
    assert "last winter" not in text, "the back catalogue of a new source is no news"


async def test_a_block_that_finds_no_story_is_left_out(house: House) -> None:
    async with house.open() as ctx:
        await house.write(ctx)
        await release.release(ctx, MONDAY)
        await send(ctx, MONDAY)
    text = house.parsed("ann").get_body(("plain",)).get_content()
    assert "more <https://news.example/more>" in text.lower()
    assert "Until then." in text
    assert "badger" not in text.partition("Until then.")[0].partition("week")[2].lower()


@pytest.mark.parametrize("text", ["[a](https://a.example) " * 1500, "|a|b|\n|-|-|\n" + "|a|b|\n" * 1400])
async def test_what_no_mail_can_hold_is_refused_when_it_is_written(house: House, text: str) -> None:
    async with house.open() as ctx:
        with pytest.raises(ConfigError, match=r"it makes a mail of [0-9,]+ octets"):
            async with ctx.store.write() as tx:
                await editions.keep(ctx, tx, f"---\nsubject: Much\n---\n{text}\n", MONDAY, name="much.md")
