"""The invented paper: whole, varied, and honest about its dates; its feeds are read by our own reader."""

from __future__ import annotations

from datetime import UTC, datetime
from html import unescape

import pytest

from dispatcher.config.settings import TopicEntry
from dispatcher.demo import pictures
from dispatcher.demo.articles import Outlet, SampleArticle, archive, load, upcoming
from dispatcher.demo.feed import Links, atom, json_feed
from dispatcher.demo.readers import READERS, TOPICS, next_slot
from dispatcher.model.raw import RawArticle
from dispatcher.schedule.cadence import next_due, parse
from dispatcher.sources import document
from dispatcher.sources import feed as reader
from dispatcher.topics.parser import parse as parse_query

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
SITE = "http://127.0.0.1:8000/"


def test_every_article_has_a_name_of_its_own_a_standfirst_and_a_body() -> None:
    articles = load()
    assert len({article.slug for article in articles}) == len(articles) >= 40
    assert all(article.title and article.standfirst and article.paragraphs for article in articles)
    assert {article.language for article in articles} == {"en", "de", "fr", "es"}
    assert all(bool(article.picture) == bool(article.picture_alt) for article in articles)
    assert {article.picture for article in articles if article.picture} == pictures.PALETTES.keys()


def test_the_past_is_past_and_newest_first_and_there_is_a_future() -> None:
    dates = [article.published_at or NOW for article in archive(NOW)]
    assert dates == sorted(dates, reverse=True)
    assert max(dates) < NOW
    assert len(upcoming()) >= 20
    assert {article.outlet for article in upcoming()} == set(Outlet)


@pytest.mark.parametrize(("write", "outlet"), [(atom, Outlet.PAPER), (json_feed, Outlet.TWINS)])
def test_the_feeds_say_of_every_article_what_is_known_of_it(write: object, outlet: Outlet) -> None:
    assert callable(write)
    articles = [article for article in archive(NOW) if article.outlet is outlet]
    read = reader.parse(write(articles, Links(SITE)), url=SITE + "feed")
    assert [_facts(item) for item in read.items] == [_known(article) for article in articles]


def test_desk_notes_keep_everything_in_their_front_matter() -> None:
    for article in (article for article in archive(NOW) if article.outlet is Outlet.FOLDER):
        item = document.parse(article.as_markdown().encode(), path="note.md", modified_at=NOW)
        assert item is not None
        assert (unescape(item.title), item.tags, item.authors) == (article.title, article.tags, article.authors)
        assert (item.language, item.published_at) == (article.language, article.published_at)
        assert item.content.count("<p>") == len(article.paragraphs)


def _facts(item: RawArticle) -> tuple[object, ...]:
    words = (unescape(item.title), unescape(item.summary), item.authors, item.tags)
    return (*words, item.url, item.image_url, item.language, item.published_at)


def _known(article: SampleArticle) -> tuple[object, ...]:
    picture = f"{SITE}pictures/{article.slug}.png" if article.picture else ""
    words = (article.title, article.standfirst, article.authors, article.tags)
    return (*words, f"{SITE}articles/{article.slug}", picture, article.language, article.published_at)


def test_topics_and_cadences_of_the_demo_are_valid() -> None:
    for slug, (name, query, language) in TOPICS.items():
        TopicEntry(slug=slug, name=name, query=query, language=language)
        parse_query(query)
    for sample in READERS:
        assert {*sample.topics, *sample.instant} <= TOPICS.keys()


def test_every_digest_of_the_demo_is_due_at_the_same_moment_in_every_zone() -> None:
    soon = next_slot(NOW, ahead=NOW - NOW)
    for sample in READERS:
        cadence = parse(sample.cadence_at(soon))
        if cadence.kind != "instant":
            assert next_due(cadence, datetime(2026, 3, 2, 6, 0, tzinfo=UTC), sample.timezone) == soon == NOW


def test_a_picture_is_a_png_and_the_same_seed_draws_the_same_one() -> None:
    assert pictures.draw("dawn", "a").startswith(b"\x89PNG\r\n")
    assert pictures.draw("dawn", "a") == pictures.draw("dawn", "a") != pictures.draw("dawn", "b")
