"""Ingest: what is one article, what is an edit, what is backlog; broken sources; new topics; two at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
import structlog
from builders import atom, settings, topic

from dispatcher.articles import clean as cleaning
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.content import Article, Match, Sighting, Source, Topic
from dispatcher.model.values import Origin
from dispatcher.observability import logs
from dispatcher.pipeline import ingest as step
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import IngestReport, ingest
from dispatcher.store import Store, Transaction, articles, sources, topics
from dispatcher.store.engine import many

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def item(guid: str, title: str = "", link: str | None = None, at: datetime | None = NOW - HOUR, text: str = "") -> str:
    """One item of an RSS feed."""
    date = f"<pubDate>{at:%a, %d %b %Y %H:%M:%S +0000}</pubDate>" if at else ""
    link = f"https://gazette.example/{guid}" if link is None else link
    shown = escape(text or f"All about {title or guid}.")
    return (
        f"<item><guid isPermaLink='false'>{escape(guid)}</guid><title>{escape(title or guid)}</title>"
        f"<link>{escape(link)}</link>{date}<description>{shown}</description></item>"
    )


@dataclass
class Press:
    """Feeds in files, and one ingest after another."""

    folder: Path
    url: str
    topics: list[Any] = field(default_factory=lambda: [topic("all", "*"), topic("wind", "wind")])
    names: tuple[str, ...] = ("Gazette",)

    def publish(self, *items: str, source: str = "Gazette") -> None:
        channel = (
            f"<title>{source}</title><link>https://{source.lower()}.example/</link><description>News</description>"
        )
        path = self.folder / f"{source}.xml"
        path.write_text(f'<rss version="2.0"><channel>{channel}{"".join(items)}</channel></rss>', encoding="utf-8")

    @asynccontextmanager
    async def open(self, now: datetime = NOW) -> AsyncIterator[Context]:
        feeds = [{"name": name, "url": (self.folder / f"{name}.xml").as_uri()} for name in self.names]
        chosen = settings(self.folder, self.url, topics=self.topics, sources=feeds)
        async with open_context(chosen, now=now, transport=MemoryTransport()) as ctx:
            await declare(ctx, now)
            yield ctx

    async def ingest(self, now: datetime = NOW) -> IngestReport:
        async with self.open(now) as ctx:
            return await ingest(ctx, now, everything=True)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Transaction]:
        """A look at the rows."""
        store = Store(settings(self.folder, self.url).database_url)
        async with store.read() as tx:
            yield tx
        await store.close()

    async def rows(self, noun: type[Any]) -> list[Any]:
        async with self.look() as tx:
            return await many(tx, noun)

    async def source(self, name: str = "Gazette") -> Source:
        return next(source for source in await self.rows(Source) if source.name == name)

    async def matched(self) -> dict[str, set[str]]:
        """Article titles by the slugs they match."""
        async with self.look() as tx:
            slugs = {t.query_id: t.slug for t in await topics.every(tx)}
            titles = {a.id: a.title for a in await many(tx, Article)}
            found: dict[str, set[str]] = {}
            for match in await many(tx, Match):
                found.setdefault(slugs.get(match.query_id, "?"), set()).add(titles[match.article_id])
        return found


@pytest.fixture
def press(tmp_path: Path, furnished_url: str) -> Press:
    return Press(tmp_path, furnished_url)


@pytest.fixture
def small_press(tmp_path: Path, furnished: Any) -> Press:
    """On SQLite only: for what does not depend on the engine."""
    return Press(tmp_path, furnished("sqlite", tmp_path))


@pytest.fixture
def plain_logs() -> Iterator[None]:
    """Logs as a service writes them: without the frames' variables, which take seconds to print."""
    logs.setup("info", "json")
    yield
    structlog.reset_defaults()


# -- what is one article ---------------------------------------------------------------------------------------------


async def test_what_was_seen_is_not_new_again_and_an_edit_is_an_update(press: Press) -> None:
    press.publish(item("a", "Wind rises"), item("b", "Calm sea"))
    assert (await press.ingest()).new == 2
    press.publish(item("a", "Wind falls"), item("b", "Calm sea"), item("c"))
    report = await press.ingest(NOW + HOUR)
    assert (report.new, report.updated) == (1, 1)
    assert sorted((a.title, a.version) for a in await press.rows(Article)) == [
        ("Calm sea", 1), ("Wind falls", 2), ("c", 1),
    ]  # fmt: skip
    assert {a.title: a.seen_at for a in await press.rows(Article)}["Wind falls"] == NOW
    press.publish(item("a", "Wind falls"), item("b", "Calm sea"), item("c"), item("c", "said twice"))
    report = await press.ingest(NOW + 2 * HOUR)
    assert (report.new, report.updated) == (0, 0)


async def test_an_item_published_again_under_its_guid_is_no_news(press: Press) -> None:
    press.publish(item("a"))
    await press.ingest()
    press.publish()
    await press.ingest(NOW + HOUR)
    press.publish(item("a", at=NOW + 2 * HOUR))
    report = await press.ingest(NOW + 2 * HOUR)
    assert (report.new, report.updated, report.matches) == (0, 0, 0)
    assert len(await press.rows(Article)) == 1


async def test_an_item_without_a_date_keeps_the_instant_it_was_first_seen(small_press: Press) -> None:
    small_press.publish(item("a", at=None))
    await small_press.ingest()
    small_press.publish(item("a", "Edited", at=None))
    await small_press.ingest(NOW + HOUR)
    (article,) = await small_press.rows(Article)
    assert (article.title, article.version, article.published_at) == ("Edited", 2, NOW)


async def test_one_link_from_two_sources_is_one_article_known_by_both_names(press: Press) -> None:
    press.names = ("Gazette", "Herald")
    press.topics = [topic("herald", "source:herald"), topic("gazette", "source:gazette")]
    link = "https://gazette.example/story?utm_source=feed"
    press.publish(item("a", "One story", link))
    press.publish(source="Herald")
    assert (await press.ingest()).new == 1
    press.publish(item("h1", "The same story, by another guid", "https://GAZETTE.example/story#top"), source="Herald")
    report = await press.ingest(NOW + HOUR)
    assert (report.new, report.updated) == (0, 0)
    (article,) = await press.rows(Article)
    assert article.title == "One story"
    assert len(await press.rows(Sighting)) == 2
    assert await press.matched() == {"herald": {"One story"}, "gazette": {"One story"}}
    async with press.open() as ctx, ctx.store.read() as tx:
        assert await articles.source_names(tx, [article.id]) == {article.id: ["Gazette", "Herald"]}
    press.publish(item("h1", "The herald's own words", "https://gazette.example/story"), source="Herald")
    report = await press.ingest(NOW + 2 * HOUR)
    assert report.updated == 0
    assert [a.title for a in await press.rows(Article)] == ["One story"], "whoever brought it first has the word"


async def test_two_sources_polled_together_bring_a_link_once(press: Press) -> None:
    press.names = ("Gazette", "Herald", "Courier", "Globe")
    for name in press.names:
        press.publish(
            *(item(f"{name}{n}", f"Story {n}", f"https://gazette.example/{n}") for n in range(20)), source=name
        )
    assert (await press.ingest()).new == 20
    assert len(await press.rows(Article)) == 20
    assert len(await press.rows(Sighting)) == 80


async def test_a_link_shared_by_several_items_of_a_source_identifies_none_of_them(press: Press) -> None:
    press.names = ("Gazette", "Herald")
    live = "https://gazette.example/live"
    press.publish(item("a", "At nine", live), item("b", "At ten", live))
    press.publish(source="Herald")
    assert (await press.ingest()).new == 2
    press.publish(item("h", "Live all day", live), source="Herald")
    assert (await press.ingest(NOW + HOUR)).new == 1
    assert len(await press.rows(Article)) == 3


async def test_of_two_items_with_one_link_only_the_first_is_anothers_article(press: Press) -> None:
    press.names = ("Gazette", "Herald")
    press.publish(item("a", "One story", "https://gazette.example/story"))
    press.publish(source="Herald")
    await press.ingest()
    two = (item(f"h{n}", f"Herald {n}", "https://gazette.example/story") for n in (1, 2))
    press.publish(*two, source="Herald")
    assert (await press.ingest(NOW + HOUR)).new == 1
    assert sorted(a.title for a in await press.rows(Article)) == ["Herald 2", "One story"]


@pytest.mark.parametrize("link", ["", "https://gazette.example/", "https://gazette.example/index.html"])
async def test_a_home_page_is_nobodys_identity(small_press: Press, link: str) -> None:
    small_press.names = ("Gazette", "Herald")
    small_press.publish(item("a", "Here", link))
    small_press.publish(item("b", "There", link), source="Herald")
    assert (await small_press.ingest()).new == 2


# -- matches ---------------------------------------------------------------------------------------------------------


async def test_an_edit_brings_and_takes_matches(press: Press) -> None:
    press.publish(item("a", "Wind rises"), item("b", "Calm sea"))
    assert (await press.ingest()).matches == 3
    assert await press.matched() == {"all": {"Wind rises", "Calm sea"}, "wind": {"Wind rises"}}
    press.publish(item("a", "Storm rises"), item("b", "Wind over the sea"))
    assert (await press.ingest(NOW + HOUR)).matches == 1
    assert await press.matched() == {"all": {"Storm rises", "Wind over the sea"}, "wind": {"Wind over the sea"}}
    releases = {match.seen_at: match.release for match in await press.rows(Match)}
    assert releases[NOW + HOUR] > releases[NOW], "a late match is numbered late, and new from the edit on"


async def test_a_new_topic_is_matched_backwards_within_reach_and_once(press: Press) -> None:
    press.publish(item("old", "Old wind", at=NOW - 30 * 24 * HOUR), item("a", "Sea breeze"))
    await press.ingest(NOW - 20 * 24 * HOUR)
    press.publish(item("b", "Fresh breeze"))
    await press.ingest()
    press.topics.append(topic("breeze", "breeze OR wind"))
    assert (await press.ingest(NOW + HOUR)).matches == 1
    assert (await press.matched())["breeze"] == {"Fresh breeze"}
    assert (await press.ingest(NOW + 2 * HOUR)).matches == 0


async def test_a_topic_added_while_a_poll_is_under_way_misses_nothing(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added after the first batch was saved: that one is matched backwards, the next by the new topic itself."""
    monkeypatch.setattr(step, "BATCH", 2)
    press.publish(*(item(f"n{n}", f"Breeze {n}") for n in range(6)))
    third, loop, cleaned = asyncio.Event(), asyncio.get_running_loop(), []

    def count(*args: Any) -> Article:
        cleaned.append(args)
        if len(cleaned) == 3:
            loop.call_soon_threadsafe(third.set)
        return cleaning.clean(*args)

    monkeypatch.setattr(step, "clean", count)
    async with press.open() as ctx:
        polling = asyncio.create_task(ingest(ctx, NOW, everything=True))
        await third.wait()
        async with ctx.store.write() as tx:
            query_id = await topics.query_id(tx, "breeze", "en", NOW)
            values = {"slug": "breeze", "name": "Breeze", "origin": Origin.CLI, "created_at": NOW}
            await topics.insert(tx, Topic(query_id=query_id, **values))
        await polling
        await ingest(ctx, NOW + HOUR)
    assert (await press.matched())["breeze"] == {f"Breeze {n}" for n in range(6)}


async def test_a_stored_query_that_cannot_be_read_is_told_and_stops_nothing(
    small_press: Press, capsys: pytest.CaptureFixture[str], plain_logs: None
) -> None:
    async with small_press.open() as ctx, ctx.store.write() as tx:
        query_id = await topics.query_id(tx, "wind AND (", "en", NOW)
        values = {"slug": "broken", "name": "Broken", "origin": Origin.CLI, "created_at": NOW}
        await topics.insert(tx, Topic(query_id=query_id, **values))
    small_press.publish(item("a", "Wind rises"))
    report = await small_press.ingest()
    assert (report.new, report.matches, report.failed) == (1, 2, 0)
    assert "a stored query cannot be used" in capsys.readouterr().err


# -- backlog ---------------------------------------------------------------------------------------------------------


async def test_only_a_first_poll_brings_backlog(press: Press) -> None:
    press.publish(item("old"), item("undated", at=None), item("young", at=NOW + timedelta(minutes=5)))
    await press.ingest()  # the source is made now, and asked now: what it says of the future is not before
    press.publish(item("later", at=NOW - 24 * HOUR))
    await press.ingest(NOW + HOUR)
    assert {a.title: a.is_backlog for a in await press.rows(Article)} == {
        "old": True, "undated": True, "young": False, "later": False,
    }  # fmt: skip


async def test_a_first_poll_that_failed_is_followed_by_a_first_poll(small_press: Press) -> None:
    (small_press.folder / "Gazette.xml").write_text("not a feed at all")
    assert (await small_press.ingest()).failed == 1
    small_press.publish(item("old", at=NOW - HOUR), item("new", at=NOW + HOUR))
    await small_press.ingest(NOW + 2 * HOUR)
    assert {a.title: a.is_backlog for a in await small_press.rows(Article)} == {"old": True, "new": False}


# -- trouble ---------------------------------------------------------------------------------------------------------


async def test_a_broken_source_is_told_once_backed_off_and_stops_nobody(
    press: Press, capsys: pytest.CaptureFixture[str]
) -> None:
    press.names = ("Gazette", "Herald")
    press.publish(item("a"))
    (press.folder / "Herald.xml").write_text("<html>down</html>")
    report = await press.ingest()
    assert (report.new, report.failed) == (1, 1)
    await press.ingest(NOW + HOUR)
    broken = await press.source("Herald")
    assert (broken.failures, broken.succeeded_at) == (2, None)
    assert broken.last_error
    assert broken.next_poll_at > NOW + HOUR + timedelta(minutes=15)
    told = capsys.readouterr()
    assert (told.out + told.err).count("source broken") == 1
    press.publish(item("h"), source="Herald")
    assert (await press.ingest(NOW + 3 * HOUR)).new == 1
    healed = await press.source("Herald")
    assert (healed.failures, healed.last_error) == (0, "")


async def test_a_source_that_makes_us_stumble_is_set_aside_alone(
    press: Press, monkeypatch: pytest.MonkeyPatch, plain_logs: None
) -> None:
    press.names = ("Gazette", "Herald")
    press.publish(item("a"))
    press.publish(item("b"), source="Herald")
    whole = step.read

    async def stumble(source: Source, *args: Any, **kwargs: Any) -> Any:
        if source.name == "Herald":
            raise ZeroDivisionError("ours")
        return await whole(source, *args, **kwargs)

    monkeypatch.setattr(step, "read", stumble)
    report = await press.ingest()
    assert (report.new, report.failed) == (1, 1)
    aside = await press.source("Herald")
    assert (aside.failures, aside.next_poll_at) == (1, NOW + HOUR)
    assert "ZeroDivisionError" in aside.last_error


async def test_an_item_that_makes_us_stumble_is_left_out_alone(
    press: Press, monkeypatch: pytest.MonkeyPatch, plain_logs: None
) -> None:
    def stumble(raw: Any, source: Source, now: datetime) -> Article:
        if raw.guid == "n7":
            raise ZeroDivisionError("ours")
        article = cleaning.clean(raw, source, now)
        if raw.guid == "n3":
            article.title = "what no \0 database \ud800 keeps"
        return article

    monkeypatch.setattr(step, "clean", stumble)
    press.publish(*(item(f"n{n}") for n in range(12)))
    report = await press.ingest()
    assert report.failed == 0
    assert {a.title for a in await press.rows(Article)} == {f"n{n}" for n in range(12) if n not in (3, 7)}


async def test_a_poll_cut_off_in_the_middle_goes_on_where_it_was(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after kill -9: two batches are stored, the source was never marked as read."""
    monkeypatch.setattr(step, "BATCH", 5)
    press.publish(*(item(f"n{n}") for n in range(20)))
    whole, batches = step.keep_items, 0

    async def die(*args: Any) -> IngestReport:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise asyncio.CancelledError
        return await whole(*args)

    monkeypatch.setattr(step, "keep_items", die)
    with pytest.raises(asyncio.CancelledError):
        await press.ingest()
    assert len(await press.rows(Article)) == 10
    monkeypatch.setattr(step, "keep_items", whole)
    async with press.open() as ctx:
        assert (await ingest(ctx, NOW)).polled == 0, "its lease still runs"
        assert (await ingest(ctx, NOW + sources.POLL_LEASE)).new == 10
    stored = await press.rows(Article)
    assert len(stored) == len({a.title for a in stored}) == 20
    assert all(a.is_backlog for a in stored)


async def test_two_ingests_at_once_poll_each_source_once(press: Press) -> None:
    press.names = ("Gazette", "Herald")
    for name in press.names:
        press.publish(*(item(f"{name}{n}") for n in range(30)), source=name)
    async with press.open() as one, press.open() as two:
        first, second = await asyncio.gather(ingest(one, NOW), ingest(two, NOW))
    assert (first.polled + second.polled, first.new + second.new, first.failed + second.failed) == (2, 60, 0)


async def test_two_that_poll_one_source_at_once_lose_nothing_and_double_nothing(press: Press) -> None:
    """A lease that ran out, or a folder that changed during its poll: both may have the same items in hand."""
    press.publish(*(item(f"n{n}") for n in range(150)))
    async with press.open() as one, press.open() as two:
        async with one.store.read() as tx:
            (source,) = await sources.every(tx)
        done = IngestReport()

        async def poll(ctx: Context) -> None:
            reading = await step.read(source, ctx.fetcher, now=NOW, base=ctx.settings.base, known={})
            await step._keep_safely(ctx, source, reading.items, NOW, done)

        await asyncio.gather(poll(one), poll(two))
    assert done.new == 150
    assert len(await press.rows(Article)) == len(await press.rows(Sighting)) == 150


async def test_who_wakes_a_source_during_its_poll_is_heard(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    press.publish(item("a"))
    whole = step.read

    async def read(source: Source, *args: Any, **kwargs: Any) -> Any:
        reading = await whole(source, *args, **kwargs)
        async with ctx.store.write() as tx:
            await sources.wake(tx, ["Gazette"], NOW + timedelta(seconds=1))
        return reading

    async with press.open() as ctx:
        monkeypatch.setattr(step, "read", read)
        await ingest(ctx, NOW)
        monkeypatch.setattr(step, "read", whole)
        assert (await ingest(ctx, NOW + timedelta(seconds=1))).polled == 1
        assert (await ingest(ctx, NOW + timedelta(seconds=2))).polled == 0


async def test_a_feed_of_two_thousand_items_is_stored_in_batches(
    small_press: Press, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured and printed, never asserted."""
    stories = [(f"g{n}", f"Wind {n}", NOW - timedelta(minutes=n)) for n in range(2000)]
    atom(small_press.folder / "Gazette.xml", *stories)
    started = time.perf_counter()
    report = await small_press.ingest()
    took = time.perf_counter() - started
    assert (report.new, report.matches) == (2000, 4000)
    with capsys.disabled():
        print(f"\n  2,000 articles: {took:.1f} s, {took / 2:.2f} ms each")
