"""The public archive: issues of public topics for anybody, as pages and feeds, and nothing of anybody's own."""

from __future__ import annotations

import asyncio
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import feedparser
import pytest
from builders import subscriber, topic
from publishing_house import TOPICS, URL, House, html_of, open_house, sqlite

from dispatcher.model.archive import Issue
from dispatcher.model.content import Article, Topic
from dispatcher.model.edition import Edition, EditionStatus
from dispatcher.model.outbound import Digest
from dispatcher.model.values import DeliveryKind
from dispatcher.pipeline import own_topics
from dispatcher.pipeline.archive import archive
from dispatcher.pipeline.prune import prune
from dispatcher.pipeline.views import Gallery
from dispatcher.store import articles, issues, subscribers, topics
from dispatcher.store.engine import add, add_new, many

ATOM = "{http://www.w3.org/2005/Atom}"
DAY = timedelta(days=1)
HALF_PAST = timedelta(minutes=31)
PAGES = ("/archive", "/archive/wind", "/archive/wind/2026-03-02", "/archive/feed.atom", "/archive/wind/feed.atom")


async def a_week(house: House, now: datetime, days: int = 3) -> None:
    """Two stories a day, and an issue of each."""
    for number in range(days):
        at = now + number * DAY
        await house.publish(at, f"Windmill no. {number}", f"Windmill & sail {number}")
        await house.bring_out(at + HALF_PAST)


async def test_without_a_word_in_config_there_is_no_archive(tmp_path: Path, now: datetime) -> None:
    for sections in ({"archive": {"public": False}}, {"archive": {"public": True}, "web": {"url": ""}}):
        async with open_house(tmp_path, sqlite(tmp_path), now, **sections) as house:
            await house.publish(now, "A windmill")
            assert await house.bring_out(now + HALF_PAST) == 0
            for path in PAGES:
                assert (await house.client.get(path)).status == 404, path
            for mail in await house.send(now + HALF_PAST):
                assert "List-Archive" not in mail


async def test_what_was_public_is_closed_at_once(tmp_path: Path, now: datetime) -> None:
    async with open_house(tmp_path, sqlite(tmp_path), now) as house:
        await a_week(house, now, 1)
        assert {(await house.client.get(path)).status for path in PAGES} == {200}
        async with house.ctx.store.write() as tx:
            wind = await topics.by_slug(tx, "wind")
            assert wind is not None
            await topics.write(tx, wind.id or 0, is_public=False)
        for path in PAGES:
            answer = await house.client.get(path)
            assert answer.status == 404 or "indmill" not in answer.text, path
        closed = house.ctx.settings.model_copy(
            update={"archive": house.ctx.settings.archive.model_copy(update={"public": False})}
        )
        await house.ctx.apply(closed)
        assert {(await house.client.get(path)).status for path in PAGES} == {404}


async def test_each_slot_with_news_has_one_issue_and_no_story_comes_twice(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with open_house(tmp_path, furnished_url, now) as house:
        await house.publish(now, "Windmill no. 0")
        assert await house.bring_out(now + timedelta(minutes=29)) == 0, "its slot is at half past seven"
        assert await house.bring_out(now + HALF_PAST) == 1
        assert await house.bring_out(now + HALF_PAST) == 0
        assert await house.bring_out(now + HALF_PAST + DAY) == 0, "there was nothing new"
        await house.publish(now + DAY + 2 * HALF_PAST, "Windmill no. 1")
        assert await house.bring_out(now + HALF_PAST + 2 * DAY) == 1
        page = (await house.client.get("/archive/wind")).text
        assert re.findall(r'datetime="([0-9-]+)"', page) == ["2026-03-04", "2026-03-02"]
        first, third = [(await house.client.get(f"/archive/wind/2026-03-0{day}")).text for day in (2, 4)]
        assert ("no. 0" in first, "no. 1" in first, "no. 0" in third, "no. 1" in third) == (True, False, False, True)


async def test_two_who_bring_out_at_once_bring_out_one(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    async with open_house(tmp_path, furnished_url, now) as house:
        await house.publish(now, "A windmill", "The harbour")
        done = await asyncio.gather(*(house.bring_out(now + HALF_PAST) for _ in range(4)))
        assert sum(done) == 2
        async with house.ctx.store.read() as tx:
            assert len(await many(tx, Issue)) == 2


async def test_one_topic_that_cannot_be_brought_out_stops_no_other(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with open_house(tmp_path, furnished_url, now) as house:
        await house.publish(now, "A windmill", "The harbour")
        async with house.ctx.store.write() as tx:
            sea = await topics.by_slug(tx, "sea")
            assert sea is not None
            await topics.write(tx, sea.id or 0, digest={"order": "ranked", "max_articles": "written by hand"})
        report = await archive(house.ctx, now + HALF_PAST)
        assert (report.issues, report.failed) == (1, 1)
        assert (await house.client.get("/archive/wind/2026-03-02")).status == 200


async def test_it_is_the_digest_of_whoever_follows_that_topic_alone(tmp_path: Path, now: datetime) -> None:
    readers = [subscriber("ann@x.example", "wind", name="Ann Archer", cadence="daily at 07:30")]
    async with open_house(tmp_path, sqlite(tmp_path), now, subscribers=readers) as house:
        await house.publish(now, "A windmill", "Another windmill")
        (mail,) = await house.send(now + HALF_PAST)
        await house.bring_out(now + HALF_PAST)
        async with house.ctx.store.read() as tx:
            (digest,), (issue,) = await many(tx, Digest), await many(tx, Issue)
        assert issue.digest_id == digest.id
        page = (await house.client.get("/archive/wind/2026-03-02")).text
        assert "Ann" in html_of(mail)
        for private in ("Ann", "x.example", "/u/", "/p/", "/d/"):
            assert private not in page, private
        assert mail["List-Archive"] == f"<{URL}/archive>"


async def test_nothing_that_is_private_is_told(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    async with open_house(tmp_path, furnished_url, now) as house:
        async with house.ctx.store.write() as tx:
            ann = (await many(tx, Topic))[0] and (await subscribers.by_ids(tx, [1]))[1]
            own = await own_topics.keep(house.ctx, tx, ann, "windmill illness", now, followed=())
            assert own is not None
        await a_week(house, now)
        await house.send(now + HALF_PAST)
        slug = own.slug
        for hidden in ("secret", slug, "nothing", "Wind", "wind%20", "%2f", "wind/2026-03-02/x"):
            for path in (f"/archive/{hidden}", f"/archive/{hidden}/feed.atom", f"/archive/{hidden}/2026-03-02"):
                assert (await house.client.get(path)).status == 404, path
        for path in PAGES:
            text = (await house.client.get(path)).text
            for private in ("Staff only", "secret", "illness", "x.example", "Ann"):
                assert private not in text, (path, private)


@pytest.mark.parametrize(
    "day", ["2026-03-01", "2026-3-2", "20260302", "2026-W10-1", "0000-01-01", "9999-12-31", "x", "2026-02-30", "２"]
)
async def test_a_day_without_an_issue_is_no_page(tmp_path: Path, now: datetime, day: str) -> None:
    async with open_house(tmp_path, sqlite(tmp_path), now) as house:
        await a_week(house, now, 1)
        assert (await house.client.get(f"/archive/wind/{day}")).status == 404
        assert (await house.client.get(f"/archive/wind?before={day}")).status in (200, 404)


async def test_an_issue_leads_to_those_beside_it_to_its_feed_and_to_the_form(tmp_path: Path, now: datetime) -> None:
    async with open_house(tmp_path, sqlite(tmp_path), now) as house:
        await a_week(house, now)
        page = (await house.client.get("/archive/wind/2026-03-03")).text
        for link in ("2026-03-02", "2026-03-04", "feed.atom"):
            assert f'href="/mail/archive/wind/{link}"' in page
        assert 'href="/mail/subscribe?topics=wind"' in page
        assert f'<link rel="canonical" href="{URL}/archive/wind/2026-03-03">' in page
        first = (await house.client.get("/archive/wind/2026-03-02")).text
        assert 'rel="prev"' not in first
        form = (await house.client.get("/subscribe?topics=wind")).text
        assert re.search(r'value="wind" checked', form)


async def test_a_long_list_comes_in_pages_that_do_not_move(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    async with open_house(tmp_path, furnished_url, now) as house:
        await a_week(house, now, 1)
        async with house.ctx.store.write() as tx:
            (issue,) = await many(tx, Issue)
            row = issue.model_dump(exclude={"id"})
            await add_new(tx, Issue, [row | {"issued_on": date(2026, 3, 2) - n * DAY} for n in range(1, 50)])
        seen: list[str] = []
        path: str | None = "/archive/wind"
        while path:
            page = (await house.client.get(path)).text
            seen += re.findall(r'<time datetime="([0-9-]+)"', page)
            found = re.search(r'rel="next" href="/mail(/archive/wind\?before=[0-9-]+)"', page)
            path = found[1] if found else None
        assert seen == sorted(set(seen), reverse=True)
        assert len(seen) == 50


async def test_an_issue_that_is_had_already_is_not_made_again(tmp_path: Path, now: datetime) -> None:
    async with open_house(tmp_path, sqlite(tmp_path), now) as house:
        await a_week(house, now, 1)
        for path in PAGES[2:]:
            first = await house.client.get(path)
            again = await house.client.get(path, headers={"If-None-Match": first.headers["etag"]})
            assert (again.status, again.text) == (304, ""), path
            head = await house.client.ask("HEAD", path)
            assert (head.status, head.text) == (200, "")
        async with house.ctx.store.write() as tx:
            story = (await many(tx, Article))[-1]
            await articles.withdraw(tx, story.id or 0, now)
        for path in PAGES[2:]:
            changed = await house.client.get(path)
            assert story.title not in changed.text, path


async def test_many_who_ask_at_once_are_answered_from_one_rendering(tmp_path: Path, now: datetime) -> None:
    async with open_house(tmp_path, sqlite(tmp_path), now) as house:
        await a_week(house, now, 1)
        answers = await asyncio.gather(*(house.client.get("/archive/wind/2026-03-02") for _ in range(30)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert len(house.ctx.kept(Gallery)._views) == 1


async def test_the_feeds_are_atom(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    async with open_house(tmp_path, furnished_url, now) as house:
        await a_week(house, now)
        await house.publish(now + 3 * DAY, "Harbour <b>&amp;</b> \ufffe \x07 \U0001f6a2")
        await house.bring_out(now + 3 * DAY + HALF_PAST)
        for path, count in (("/archive/feed.atom", 4), ("/archive/wind/feed.atom", 3), ("/archive/sea/feed.atom", 1)):
            answer = await house.client.get(path)
            assert answer.headers["content-type"].startswith("application/atom+xml")
            check_atom(answer.text, f"{URL}{path}", count)
            read = feedparser.parse(answer.text)
            assert not read.bozo, read.bozo_exception
            assert len(read.entries) == count
            for entry in read.entries:
                assert (await house.client.get(entry.link.removeprefix(URL))).status == 200
                assert "<h2>" in entry.content[0].value


def check_atom(text: str, address: str, count: int) -> None:
    """By the rules of RFC 4287 that a program can check."""
    feed = ElementTree.fromstring(text.encode())
    assert feed.tag == f"{ATOM}feed"
    for holder in (feed, *feed.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(holder.findall(f"{ATOM}{name}")) == 1, name  # §4.1.1, §4.1.2
        assert datetime.fromisoformat(holder.findtext(f"{ATOM}updated", "")).tzinfo is not None  # §3.3
        assert re.fullmatch("urn:uuid:[0-9a-f-]{36}", holder.findtext(f"{ATOM}id", ""))  # §4.2.6
        alternates = [link for link in holder.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
        assert len(alternates) == 1
        assert holder.findtext(f"{ATOM}author/{ATOM}name")
    (own,) = [link for link in feed.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert own.get("href") == address
    ids = [entry.findtext(f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids) == count
    newest = max(entry.findtext(f"{ATOM}updated", "") for entry in feed.findall(f"{ATOM}entry"))
    assert feed.findtext(f"{ATOM}updated") == newest
    for entry in feed.findall(f"{ATOM}entry"):
        assert entry.findtext(f"{ATOM}published", "") <= entry.findtext(f"{ATOM}updated", "")
        content = entry.find(f"{ATOM}content")
        if content is None:
            assert entry.findtext(f"{ATOM}summary")
            continue
        assert content.get("type") == "html"
        assert not list(content), "§4.1.3.3: no child elements in content of type html"


async def test_a_feed_reader_that_knows_only_dates_is_answered_by_them(tmp_path: Path, now: datetime) -> None:
    async with open_house(tmp_path, sqlite(tmp_path), now) as house:
        await a_week(house, now, 1)
        first = await house.client.get("/archive/wind/feed.atom")
        dated = first.headers["last-modified"]
        assert dated.endswith("GMT")
        for said, status in ((dated, 304), ("Sun, 01 Mar 2026 00:00:00 GMT", 200), ("yesterday", 200), ("", 200)):
            answer = await house.client.get("/archive/wind/feed.atom", headers={"If-Modified-Since": said})
            assert answer.status == status, said
        both = {"If-Modified-Since": dated, "If-None-Match": '"another"'}
        assert (await house.client.get("/archive/wind/feed.atom", headers=both)).status == 200, "RFC 9110 §13.1.3"


async def test_an_entry_keeps_its_id_when_the_pages_move(tmp_path: Path, now: datetime) -> None:
    found = []
    for url in (URL, "https://elsewhere.example"):
        async with open_house(tmp_path, sqlite(tmp_path), now, web={"url": url}) as house:
            await a_week(house, now, 1)
            found.append(re.findall("<id>(.+)</id>", (await house.client.get("/archive/wind/feed.atom")).text))
    assert found[0] == found[1]


async def test_an_empty_archive_is_pages_and_feeds_too(tmp_path: Path, now: datetime) -> None:
    async with open_house(tmp_path, sqlite(tmp_path), now, topics=[topic("wind", "windmill")], subscribers=[]) as house:
        assert "nothing here yet" in (await house.client.get("/archive/wind")).text
        for path in ("/archive/feed.atom", "/archive/wind/feed.atom"):
            check_empty = feedparser.parse((await house.client.get(path)).text)
            assert (check_empty.bozo, check_empty.entries) == (False, [])


async def test_issues_go_with_their_articles_and_with_their_topic(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with open_house(tmp_path, furnished_url, now, retention={"articles": "120d"}) as house:
        await a_week(house, now)
        await prune(house.ctx, now + timedelta(days=100))
        assert (await house.client.get("/archive/wind/2026-03-02")).status == 200, "its digest stays while it does"
        async with house.ctx.store.write() as tx:
            sea, wind = [await topics.by_slug(tx, slug) for slug in ("sea", "wind")]
            assert sea is not None
            assert wind is not None
            await topics.remove(tx, sea.id or 0)
        await prune(house.ctx, now + timedelta(days=121))
        async with house.ctx.store.write() as tx:
            kept = [issue.issued_on for issue in await issues.page(tx, wind.id or 0, before=None, limit=9)]
            assert kept == [date(2026, 3, 4), date(2026, 3, 3)]
            await topics.remove(tx, wind.id or 0)
            assert await many(tx, Issue) == []
        assert (await house.client.get("/archive/wind/2026-03-02")).status == 404


async def test_every_page_speaks_its_newsletters_language(tmp_path: Path, now: datetime) -> None:
    site = {"name": "الجريدة", "language": "ar"}
    async with open_house(tmp_path, sqlite(tmp_path), now, site=site, topics=TOPICS) as house:
        await a_week(house, now, 1)
        for path in PAGES[:3]:
            page = (await house.client.get(path, headers={"Accept-Language": "de"})).text
            assert '<html lang="ar" dir="rtl"' in page, path
        assert 'xml:lang="ar"' in (await house.client.get("/archive/feed.atom")).text


async def write(house: House, slug: str, now: datetime, **changes: Any) -> None:
    """An edition that was sent in English, saying nothing but its subject."""
    edition = {
        "slug": slug, "newsletter_id": house.ctx.newsletter.id, "subject": f"On {slug}", "preheader": "In short",
        "source": "", "body": f"What we know of **{slug}**.", "audience": {}, "status": EditionStatus.SENT,
        "created_at": now, "released_at": now,
    }  # fmt: skip
    async with house.ctx.store.write() as tx:
        number = await add(tx, Edition(**edition | changes))
        await add(
            tx,
            Digest(
                key=slug, newsletter_id=house.ctx.newsletter.id or 0, kind=DeliveryKind.EDITION, slot_at=now,
                created_at=now, edition_id=number,
            ),
        )  # fmt: skip


async def test_what_was_written_for_everybody_stands_in_it_and_nothing_else_that_was_written(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with open_house(tmp_path, furnished_url, now) as house:
        await write(house, "harbours", now)
        await write(house, "mills", now, audience={"topics": ["wind", "sea"]})
        hidden = {
            "drafts": {"status": EditionStatus.DRAFT},
            "plans": {"status": EditionStatus.SCHEDULED},
            "regrets": {"status": EditionStatus.CANCELLED},
            "staff": {"audience": {"topics": ["wind", "secret"]}},
            "germans": {"audience": {"locale": ["de"]}},
            "newcomers": {"audience": {"topics": ["wind"], "since": "2026-01-01"}},
        }
        for slug, changes in hidden.items():
            await write(house, slug, now, **changes)
        index = (await house.client.get("/archive")).text
        feed = (await house.client.get("/archive/feed.atom")).text
        check_atom(feed, f"{URL}/archive/feed.atom", 2)
        for slug in ("harbours", "mills"):
            page = await house.client.get(f"/editions/{slug}")
            assert (page.status, f"<strong>{slug}</strong>" in page.text) == (200, True)
            again = await house.client.get(f"/editions/{slug}", headers={"If-None-Match": page.headers["etag"]})
            assert again.status == 304
            assert f"On {slug}" in index
            assert f"On {slug}" in feed
        for slug in (*hidden, "nothing"):
            assert (await house.client.get(f"/editions/{slug}")).status == 404
            assert slug not in index + feed
