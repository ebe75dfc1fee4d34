"""The invented paper: whole, varied, and honest about its dates."""

from __future__ import annotations

from datetime import UTC, datetime

from dispatcher.config.settings import TopicEntry
from dispatcher.demo import archive, pictures
from dispatcher.demo.articles import archive as earlier
from dispatcher.demo.articles import load, upcoming
from dispatcher.demo.readers import READERS, TOPICS
from dispatcher.schedule.cadence import parse
from dispatcher.topics.parser import parse as parse_query

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


def test_every_article_has_a_name_of_its_own_a_standfirst_and_a_body() -> None:
    articles = load()
    assert len({article.slug for article in articles}) == len(articles)
    assert all(article.title and article.standfirst and article.paragraphs for article in articles)
    assert {article.language for article in articles} == {"en", "de", "fr", "es"}


def test_the_past_is_past_and_newest_first_and_there_is_a_future() -> None:
    dates = [article.published_at or NOW for article in earlier(NOW)]
    assert dates == sorted(dates, reverse=True)
    assert max(dates) < NOW
    assert len(upcoming()) >= 10


def test_topics_and_cadences_of_the_demo_are_valid() -> None:
    for slug, (name, query, language) in TOPICS.items():
        TopicEntry(slug=slug, name=name, query=query, language=language)
        parse_query(query)
    for reader in READERS:
        parse(reader.cadence_at(NOW))
        assert set(reader.topics) <= TOPICS.keys()


def test_a_picture_is_a_png_and_the_same_seed_draws_the_same_one() -> None:
    assert pictures.draw("dawn", "a").startswith(b"\x89PNG\r\n")
    assert pictures.draw("dawn", "a") == pictures.draw("dawn", "a") != pictures.draw("dawn", "b")


def test_file_names_lose_their_accents_and_never_their_sense() -> None:
    assert archive._slug("Le musée, à la lampe!") == "le-musee-a-la-lampe"
    assert archive._slug("東京") == "mail"
