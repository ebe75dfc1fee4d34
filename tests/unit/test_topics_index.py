from __future__ import annotations

from dispatcher.text.document import analyse
from dispatcher.topics.index import Index

ARTICLE = analyse(title="Wind power grows", summary="", body="Prices fall.", tags=["Energy"], language="en")


def ids(index: Index) -> list[int]:
    return [hit.query_id for hit in index.match(ARTICLE)]


def test_an_article_gets_the_queries_it_matches_by_id() -> None:
    index = Index()
    index.add(7, "wind", "en")
    index.add(3, "price", "en")
    index.add(5, "coal", "en")
    hits = index.match(ARTICLE)
    assert [hit.query_id for hit in hits] == [3, 7]
    assert hits[1].score > hits[0].score > 0


def test_an_empty_index_matches_nothing() -> None:
    assert ids(Index()) == []


def test_a_query_added_again_replaces_the_earlier_one() -> None:
    index = Index()
    index.add(1, "coal", "en")
    index.add(1, "wind", "en")
    assert (len(index), ids(index)) == (1, [1])


def test_a_removed_query_matches_no_more_and_may_be_removed_twice() -> None:
    index = Index()
    index.add(1, "wind", "en")
    index.remove(1)
    index.remove(1)
    assert (len(index), 1 in index, ids(index)) == (0, False, [])


def test_a_stored_query_that_no_longer_parses_is_remembered_and_skipped() -> None:
    index = Index()
    index.add(1, "(wind", "en")
    index.add(2, "wind", "en")
    assert ids(index) == [2]
    assert (1 in index, 2 in index, len(index)) == (False, True, 1)
    assert "never closed" in index.broken[1]
    index.add(1, "wind", "en")
    assert (index.broken, ids(index)) == ({}, [1, 2])
    index.add(2, "-wind", "en")
    index.remove(2)
    assert index.broken == {}


def test_each_query_is_asked_in_its_own_language() -> None:
    index = Index()
    index.add(1, "price", "en-US")
    index.add(2, "price", "de")
    assert ids(index) == [1]
