"""The canonical link and the content hash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.articles.clean import clean
from dispatcher.articles.identity import canonical_url, content_hash, is_shareable
from dispatcher.model.content import Source
from dispatcher.model.raw import RawArticle
from dispatcher.model.values import Origin

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("HTTPS://A.Example:443/X#part", "https://a.example/X"),
        ("http://a.example:80", "http://a.example/"),
        ("http://a.example:8080/", "http://a.example:8080/"),
        ("https://a.example./x", "https://a.example/x"),
        ("https://a.example/x?utm_source=rss&id=7&fbclid=q&UTM_medium=m", "https://a.example/x?id=7"),
        ("https://a.example/x?utm_source=rss", "https://a.example/x"),
        ("https://a.example/x?b=2&a=1&&", "https://a.example/x?b=2&a=1"),
        ("https://a.example/x?a=%2f+1", "https://a.example/x?a=%2F+1"),
        ("  https://a.example/\n x\t ", "https://a.example/%20x"),
        ("https://a.example/é ü?q=ß", "https://a.example/%C3%A9%20%C3%BC?q=%C3%9F"),
        ("https://a.example/%C3%A9%zz", "https://a.example/%C3%A9%25zz"),
        ("https://user:secret@a.example/x", "https://a.example/x"),
        ("https://[2606:4700::1111]:443/x", "https://[2606:4700::1111]/x"),
        ("https://bücher.example/x", "https://bücher.example/x"),
        ("https://a.example/a;b=c/(d),e~f", "https://a.example/a;b=c/(d),e~f"),
    ],
)
def test_a_link_has_one_canonical_form_which_is_its_own(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "url",
    ["", "x", "/x", "mailto:a@a.example", "javascript:alert(1)", "file:///etc/passwd", "ftp://a.example/", "http://",
     "http://a b/", "http://[::1", "https://a.example:99999/", "https://a.example:x/", "tag:a.example,2026:1",
     "//a.example/x", "https://a.example/" + "x" * 3000, "https://a<b>.example/", "https://a.example/\x00",
     "data:text/html,x"],
)  # fmt: skip
def test_what_is_no_web_link_is_nothing(url: str) -> None:
    assert canonical_url(url) == ""


def test_a_relative_link_is_resolved_against_its_base() -> None:
    assert canonical_url("../x?utm_term=1", "https://a.example/b/c/") == "https://a.example/b/x"
    assert canonical_url("x", "file:///home/") == ""
    assert canonical_url("/x", "http://[broken") == ""


@pytest.mark.parametrize("url", ["", "https://a.example/", "https://a.example/index.html", "https://a.example/en/"])
def test_a_home_page_identifies_no_article(url: str) -> None:
    assert not is_shareable(url)


@pytest.mark.parametrize("url", ["https://a.example/x", "https://a.example/?p=7", "https://a.example/en/x"])
def test_a_page_of_its_own_identifies_an_article(url: str) -> None:
    assert is_shareable(url)


def hash_of(now: datetime = NOW, **fields: object) -> str:
    raw = RawArticle(**({"guid": "1", "title": "T", "content": "<p>c</p>"} | fields))  # type: ignore[arg-type]
    article = clean(raw, Source(id=1, name="S", url="https://s.example/", origin=Origin.CONFIG, next_poll_at=NOW), now)
    assert content_hash(article) == article.content_hash
    return article.content_hash


def test_an_article_without_a_date_hashes_the_same_at_every_poll() -> None:
    assert hash_of() == hash_of(now=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    "change",
    [
        {"title": "U"},
        {"content": "d"},
        {"summary": "s"},
        {"tags": ("t",)},
        {"authors": ("a",)},
        {"url": "https://a.example/x"},
        {"image_url": "https://a.example/i.png"},
    ],
)
def test_whatever_a_reader_sees_changes_the_hash(change: dict[str, object]) -> None:
    assert hash_of(**change) != hash_of()
