"""Articles and their matches; the sources that bring them; the topics that want them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from builders import article, source

from dispatcher.model.content import Article, Match, Source, Topic
from dispatcher.model.values import Origin
from dispatcher.store import Store, Transaction, articles, sources, topics
from dispatcher.store.engine import CHUNK, counter, many

HOUR = timedelta(hours=1)


async def bring(tx: Transaction, source_id: int, now: datetime, *guids: str, **changes: Any) -> list[Article]:
    """New articles of a source, one for each guid."""
    made = [
        article(now, **{"source_id": source_id, "url": f"https://gazette.example/{guid}", "title": guid} | changes)
        for guid in guids
    ]
    await articles.insert(tx, made)
    rows = [
        {"article_id": a.id, "source_id": source_id, "guid": guid, "content_hash": a.content_hash, "seen_at": now}
        for guid, a in zip(guids, made, strict=True)
    ]
    await articles.sight(tx, rows)
    return made


async def two_sources(tx: Transaction, now: datetime) -> tuple[int, int]:
    return await sources.insert(tx, source(now)), await sources.insert(tx, source(now, name="Herald"))


async def queries(tx: Transaction, now: datetime, *texts: str) -> list[int]:
    return [await topics.query_id(tx, text, "en", now) for text in texts]


def match(article_id: int | None, query_id: int, now: datetime) -> dict[str, Any]:
    return {"article_id": article_id, "query_id": query_id, "score": 1.0, "seen_at": now}


async def test_new_articles_get_ids_clusters_of_their_own_and_sightings(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        gazette, herald = await two_sources(tx, now)
        made = await bring(tx, gazette, now, *(f"g{n}" for n in range(CHUNK + 3)))
        await articles.insert(tx, [])
        known = await articles.sightings(tx, gazette, [f"g{n}" for n in range(CHUNK + 3)] + ["unknown"])
        assert await articles.sightings(tx, herald, ["g1"]) == {}
        stored = await articles.by_ids(tx, [a.id or 0 for a in made])
    assert len({a.id for a in made}) == len({a.cluster_id for a in made}) == len(known) == CHUNK + 3
    assert all(stored[known[a.title].article_id].title == a.title for a in made)


async def test_a_guid_names_one_article_of_a_source_whoever_says_so_first(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        gazette, _ = await two_sources(tx, now)
        first, second = await bring(tx, gazette, now, "a", "b")
        row = {"article_id": second.id, "source_id": gazette, "guid": "a", "content_hash": "", "seen_at": now}
        await articles.sight(tx, [row])
        assert (await articles.sightings(tx, gazette, ["a"]))["a"].article_id == first.id


async def test_a_link_leads_to_the_one_article_that_others_brought(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        gazette, herald = await two_sources(tx, now)
        (one,) = await bring(tx, gazette, now, "one")
        await bring(tx, gazette, now, "live1", "live2", url="https://gazette.example/live")
        links = ["https://gazette.example/one", "https://gazette.example/live", "https://gazette.example/none"]
        assert {url: a.id for url, a in (await articles.elsewhere(tx, links, herald)).items()} == {links[0]: one.id}
        assert await articles.elsewhere(tx, links, gazette) == {}
        assert await articles.elsewhere(tx, [], herald) == {}
        row = {"article_id": one.id, "source_id": herald, "guid": "h", "content_hash": "", "seen_at": now}
        await articles.sight(tx, [row])
        assert await articles.elsewhere(tx, links, herald) == {}, "one that the herald has shown is no other's"
        assert await articles.source_names(tx, [one.id or 0]) == {one.id: ["Gazette", "Herald"]}


async def test_an_edit_keeps_identity_and_first_sight_and_raises_the_version(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        gazette, _ = await two_sources(tx, now)
        (before,) = await bring(tx, gazette, now, "a", is_backlog=True)
        fresh = article(now + HOUR, title="Better", content_hash="2", tags=["x"], source_id=999, is_backlog=False)
        (returned,) = await articles.edit(tx, [(before, fresh)])
        assert await articles.edit(tx, []) == []
        stored = await articles.get(tx, before.id or 0)
    assert stored is not None
    assert returned.model_dump() == stored.model_dump()
    assert (stored.title, stored.version, stored.tags) == ("Better", 2, ["x"])
    assert (stored.seen_at, stored.source_id, stored.cluster_id) == (now, gazette, before.cluster_id)
    assert stored.is_backlog


async def test_matches_of_one_save_share_a_release_and_repeated_ones_are_not_counted(
    store: Store, now: datetime
) -> None:
    async with store.write() as tx:
        gazette, _ = await two_sources(tx, now)
        a, b = await bring(tx, gazette, now, "a", "b")
        x, y = await queries(tx, now, "x", "y")
        assert await articles.add_matches(tx, [match(a.id, x, now), match(b.id, x, now)]) == 2
        assert await articles.add_matches(tx, [match(a.id, x, now), match(a.id, y, now)]) == 1
        assert await articles.add_matches(tx, []) == 0
        assert await counter(tx, "release") == 2
        assert await articles.matched_queries(tx, a.id or 0) == {x, y}
        await articles.drop_matches(tx, a.id or 0, [x])
        assert await articles.queries_of(tx, [a.id or 0, b.id or 0]) == {a.id: {y}, b.id: {x}}
        assert sorted((m.article_id, m.release) for m in await many(tx, Match)) == [(a.id, 2), (b.id, 1)]


async def test_articles_since_an_instant_come_in_pages(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        gazette, _ = await two_sources(tx, now)
        await bring(tx, gazette, now - HOUR, "old")
        made = await bring(tx, gazette, now, *"abcde")
        pages, last = [], 0
        while page := await articles.since(tx, now, after_id=last, limit=2):
            pages.append([a.title for a in page])
            last = page[-1].id or 0
        assert pages == [["a", "b"], ["c", "d"], ["e"]]
        (latest,) = await articles.newest(tx, limit=1, source_id=gazette)
        assert latest.title in "abcde"
        assert len(made) == 5


async def test_pruning_empties_articles_but_remembers_that_they_were_seen(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        gazette, _ = await two_sources(tx, now)
        (old,) = await bring(tx, gazette, now - 2 * HOUR, "old")
        (new,) = await bring(tx, gazette, now, "new")
        (x,) = await queries(tx, now, "x")
        await articles.add_matches(tx, [match(old.id, x, now), match(new.id, x, now)])
        assert await articles.prune(tx, now - HOUR) == 1
        assert await articles.prune(tx, now - HOUR) == 0
        emptied = await articles.get(tx, old.id or 0)
        assert emptied is not None
        assert (emptied.title, emptied.body_text, emptied.pruned_at is None) == ("old", "", False)
        assert [m.article_id for m in await many(tx, Match)] == [new.id]
        assert "old" in await articles.sightings(tx, gazette, ["old"])


async def test_a_poll_is_claimed_once_and_a_crashed_one_is_taken_up_again(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        await sources.insert(tx, source(now))
        (found,) = await sources.due(tx, now)
        assert await sources.claim(tx, found, now)
        assert not await sources.claim(tx, found, now)
        assert await sources.due(tx, now) == []
        assert len(await sources.due(tx, now + sources.POLL_LEASE)) == 1


async def test_a_source_woken_during_its_poll_is_polled_again_at_once(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        await sources.insert(tx, source(now))
        (found,) = await sources.due(tx, now)
        await sources.claim(tx, found, now)
        await sources.wake(tx, ["Gazette"], now + timedelta(seconds=2))
        await sources.finish(tx, found, now, now + HOUR, etag="new")
        (woken,) = await sources.due(tx, now + timedelta(seconds=2))
        assert woken.etag == "new"
        await sources.claim(tx, woken, now + timedelta(seconds=2))
        await sources.finish(tx, woken, now + timedelta(seconds=2), now + HOUR)
        assert await sources.due(tx, now + HOUR - timedelta(seconds=1)) == []


async def test_a_paused_source_and_one_that_asked_us_to_wait_are_left_alone(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        await sources.insert(tx, source(now, name="paused", is_paused=True))
        await sources.insert(tx, source(now, name="asked", next_poll_at=now + HOUR, retry_after_at=now + HOUR))
        await sources.insert(tx, source(now, name="later", next_poll_at=now + HOUR))
        assert [s.name for s in await sources.pollable(tx, now)] == ["later"]
        await sources.wake(tx, ["paused", "asked", "later"], now)
        assert [s.name for s in await sources.due(tx, now)] == ["later"]
        (paused,) = [s for s in await sources.every(tx) if s.name == "paused"]
        assert not await sources.claim(tx, paused, now)


async def test_a_source_without_articles_can_be_forgotten(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        gazette, herald = await two_sources(tx, now)
        await bring(tx, gazette, now, "a", "b")
        assert await sources.article_counts(tx) == {gazette: 2}
        assert await sources.has_articles(tx, gazette)
        assert not await sources.has_articles(tx, herald)
        await sources.remove(tx, herald)
        assert [s.name for s in await sources.every(tx)] == ["Gazette"]
        assert await sources.by_name(tx, "Herald") is None


def topic(now: datetime, query_id: int, slug: str = "wind", **changes: Any) -> Topic:
    values = {"slug": slug, "name": slug.title(), "query_id": query_id, "origin": Origin.CLI, "created_at": now}
    return Topic(**values | changes)


async def test_a_query_is_shared_by_text_and_language_however_long_it_is(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        long = " OR ".join(f"word{n}" for n in range(5000))
        assert await topics.query_id(tx, long, "en", now) == await topics.query_id(tx, long, "en", now)
        assert await topics.query_id(tx, long, "en", now) != await topics.query_id(tx, long, "de", now)
        ids = await queries(tx, now, "a", "b", "a")
        assert ids[0] == ids[2] != ids[1]
        assert await topics.queries(tx, ids) == {ids[0]: ("a", "en"), ids[1]: ("b", "en")}


async def test_a_new_topic_is_matched_backwards_once_and_a_woken_one_again(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        (x,) = await queries(tx, now, "x")
        version = await topics.version(tx)
        first = await topics.insert(tx, topic(now, x))
        assert await topics.version(tx) > version
        assert [q.id for q in await topics.unmatched_backwards(tx)] == [x]
        await topics.mark_backfilled(tx, [x], now)
        second = await topics.insert(tx, topic(now, x, "breeze"))
        assert await topics.unmatched_backwards(tx) == [], "somebody was following the query all along"
        await topics.write(tx, first, is_paused=True)
        await topics.write(tx, first, is_paused=False)
        assert await topics.unmatched_backwards(tx) == []
        await topics.write(tx, first, is_paused=True)
        await topics.write(tx, second, is_paused=True)
        assert await topics.live_queries(tx) == {}
        await topics.write(tx, second, is_paused=False)
        assert [q.id for q in await topics.unmatched_backwards(tx)] == [x]
        assert await topics.live_queries(tx) == {x: ("x", "en")}


async def test_more_queries_than_fit_into_one_statement_are_marked_backfilled(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        ids = await queries(tx, now, *(f"q{n}" for n in range(CHUNK + 10)))
        await topics.mark_backfilled(tx, ids, now)
        await topics.insert(tx, topic(now, ids[-1]))
        await topics.mark_backfilled(tx, [], now)


async def test_a_readers_own_topic_is_nobody_elses_business(store: Store, now: datetime) -> None:
    from test_store_subscribers import person

    from dispatcher.store import subscribers

    async with store.write() as tx:
        (x,) = await queries(tx, now, "x")
        owner = await subscribers.insert(tx, person(now, "ann@reader.example"), "hash")
        await topics.insert(tx, topic(now, x))
        await topics.insert(tx, topic(now, x, owner_id=owner, name="My wind"))
        assert [t.name for t in await topics.every(tx)] == ["Wind"]
        mine = await topics.by_slug(tx, "wind", owner_id=owner)
        theirs = await topics.by_slug(tx, "wind")
        assert mine is not None
        assert theirs is not None
        assert (mine.name, theirs.name) == ("My wind", "Wind")
        assert await topics.by_slug(tx, "calm") is None


async def test_two_topics_of_the_publisher_cannot_share_a_slug(store: Store, now: datetime) -> None:
    import sqlalchemy as sa

    async def twice() -> None:
        async with store.write() as tx:
            (x,) = await queries(tx, now, "x")
            await topics.insert(tx, topic(now, x))
            await topics.insert(tx, topic(now, x))

    with pytest.raises(sa.exc.IntegrityError):
        await twice()


async def test_a_removed_topic_takes_its_subscriptions_and_leaves_the_figures_of_others(
    store: Store, now: datetime
) -> None:
    from test_store_subscribers import follow, person

    from dispatcher.store import subscribers

    async with store.write() as tx:
        gazette, _ = await two_sources(tx, now)
        (a,) = await bring(tx, gazette, now, "a")
        x, y = await queries(tx, now, "x", "y")
        wind, calm = await topics.insert(tx, topic(now, x)), await topics.insert(tx, topic(now, y, "calm"))
        ann = await subscribers.insert(tx, person(now, "ann@reader.example"), "hash")
        for topic_id in (wind, calm):
            await subscribers.add_subscription(tx, follow(now, ann, topic_id))
        await articles.add_matches(tx, [match(a.id, x, now)])
        assert await topics.figures(tx) == {wind: (1, 1), calm: (0, 1)}
        await topics.remove(tx, wind)
        assert await topics.figures(tx) == {calm: (0, 1)}
        assert [s.topic_id for s in (await subscribers.subscriptions(tx, [ann]))[ann]] == [calm]


async def test_sources_with_one_name_cannot_be(store: Store, now: datetime) -> None:
    import sqlalchemy as sa

    async def twice() -> None:
        async with store.write() as tx:
            await sources.insert(tx, source(now))
            await sources.insert(tx, Source(**source(now).model_dump(exclude={"id"})))

    with pytest.raises(sa.exc.IntegrityError):
        await twice()
