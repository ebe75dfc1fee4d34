from __future__ import annotations

from dispatcher.text.document import analyse


def test_a_document_knows_where_each_word_and_each_stem_stands() -> None:
    document = analyse(title="Price of prices", summary="", body="", language="en-GB")
    assert document.language == "en"
    assert list(document.title.words["prices"]) == [2]
    assert list(document.title.stems["price"[:4] + "e"]) == [0, 2]


def test_without_a_language_the_stems_are_the_words() -> None:
    document = analyse(title="Prices", summary="", body="")
    assert document.stemmed_by == ""
    assert document.title.stems == document.title.words


def test_names_compare_by_a_key_without_case_accents_blanks_and_hyphens() -> None:
    document = analyse(title="", summary="", body="", tags=["Wind-Power"], sources=["Journal  Général", "Other"])
    assert document.tags[0].key == "wind-power"
    assert [source.key for source in document.sources] == ["journal-general", "other"]


def test_names_of_people_are_not_stemmed() -> None:
    document = analyse(title="", summary="", body="", authors=["Ann Waters"], language="en")
    assert "waters" in document.authors[0].passage.stems


def test_an_article_without_anything_is_a_document_too() -> None:
    document = analyse(title="", summary="", body="", tags=["", "🎉"], language="no such language")
    assert document.language == ""
    assert [tag.key for tag in document.tags] == ["", ""]
