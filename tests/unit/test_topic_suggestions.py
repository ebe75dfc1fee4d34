"""What an article and a word suggest."""

from __future__ import annotations

from dispatcher.text.document import Document, analyse
from dispatcher.topics.evaluate import compile_query
from dispatcher.topics.explain import Blame
from dispatcher.topics.parser import parse
from dispatcher.topics.suggest import around, nearly, telling


def article(title: str, body: str = "", language: str = "en") -> Document:
    return analyse(title=title, summary="", body=body, language=language)


STORED = [
    article(f"The council meets again {n}", f"The council of the town met, and the mayor spoke about budget {n}.")
    for n in range(30)
] + [
    article("Ferries cross the harbour", "The old ferry crosses. A car ferry is dear. The car ferry waits."),
    article("A car ferry sinks", "No car ferry is safe, and ferry captains know."),
]
MILL = article(
    "Black Mill windmill turns again",
    "After years the mayor saw the Black Mill turn. The Black Mill grinds flour. The council of the town paid.",
)


def test_an_article_suggests_what_it_says_often_and_others_never() -> None:
    found = telling(MILL, STORED)
    assert found[0].query == '"black mill"'
    assert found[0].articles == 0
    queries = {one.query for one in found}
    assert not queries & {"the", "council", "town", "mayor", '"the council"', '"council of the"'}


def test_every_suggested_phrase_is_a_query_that_finds_the_article() -> None:
    japanese = article("東京の風力発電所", "東京の風力発電所は動いている。東京湾の風力発電所。", "ja")
    for document in (MILL, japanese, article("O'Neill's C++ e-mail: 3.5 % NOT AND OR", "e-mail, e-mail and O'Neill")):
        found = telling(document, STORED)
        assert found
        assert found == telling(document, STORED)
        for one in found:
            assert compile_query(parse(one.query), document.language).score(document) is not None


def test_a_word_has_its_inflections_and_its_company() -> None:
    found = around("ferries", "en", STORED)
    assert [(one.query, one.articles) for one in found.inflections] == [("ferry", 2), ("ferries", 1)]
    assert (found.phrases[0].query, found.phrases[0].articles) == ('"car ferry"', 2)
    assert around("zeppelin", "en", STORED) == around("...", "en", STORED)
    assert around("zeppelin", "en", STORED).inflections == ()


def test_a_topic_is_nearly_matched_that_lacks_or_has_one_part() -> None:
    queries = {
        1: ("windmill flour", "en"),  # matches
        2: ("windmill bakery", "en"),
        3: ("windmill -mayor", "en"),
        4: ("bakery", "en"),  # its only part: nothing speaks for it
        5: ("windmill bakery -mayor", "en"),  # two
        6: ("bakery OR (windmill baker)", "en"),
        7: ("windmill (bakery OR baker)", "en"),
    }
    assert nearly(queries, MILL) == {
        2: Blame(missing=("bakery",)),
        3: Blame(forbidden=("mayor",)),
        6: Blame(missing=("baker",)),
        7: Blame(missing=("baker OR bakery",)),
    }
