from __future__ import annotations

from dispatcher.text.document import analyse
from dispatcher.topics.evaluate import score
from dispatcher.topics.parser import parse


def rate(query: str, **texts: object) -> float:
    document = analyse(**{"title": "", "summary": "", "body": "", "language": "en", **texts})  # type: ignore[arg-type]
    found = score(parse(query), document, "en")
    assert found is not None
    return found


def test_a_hit_in_the_title_weighs_more_than_one_in_the_summary_and_that_more_than_one_in_the_body() -> None:
    assert rate("wind", title="wind") > rate("wind", summary="wind") > rate("wind", body="wind") > 0


def test_more_hits_weigh_more() -> None:
    assert rate("wind", body="wind wind") > rate("wind", body="wind")
    assert rate("wind", title="wind", body="wind") > rate("wind", title="wind")


def test_a_word_in_the_title_outweighs_a_dozen_in_the_body() -> None:
    assert rate("wind", title="wind") > rate("wind", body="wind " * 12)


def test_every_branch_of_an_or_that_is_found_counts() -> None:
    assert rate("wind OR sun", body="wind and sun") > rate("wind OR sun", body="wind")


def test_excluding_adds_nothing() -> None:
    assert rate("wind -coal", body="wind") == rate("wind", body="wind")


def test_queries_that_ask_the_same_score_the_same() -> None:
    texts = {"title": "Wind and sun", "body": "Wind, wind, sun"}
    assert rate("sun wind", **texts) == rate("(WIND AND sun) wind *", **texts)


def test_everything_and_an_empty_article_have_a_score() -> None:
    assert rate("*") > 0
    assert rate("* -sport") > 0


def test_a_phrase_at_the_very_end_of_a_text_is_looked_for_no_further() -> None:
    assert score(parse('"wind farm"'), analyse(title="farm wind", summary="", body=""), "") is None
