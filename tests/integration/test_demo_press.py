"""The invented paper's site: feeds that our own readers understand, pages, pictures, and a form to write one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest

from dispatcher.demo.articles import Outlet, archive
from dispatcher.demo.press import Press
from dispatcher.demo.serving import serving


@pytest.fixture
async def press() -> AsyncIterator[Press]:
    """A paper with its site."""
    paper = Press(archive(datetime.now(UTC)))
    async with serving(paper.app()) as paper.url:
        yield paper


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize("path", ["/feed.xml", "/twins.json"])
async def test_who_has_a_feed_is_answered_304_until_something_comes_out(
    press: Press, client: aiohttp.ClientSession, path: str
) -> None:
    async with client.get(press.url + path) as first:
        assert first.status == 200
    for header, value in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
        async with client.get(press.url + path, headers={header: first.headers[value]}) as second:
            assert second.status == 304
            assert not await second.read()
    outlet = Outlet.PAPER if path == "/feed.xml" else Outlet.TWINS
    newest = next(article for article in press.articles if article.outlet is outlet)
    press.publish(newest.published(datetime.now(UTC)))
    async with client.get(press.url + path, headers={"If-None-Match": first.headers["ETag"]}) as third:
        assert third.status == 200


async def test_every_article_has_a_page_and_every_picture_is_served(
    press: Press, client: aiohttp.ClientSession
) -> None:
    for article in press.articles:
        async with client.get(f"{press.url}/articles/{article.slug}") as page:
            assert page.status == 200
            assert f'<html lang="{article.language}">' in await page.text()
        async with client.get(f"{press.url}/pictures/{article.slug}.png") as picture:
            assert picture.status == (200 if article.picture else 404)
    async with client.get(press.url + "/articles/nothing") as missing:
        assert missing.status == 404


async def test_a_story_written_in_the_browser_is_published_as_text_whatever_it_holds(
    press: Press, client: aiohttp.ClientSession
) -> None:
    story = {"title": "Bells \x07 <b>& whistles</b>", "text": "One\x00.\r\n\r\nTwo ]]> & 東京", "tags": "sound, ,town"}
    async with client.post(press.url + "/articles", data=story) as page:
        assert page.status == 200
        assert "<b>" not in await page.text()
    written = press.articles[0]
    assert (written.title, written.standfirst, written.tags) == ("Bells  <b>& whistles</b>", "One.", ("sound", "town"))
    async with client.get(press.url + "/feed.xml") as feed:
        text = await feed.text()
    assert "Bells  &lt;b&gt;&amp; whistles&lt;/b&gt;" in text
    assert "]]&amp;gt; &amp;amp; 東京" in text


async def test_another_site_cannot_write_into_the_paper(press: Press, client: aiohttp.ClientSession) -> None:
    before = len(press.articles)
    story = {"title": "a", "text": "b"}
    async with client.post(press.url + "/articles", data=story, headers={"Sec-Fetch-Site": "cross-site"}) as refused:
        assert refused.status == 403
    async with client.post(press.url + "/articles", data={"title": " ", "text": "b"}) as empty:
        assert empty.status == 400
    assert len(press.articles) == before
