from __future__ import annotations

import pytest

from dispatcher.errors import QueryError
from dispatcher.text.document import analyse
from dispatcher.topics.evaluate import score
from dispatcher.topics.explain import Explanation, Snippet, explain
from dispatcher.topics.parser import parse

TITLE = "The energy price rises"
BODY = "Nobody knows why.\nThe “É\u0301nergy” ministry says: wait. " + "Filler goes here. " * 40 + "At last, wind!"
ARTICLE = {"title": TITLE, "summary": "", "body": BODY}
DOCUMENT = analyse(
    **ARTICLE, tags=["Wind Power"], authors=["Ann O’Neill"], sources=["Daily Express"], language="en"
)  # fmt: skip


def why(query: str) -> Explanation:
    return explain(query, DOCUMENT, "en", article=ARTICLE)


def shown(snippet: Snippet) -> str:
    return f"{snippet.field}: " + "".join(f"[{text}]" if is_hit else text for text, is_hit in snippet.parts())


def snippets(query: str) -> list[str]:
    return [shown(snippet) for line in why(query).leaves for snippet in line.snippets]


def test_a_match_says_which_leaf_was_found_where_and_how_often() -> None:
    answer = why("energies -sport")
    assert (answer.matched, answer.missing, answer.forbidden) == (True, (), ())
    assert answer.score == score(parse("energies -sport"), DOCUMENT, "en")
    found, absent = answer.leaves
    assert (found.text, found.is_hit, found.is_negated, found.counts) == (
        "energies", True, False, (("title", 1), ("body", 1)),
    )  # fmt: skip
    assert (absent.text, absent.is_hit, absent.is_negated, absent.snippets) == ("sport", False, True, ())


def test_the_original_text_is_highlighted() -> None:
    assert snippets("title:energy") == ["title: The [energy] price rises"]
    assert snippets("body:energy")[0].startswith("body: Nobody knows why. The “[É\u0301nergy]” ministry says")


def test_a_long_text_is_cut_around_the_first_hit() -> None:
    (text,) = snippets("body:wind")
    assert text.startswith("body: …")
    assert text.endswith("here. At last, [wind]!")
    assert len(text) < 120


def test_several_hits_in_one_snippet_are_all_highlighted() -> None:
    (text,) = snippets("body:filler")
    assert text.count("[Filler]") > 3
    assert text.endswith("…")


def test_phrases_and_proximities_are_highlighted_as_a_whole() -> None:
    assert snippets('"energy price"') == ["title: The [energy price] rises"]
    assert snippets('title:"rises energy"~1') == ["title: The [energy price rises]"]


def test_names_are_shown_as_they_are_written() -> None:
    assert snippets("tag:wind-power") == ["tag: [Wind Power]"]
    assert snippets("source:daily*") == ["source: [Daily Express]"]
    assert snippets("author:neill") == ["author: Ann O’[Neill]"]
    assert snippets("lang:en") == ["lang: [en]"]
    assert "tag: [Wind] Power" in snippets("wind")


def test_everything_has_no_place_to_show() -> None:
    answer = why("*")
    assert (answer.matched, answer.leaves[0].is_hit, answer.leaves[0].snippets) == (True, True, ())


def test_leaves_come_in_the_order_they_were_written_each_once() -> None:
    assert [line.text for line in why("wind title:energy apple wind").leaves] == ["wind", "title:energy", "apple"]


@pytest.mark.parametrize(
    ("query", "missing", "forbidden"),
    [
        ("energy coal", ("coal",), ()),
        ("coal gas", ("coal", "gas"), ()),
        ("energy (coal OR gas)", ("coal OR gas",), ()),
        ("energy -wind", (), ("wind",)),
        ("energy -wind coal", ("coal",), ("wind",)),
        ("coal OR (energy -wind)", (), ("wind",)),
        ("coal OR gas -wind", ("coal OR gas -wind",), ()),
        ("energy -(wind price)", (), ("price", "wind")),
        ("energy -(wind coal) gas", ("gas",), ()),
        ("* -wind", (), ("wind",)),
        ("title:wind", ("title:wind",), ()),
    ],
)
def test_a_non_match_says_what_was_missing_and_what_forbade_it(
    query: str, missing: tuple[str, ...], forbidden: tuple[str, ...]
) -> None:
    answer = why(query)
    assert (answer.matched, answer.score, answer.missing, answer.forbidden) == (False, None, missing, forbidden)


def test_a_query_that_does_not_parse_is_an_error() -> None:
    with pytest.raises(QueryError):
        why("(")


def test_texts_left_out_give_counts_without_snippets() -> None:
    answer = explain("title:energy", DOCUMENT, "en", article={})
    assert (answer.leaves[0].counts, answer.leaves[0].snippets) == ((("title", 1),), ())
