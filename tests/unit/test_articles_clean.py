"""Raw → clean: nothing in the result is untrusted, and nothing that could be told is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dispatcher.articles.clean import MAX_SUMMARY, MAX_TAGS, MAX_TITLE, clean, language_tag
from dispatcher.model.content import Article, Source
from dispatcher.model.raw import RawArticle
from dispatcher.model.values import Origin

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def cleaned(tags: list[str] | None = None, *, allow_private: bool = False, **fields: object) -> Article:
    source = Source(
        id=3, name="The Quay", url="https://quay.example/feed", origin=Origin.CONFIG, next_poll_at=NOW, tags=tags or [],
        allow_private=allow_private,
    )  # fmt: skip
    return clean(RawArticle(**({"guid": "1"} | fields)), source, NOW)  # type: ignore[arg-type]


def test_an_article_of_every_field_is_cleaned() -> None:
    article = cleaned(
        tags=["Local"],
        title="Tides &amp; <i>time</i>",
        url="https://QUAY.example/tides?utm_source=feed#c",
        summary="<p>Why the sea comes back.</p>",
        content='<p>Twice a day.</p><img src="/t.png"><script>x</script>',
        authors=("  Nora   Lind ", "nora lind", "<b>Bo</b>"),
        language="EN_gb",
        image_url="t.jpg",
        published_at=datetime(2026, 11, 22, 13, 30, tzinfo=timezone(timedelta(hours=2))),
        updated_at=NOW,
    )
    assert article.id is None
    assert article.source_id == 3
    assert article.title == "Tides & time"
    assert article.url == "https://quay.example/tides"
    assert article.summary == "Why the sea comes back."
    assert article.body_text == "Twice a day."
    assert article.body_html == '<p>Twice a day.</p><img src="https://quay.example/t.png">'
    assert article.authors == ["Nora Lind", "Bo"]
    assert article.tags == ["Local"]
    assert article.language == "en-GB"
    assert article.image_url == "https://quay.example/t.jpg"
    assert article.published_at == datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
    assert (article.updated_at, article.seen_at) == (NOW, NOW)


def test_an_article_of_nothing_still_is_one() -> None:
    article = cleaned()
    assert article.title == "The Quay"
    assert (article.url, article.summary, article.body_text, article.body_html, article.language) == ("",) * 5
    assert (article.authors, article.tags, article.image_url) == ([], [], "")
    assert article.published_at == NOW
    assert len(article.content_hash) == 64


def test_a_title_is_taken_from_the_words_where_there_is_none() -> None:
    assert cleaned(content="<p>Fog on the river. Nobody minded.</p>").title == "Fog on the river. Nobody minded."
    assert cleaned(url="https://quay.example/2026/fog/").title == "quay.example fog"


def test_a_title_is_one_line_of_bounded_length_without_tricks() -> None:
    title = cleaned(title="\u202eexe.\u2066 one\n two\x00 " + "word " * 200).title
    assert title.startswith("exe. one two word")
    assert len(title) <= MAX_TITLE


def test_a_double_escaped_title_is_unescaped_once() -> None:
    assert cleaned(title="Fish &amp;amp; chips").title == "Fish &amp; chips"


def test_plain_text_is_not_read_as_html() -> None:
    article = cleaned(title="The <b> tag &amp; you", content="a <b> c\n\nd", is_html=False)
    assert article.title == "The <b> tag &amp; you"
    assert article.body_html == "<p>a &lt;b&gt; c</p>\n<p>d</p>"
    assert article.body_text == "a <b> c\nd"


def test_a_summary_is_the_start_of_the_body_where_there_is_none() -> None:
    article = cleaned(content="<p>" + "A sentence of some length stands here. " * 30 + "</p>")
    assert article.summary.endswith("here.")
    assert MAX_SUMMARY // 2 < len(article.summary) <= MAX_SUMMARY


def test_a_body_is_the_summary_of_a_feed_that_puts_everything_there() -> None:
    article = cleaned(summary="<p>All <b>of</b> it.</p>")
    assert (article.body_html, article.summary) == ("<p>All <b>of</b> it.</p>", "All of it.")


def test_links_are_resolved_against_the_base_and_never_against_a_file() -> None:
    assert (
        'href="https://other.example/a/x"'
        in cleaned(content='<a href="x">x</a>', base_url="https://other.example/a/").body_html
    )
    local = cleaned(
        url="file:///home/me/a.md", content='<a href="x">x</a>', base_url="file:///home/me/", image_url="i.png"
    )
    assert (local.url, local.image_url) == ("", "")
    assert "href" not in local.body_html


@pytest.mark.parametrize(
    "image", ["javascript:x", "data:image/png;base64,AA", "/i.png", "ftp://a.example/i.png", "http://127.0.0.1/i.png"]
)
def test_an_image_that_cannot_be_shown_is_none(image: str) -> None:
    assert cleaned(image_url=image).image_url == ""


def test_tags_are_trimmed_told_apart_and_capped() -> None:
    article = clean(
        RawArticle(guid="1", tags=(" Sea ", "SEA", "", "<b>Wind</b>", *(f"t{n}" for n in range(100)))),
        Source(id=1, name="S", url="x", origin=Origin.CONFIG, next_poll_at=NOW, tags=["News", "sea"]),
        NOW,
    )
    assert article.tags[:3] == ["Sea", "Wind", "t0"]
    assert len(article.tags) == MAX_TAGS


def test_a_date_in_the_future_is_now_and_a_missing_one_first_seen() -> None:
    ahead = NOW + timedelta(days=3)
    article = cleaned(published_at=ahead, updated_at=ahead)
    assert (article.published_at, article.updated_at) == (NOW, NOW)
    assert cleaned(updated_at=NOW - timedelta(hours=1)).published_at == NOW - timedelta(hours=1)
    assert (cleaned().published_at, cleaned().updated_at) == (NOW, None)


@pytest.mark.parametrize("zero", [datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(1, 1, 1)])  # noqa: DTZ001
def test_the_zero_of_a_program_is_no_date(zero: datetime) -> None:
    assert cleaned(published_at=zero).published_at == NOW


@pytest.mark.parametrize(
    ("given", "tag"),
    [("en", "en"), ("EN_us", "en-US"), ("zh-hant-tw", "zh-Hant-TW"), ("de_DE.UTF-8", "de-DE"), ("sr-Latn", "sr-Latn"),
     ("es-419", "es-419"), ("english", ""), ("und", ""), ("", ""), ("x-klingon", ""), ("e", ""), ("<b>", "")],
)  # fmt: skip
def test_a_language_is_a_proper_tag_or_none(given: str, tag: str) -> None:
    assert language_tag(given) == tag


def test_everything_can_be_stored() -> None:
    nasty = "a\x00b\ud800c\udfffd"
    article = cleaned(
        title=nasty, summary=nasty, content=nasty, authors=(nasty,), language=nasty, url="https://a.example/" + nasty
    )
    for text in (article.title, article.summary, article.body_text, article.body_html, *article.authors, article.url):
        text.encode("utf-8")
        assert "\0" not in text


@pytest.mark.parametrize("piece", ["<div>", "<p>x", "word ", "<a href=x>y</a>", "&amp;", "\ud83d", "<b><p>", "ا"])
def test_huge_bodies_are_cut_and_cleaned_in_no_time(piece: str) -> None:
    article = cleaned(title=piece * 1000, summary=piece * 5_000, content=piece * 5_000)
    assert len(article.summary) <= MAX_SUMMARY
    assert len(article.title) <= MAX_TITLE


def test_a_source_that_may_be_private_may_have_private_pictures() -> None:
    picture = "http://127.0.0.1:8000/ferry.png"
    assert cleaned(image_url=picture).image_url == ""
    assert cleaned(image_url=picture, allow_private=True).image_url == picture
