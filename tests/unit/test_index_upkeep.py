"""What happens to the index over time: slots used again, words forgotten, compactions that come too late."""

from __future__ import annotations

import pytest

from dispatcher.text.document import Document, analyse
from dispatcher.topics.index import Index

DEEP = "wind (sun OR (coal gas))"  # too deep for arrays: a program


def article(text: str, language: str = "en") -> Document:
    return analyse(title="", summary="", body=text, language=language)


def ids(index: Index, text: str, language: str = "en") -> list[int]:
    return [hit.query_id for hit in index.match(article(text, language))]


def test_the_slot_of_a_removed_query_is_used_again_by_another_one_only() -> None:
    index = Index()
    index.add(1, "wind", "en")
    index.add(2, DEEP, "en")
    index.compact()
    index.remove(1)
    index.remove(2)
    index.compact()
    index.add(3, "oil", "en")
    index.add(4, "gold", "en")
    assert index.query_ids.count == 2
    assert ids(index, "wind and sun") == []
    assert ids(index, "oil, gold") == [3, 4]


@pytest.mark.parametrize("query", ["wind", DEEP])
def test_a_query_that_comes_and_goes_during_a_compaction_leaves_nothing_behind(query: str) -> None:
    index = Index()
    index.add(1, "oil", "en")
    index.add(2, "gold", "en")
    compaction = index.compaction()
    index.add(3, query, "en")
    index.remove(3)
    index.remove(1)
    compaction.run()
    assert index.finish(compaction)
    index.add(4, "silver", "en")
    index.add(5, "tin", "en")
    assert ids(index, "wind, sun and oil") == []
    index.compact()
    index.add(6, "iron", "en")
    assert ids(index, "wind, sun and oil") == []
    assert ids(index, "silver tin iron gold") == [2, 4, 5, 6]


@pytest.mark.parametrize("query", ["wind", DEEP])
def test_a_slot_that_comes_to_life_during_a_compaction_stays_alive(query: str) -> None:
    index = Index()
    index.add(1, "oil", "en")
    index.remove(1)
    index.compact()
    compaction = index.compaction()
    index.add(2, query, "en")
    compaction.run()
    assert index.finish(compaction)
    index.add(3, "gold", "en")
    assert ids(index, "wind, sun") == [2]
    assert ids(index, "gold") == [3]


def test_only_the_last_compaction_that_was_begun_counts() -> None:
    index = Index()
    index.add(1, "wind", "en")
    late = index.compaction()
    index.add(2, "wind", "en")
    last = index.compaction()
    late.run()
    last.run()
    assert [index.finish(late), index.finish(last), index.finish(last)] == [False, True, False]
    assert ids(index, "wind") == [1, 2]


def test_forgetting_words_of_articles_leaves_the_queries_words_alone() -> None:
    index = Index()
    for query_id, query in enumerate(["wind", "energ*", '"wind power"', "power-plants", "東京"]):
        index.add(query_id, query, "en")
    assert ids(index, "energy energetic winds 東京 something else entirely") == [0, 1, 4]
    compaction = index.compaction()
    index.forget()
    compaction.run()
    assert not index.finish(compaction)
    for words in ("alpha beta gamma", "delta epsilon zeta", "eta theta iota", "rising prices"):
        assert ids(index, words, "en") == []
    assert ids(index, "energies wind power plant") == [0, 1, 2, 3]
    assert ids(index, "prices winds", "de") == []


def test_forgetting_happens_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.topics.vocabulary._IDLE", 50)
    monkeypatch.setattr("dispatcher.topics.memory._MOST", 50)
    index = Index()
    index.add(1, "wind pow*", "en")
    for number in range(40):
        assert ids(index, " ".join(f"word{number}x{at} powder{number}" for at in range(10))) == []
        assert ids(index, f"winds power{number}") == [1]
    assert len(index.features.vocabulary) < 150
    assert len(index.features.table) < 50


def test_a_prefix_behind_glued_letters_wants_its_last_letter_glued() -> None:
    index = Index()
    index.add(1, "東京都*", "")
    index.add(2, '"東京 都"', "")
    assert ids(index, "東京都") == [1, 2]
    assert ids(index, "東京 都市") == [2]
    assert ids(index, "東京") == []


def test_a_prefix_finds_words_that_were_seen_before_it_and_after_it() -> None:
    index = Index()
    assert ids(index, "energy") == []
    index.add(1, "ener*", "en")
    assert [ids(index, "energy"), ids(index, "energetic")] == [[1], [1]]
    index.compact()
    assert [ids(index, "energy"), ids(index, "enervated")] == [[1], [1]]


def test_an_index_asks_to_be_compacted_when_there_is_something_to_gain() -> None:
    index = Index()
    assert not index.is_due
    for number in range(1001):
        index.add(number, f"word{number}", "")
    assert index.is_due
    index.compact()
    assert not index.is_due
    for number in range(1001):
        index.remove(number)
    assert index.is_due


def test_names_of_people_are_found_by_their_words_in_every_language() -> None:
    index = Index()
    index.add(1, 'author:"waters jones"~2', "en")
    document = analyse(title="", summary="", body="", authors=["Jones A. Waters"], language="en")
    assert [hit.query_id for hit in index.match(document)] == [1]
