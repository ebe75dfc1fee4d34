"""Reading a source, whatever it is: real HTTP, real files, real folders. A broken one is a value."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from web_server import Page, WebServer, saying

from dispatcher.model.content import Source
from dispatcher.model.values import Origin
from dispatcher.sources.http import Fetcher
from dispatcher.sources.read import Reading, read

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def feed_of(*titles: str) -> bytes:
    items = "".join(f"<item><title>{title}</title><guid isPermaLink='false'>{title}</guid></item>" for title in titles)
    return f"<rss version='2.0'><channel><title>T</title>{items}</channel></rss>".encode()


def source(url: str | Path, **fields: object) -> Source:
    keys = {"name": "S", "url": str(url), "origin": Origin.CONFIG, "next_poll_at": NOW, "allow_private": True}
    return Source(**(keys | fields))


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher("dispatcher-test/1", timeout=5) as made:
        yield made


def titles(reading: Reading) -> list[str]:
    assert reading.failure is None, reading.failure
    return [item.title for item in reading.items]


async def test_a_feed_over_http_is_read_and_remembered(web: WebServer, fetcher: Fetcher, tmp_path: Path) -> None:
    web.pages["/feed.xml"] = Page(feed_of("a", "b"), has_validators=True)
    reading = await read(source(web.url()), fetcher, now=NOW, base=tmp_path)
    assert titles(reading) == ["a", "b"]
    assert not reading.unchanged
    assert reading.etag == web.pages["/feed.xml"].etag
    assert reading.last_modified
    assert len(reading.body_hash) == 64


async def test_a_feed_that_answers_304_is_a_success_without_items(
    web: WebServer, fetcher: Fetcher, tmp_path: Path
) -> None:
    page = web.pages["/feed.xml"] = Page(feed_of("a"), has_validators=True)
    reading = await read(source(web.url(), etag=page.etag, body_hash="h"), fetcher, now=NOW, base=tmp_path)
    assert (reading.unchanged, reading.items, reading.failure) == (True, (), None)
    assert (reading.etag, reading.body_hash) == (page.etag, "h")


async def test_a_reading_says_step_by_step_what_was_asked_and_answered(
    web: WebServer, fetcher: Fetcher, tmp_path: Path
) -> None:
    steps: list[str] = []
    page = web.pages["/feed.xml"] = Page(feed_of("one"), has_validators=True)
    reading = await read(source(web.url()), fetcher, now=NOW, base=tmp_path, steps=steps)
    assert not reading.not_modified
    asked, answered, took = steps
    assert asked.startswith("asked for http://127.0.0.1")
    assert answered.startswith("the server answered 200")
    assert f"ETag: {page.etag}" in answered
    assert took.startswith("took ")
    again = await read(source(web.url(), etag=page.etag), fetcher, now=NOW, base=tmp_path, steps=steps)
    assert again.not_modified
    assert steps[-1].startswith("the server answered 304")


async def test_a_feed_without_validators_is_unchanged_by_its_bytes(
    web: WebServer, fetcher: Fetcher, tmp_path: Path
) -> None:
    web.pages["/feed.xml"] = Page(feed_of("a"))
    first = await read(source(web.url()), fetcher, now=NOW, base=tmp_path)
    again = await read(source(web.url(), body_hash=first.body_hash), fetcher, now=NOW, base=tmp_path)
    assert (again.unchanged, again.items, again.body_hash) == (True, (), first.body_hash)


@pytest.mark.parametrize(
    "content_type", ["text/html", "image/png", "application/octet-stream", "nonsense", "text/plain"]
)
async def test_a_lying_content_type_does_not_matter(
    web: WebServer, fetcher: Fetcher, tmp_path: Path, content_type: str
) -> None:
    web.pages["/feed.xml"] = Page(feed_of("Žluť"), content_type=content_type)
    assert titles(await read(source(web.url()), fetcher, now=NOW, base=tmp_path)) == ["Žluť"]


async def test_at_most_two_thousand_items_are_taken(web: WebServer, fetcher: Fetcher, tmp_path: Path) -> None:
    web.pages["/feed.xml"] = Page(feed_of(*map(str, range(2100))))
    assert titles(await read(source(web.url()), fetcher, now=NOW, base=tmp_path)) == list(map(str, range(2000)))


async def test_a_failure_keeps_what_was_remembered(web: WebServer, fetcher: Fetcher, tmp_path: Path) -> None:
    web.pages["/feed.xml"] = Page(b"<html>", content_type="text/html")
    for url in (web.url(), web.url("/missing"), "nowhere"):
        broken = source(url, etag='"e"', last_modified="l", body_hash="h")
        reading = await read(broken, fetcher, now=NOW, base=tmp_path, known={"a.md": "1:1"})
        assert reading.failure is not None
        assert (reading.etag, reading.last_modified, reading.body_hash) == ('"e"', "l", "h")


async def test_a_web_page_is_named_as_one(web: WebServer, fetcher: Fetcher, tmp_path: Path) -> None:
    web.pages["/feed.xml"] = Page(b"<!doctype html><title>x</title>", content_type="text/html")
    reading = await read(source(web.url()), fetcher, now=NOW, base=tmp_path)
    assert reading.failure is not None
    assert "web page" in reading.failure.reason


async def test_a_header_of_odd_bytes_breaks_nothing(web: WebServer, fetcher: Fetcher, tmp_path: Path) -> None:
    body = feed_of("a")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=\xff\xe9\r\nContent-Length: %d\r\n\r\n" % len(body)
    url = await web.raw(saying(head + body))
    assert titles(await read(source(url), fetcher, now=NOW, base=tmp_path)) == ["a"]


async def test_a_feed_in_a_file_is_read_by_every_way_to_name_it(fetcher: Fetcher, tmp_path: Path) -> None:
    path = tmp_path / "my feed.xml"
    path.write_bytes(feed_of("a"))
    names = (
        path.as_uri(),
        str(path),
        "my feed.xml",
        f"file://localhost{path}",
        "file:my%20feed.xml",
        "FILE:my feed.xml",
    )
    for name in names:
        assert titles(await read(source(name), fetcher, now=NOW, base=tmp_path)) == ["a"], name


async def test_a_file_that_did_not_change_is_unchanged(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_bytes(feed_of("a"))
    first = await read(source("feed.xml"), fetcher, now=NOW, base=tmp_path)
    assert (await read(source("feed.xml", body_hash=first.body_hash), fetcher, now=NOW, base=tmp_path)).unchanged
    (tmp_path / "feed.xml").write_bytes(feed_of("b", "a"))
    again = await read(source("feed.xml", body_hash=first.body_hash), fetcher, now=NOW, base=tmp_path)
    assert titles(again) == ["b", "a"]


async def test_a_folder_is_read_by_every_way_to_name_it(fetcher: Fetcher, tmp_path: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "a.txt").write_text("A title\n\nA body\n")
    os.utime(folder / "a.txt", (0, 0))
    for name in ("articles", "articles/", "./articles", folder.as_uri(), str(folder), folder.as_uri() + "/"):
        reading = await read(source(name), fetcher, now=NOW, base=tmp_path)
        assert titles(reading) == ["A title"], name
        again = await read(source(name), fetcher, now=NOW, base=tmp_path, known=reading.fingerprints)
        assert (again.unchanged, again.fingerprints) == (True, reading.fingerprints)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("missing.xml", "no file or folder"),
        ("file:///nowhere/at/all", "no file or folder"),
        ("file://server/share/feed.xml", "names a machine, 'server'"),
        ("file://feed.xml", "names a machine, 'feed.xml'"),
        ("file:///C:/feeds/a.xml", "not the address of a file"),
        ("C:\\feeds\\a.xml", "Windows path"),
        ("file:C:\\feeds\\a.xml", "not the address of a file"),
        ("file:", "not the address of a file"),
        ("file:///a%00b", "not the address of a file"),
        ("ftp://a.example/feed", "ftp: cannot be read"),
        ("feed:https://a.example/", "feed: cannot be read"),
        ("/dev/null", "neither a file nor a folder"),
        ("a" * 5000, "name too long"),
        ("http://[::1", "not a usable URL"),
        ("http:", "names no host"),
    ],
)
async def test_a_source_that_cannot_be_read_says_why(fetcher: Fetcher, tmp_path: Path, url: str, why: str) -> None:
    reading = await read(source(url), fetcher, now=NOW, base=tmp_path)
    assert reading.failure is not None
    assert why.lower() in reading.failure.reason.lower()
