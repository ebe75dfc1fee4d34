"""Files of a folder: Markdown with front matter, HTML pages, plain text, in every encoding."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dispatcher.errors import SourceError
from dispatcher.model.raw import RawArticle
from dispatcher.sources import document

MODIFIED_AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def parse(text: str | bytes, path: str = "a.md") -> RawArticle:
    data = text.encode() if isinstance(text, str) else text
    article = document.parse(data, path=path, modified_at=MODIFIED_AT)
    assert article is not None
    return article


def test_the_first_line_of_a_text_is_its_title_and_the_rest_its_body() -> None:
    article = parse("\n\nRain at last\n\nIt rained.\nAll day <long>.\n", "news/rain.txt")
    assert (article.title, article.content, article.is_html) == ("Rain at last", "It rained.\nAll day <long>.", False)
    assert (article.guid, article.url, article.published_at) == ("news/rain.txt", "", MODIFIED_AT)


def test_a_text_of_one_line_is_all_title() -> None:
    assert (parse("Only this", "a.txt").title, parse("Only this", "a.txt").content) == ("Only this", "")


def test_markdown_with_yaml_front_matter() -> None:
    article = parse(
        """---
title: "Lanterns: a history"   # the headline
date: 2026-11-20T18:00:00+01:00
tags: [light, "old, things", 'night']
authors:
  - Ada Quill
  - name: Bo Reed
language: en-GB
summary: >
  Two thousand years
  of carrying fire.
image: /img/lantern.jpg
url: https://lanterns.example/history
id: lantern-1
nested:
  deeper: is skipped
  - anyhow
---
First **paragraph**.

| a | b |
|---|---|
| 1 | 2 |
"""
    )
    assert article.title == "Lanterns: a history"
    assert article.published_at == datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert article.tags == ("light", "old, things", "night")
    assert article.authors == ("Ada Quill", "Bo Reed")
    assert article.language == "en-GB"
    assert article.summary == "Two thousand years of carrying fire."
    assert article.image_url == "/img/lantern.jpg"
    assert (article.url, article.base_url) == ("https://lanterns.example/history",) * 2
    assert article.guid == "lantern-1"
    assert "<p>First <strong>paragraph</strong>.</p>" in article.content
    assert "<table>" in article.content


def test_markdown_with_toml_front_matter() -> None:
    article = parse(
        '+++\ntitle = "Kites"\ndate = 2026-11-19\ntags = ["wind"]\nweight = 3\n[[authors]]\nname = "Cy"\n+++\n\nUp.\n'
    )
    assert (article.title, article.tags, article.authors) == ("Kites", ("wind",), ("Cy",))
    assert article.published_at == datetime(2026, 11, 19, tzinfo=UTC)


def test_a_heading_is_the_title_where_front_matter_names_none() -> None:
    article = parse("# Wool & *silk* `v2`\n\nSoft.\n")
    assert (article.title, article.content.strip()) == ("Wool &amp; silk v2", "<p>Soft.</p>")


def test_a_file_name_is_the_title_of_last_resort() -> None:
    assert parse("Just words.", "2026-11-22-first_snow.md").title == "2026 11 22 first snow"


def test_a_lone_rule_is_no_front_matter() -> None:
    assert "<hr" in parse("---\n\nText after a rule.\n").content


def test_windows_line_ends_do_not_matter() -> None:
    article = parse("---\r\ntitle: Crossing\r\ntags: a, b\r\n---\r\nBody\r\n")
    assert (article.title, article.tags) == ("Crossing", ("a", "b"))


def test_a_draft_is_no_article() -> None:
    for draft in ("---\ntitle: X\ndraft: true\n---\n", '+++\ntitle = "X"\ndraft = true\n+++\n'):
        assert document.parse(draft.encode(), path="a.md", modified_at=MODIFIED_AT) is None


@pytest.mark.parametrize("text", ["---\ntitle: A\nthis is not a pair\n---\n", "+++\ntitle = \n+++\n"])
def test_front_matter_that_cannot_be_read_names_the_line(text: str) -> None:
    with pytest.raises(SourceError, match="line"):
        parse(text)


@pytest.mark.parametrize("value", ["", "[", "]", '"', "'", "[,]", "|", ">", "'a", '"a" b', "- x", "{a: b}", "&x", "!t"])
def test_odd_values_in_front_matter_break_nothing(value: str) -> None:
    assert parse(f"---\nkey: {value}\ntitle: Kept\n---\nBody\n").title == "Kept"


PAGE = """<!doctype html><html lang="pt-BR"><head><meta charset="utf-8"><title>Maré alta | Jornal do Cais</title>
<meta name="description" content="A maré &amp; o cais"><meta name="author" content="Rui Costa">
<meta property="og:image" content="/m.jpg"><meta property="article:published_time" content="2026-11-21T10:00:00-03:00">
<meta property="article:tag" content="mar"><meta property="article:tag" content="cais">
<link rel="canonical" href="https://cais.example/mare"><style>p { color: red }</style></head>
<body><nav>Home | News</nav><article><h1>Maré alta</h1><p>Subiu <a href="/x">muito</a> &lt;2 m&gt;.</p>
<script>track("<p>")</script><aside>Ads</aside><br/></article><footer>© Cais</footer></body></html>"""


def test_an_html_page_tells_about_itself() -> None:
    article = parse(PAGE, "mare.html")
    assert article.title == "Maré alta"
    assert article.summary == "A maré &amp; o cais"
    assert (article.authors, article.tags, article.language) == (("Rui Costa",), ("mar", "cais"), "pt-BR")
    assert (article.url, article.image_url) == ("https://cais.example/mare", "/m.jpg")
    assert article.published_at == datetime(2026, 11, 21, 13, tzinfo=UTC)


def test_the_body_of_a_page_is_its_article_without_furniture() -> None:
    content = parse(PAGE, "mare.html").content
    assert content.startswith('<p>Subiu <a href="/x">muito</a> &lt;2 m&gt;.</p>')
    for furniture in ("track", "Ads", "Home", "©", "color", "<h1>"):
        assert furniture not in content


def test_a_page_without_article_is_read_from_main_or_body() -> None:
    assert parse("<body><p>Out</p><main><p>In</p></main></body>", "a.html").content == "<p>In</p>"
    assert parse("<title>T</title><p>All of it", "a.htm").content == "<p>All of it"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>Storm | The Quay</title><body><h1>Storm</h1>", "Storm"),
        ("<title>Storm</title><body><h1>Another thing</h1>", "Storm"),
        ("<body><h1>A <em>big</em> storm</h1>", "A big storm"),
        ('<meta property="og:title" content="Shared"><title>Storm</title>', "Shared"),
        ("<body><p>Nothing", "my page"),
    ],
)
def test_the_headline_of_a_page(head: str, title: str) -> None:
    assert parse(f"<html>{head}", "my-page.html").title == title


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_is_read_in_its_encoding(encoding: str) -> None:
    assert parse("Déjà vu – “5 €”\nÜber".encode(encoding), "a.txt").title == "Déjà vu – “5 €”"


def test_a_page_may_declare_its_encoding() -> None:
    page = '<meta charset="windows-1251"><title>Привет</title>'
    assert parse(page.encode("cp1251"), "a.html").title == "Привет"


def test_bytes_that_are_no_text_still_give_text() -> None:
    assert parse(b"Title\x81\x8d\n" + bytes(range(1, 256)), "a.txt").title


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\xef\xbb\xbf\n"])
def test_a_file_with_nothing_in_it_is_no_article(data: bytes) -> None:
    with pytest.raises(SourceError, match="empty"):
        parse(data, "a.txt")
