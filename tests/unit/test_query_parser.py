from __future__ import annotations

import pytest

from dispatcher.errors import QueryError
from dispatcher.topics.parser import parse
from dispatcher.topics.syntax import (
    MAX_DEPTH,
    MAX_LEAVES,
    MAX_LENGTH,
    MAX_WORDS,
    And,
    Everything,
    Field,
    Name,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Word,
)

A, B, C, D = (Word(letter) for letter in "abcd")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a OR b c", Or((A, And((B, C))))),
        ("a b OR c d", Or((And((A, B)), And((C, D))))),
        ("a -b", And((A, Not(B)))),
        ("a NOT b c", And((A, Not(B), C))),
        ("a NOT (b OR c)", And((A, Not(Or((B, C)))))),
        ("(a OR b) c", And((Or((A, B)), C))),
        ("((a))", A),
        ("NOT NOT a", Not(Not(A))),
        ("a and b or not", And((A, Word("and"), B, Word("or"), Word("not")))),
        ("*", Everything()),
        ("* -a", And((Everything(), Not(A)))),
        ('"Wind Power"', Phrase("wind power")),
        ('"Été"', Phrase("ete")),
        ('"wind power"~5', Near("power wind", 5)),
        ("Ener*", Prefix("ener")),
        ("e-mail", Word("e-mail")),
        ("O’Neill’s", Word("o-neill")),
        ("C++", Word("c++")),
        ("東京都", Word("東京都")),
        ("title:a", Word("a", Field.TITLE)),
        ("Title:a", Word("a", Field.TITLE)),
        ("title: a", Word("a", Field.TITLE)),
        ("title:(a OR b)", Or((Word("a", Field.TITLE), Word("b", Field.TITLE)))),
        ("title:(a body:b)", And((Word("a", Field.TITLE), Word("b", Field.BODY)))),
        ('body:"a b"', Phrase("a b", Field.BODY)),
        ('body:"b a"~0', Near("a b", 0, Field.BODY)),
        ("summary:wind*", Prefix("wind", Field.SUMMARY)),
        ("-title:a b", And((Not(Word("a", Field.TITLE)), B))),
        ("tag:Wind-Power", Name("wind-power", Field.TAG)),
        ('source:"Daily Express"', Name("daily-express", Field.SOURCE)),
        ("tag:wind*", Prefix("wind", Field.TAG)),
        ("author:O’Neill", Phrase("o neill", Field.AUTHOR)),
        ("lang:de-AT", Name("de", Field.LANG)),
        ("lang:(de OR en)", Or((Name("de", Field.LANG), Name("en", Field.LANG)))),
        ("5〜10", Word("5-10")),
        ("http://a.example/~jane", Word("a-example-jane")),
        ("„a b“～3", Near("a b", 3)),
        ("12:30", Word("12-30")),
        ("http://news.example/a", Word("news-example-a")),
        ("std::move", Word("std-move")),
        ("title:http://a.example", Word("a-example", Field.TITLE)),
        ('title:"NOT"', Phrase("not", Field.TITLE)),
        ("„a b“ –c", And((Phrase("a b"), Not(C)))),
        ("«a b» —c", And((Phrase("a b"), Not(C)))),
        ("« a »", Phrase("a")),
        ("”a” −c", And((Phrase("a"), Not(C)))),
        ("（a　OR　b）　－c", And((Or((A, B)), Not(C)))),
        ("「東京」", Phrase("東京")),
        ('a"b"', And((A, Phrase("b")))),
        ("\ufeffa\r\n b", And((A, B))),
    ],
)
def test_a_query_means_this_tree(text: str, tree: Node) -> None:
    assert parse(text) == tree


LINE_1 = [
    ("", 1, "the query is empty"),
    ("   ", 1, "the query is empty"),
    ("(a OR b", 1, "this parenthesis is never closed"),
    ("a (b (c)", 3, "this parenthesis is never closed"),
    ("a) b", 2, "this parenthesis closes nothing"),
    ("()", 2, "a closing parenthesis stands where something to look for should"),
    ('a "b c', 3, "this quotation mark is never closed"),
    ("a „b c", 3, "this quotation mark is never closed"),
    ('""', 1, "'' holds nothing to look for"),
    ("a & b", 3, "'&' holds nothing to look for"),
    ("🎉", 1, "'🎉' holds nothing to look for"),
    ("a AND", 6, "the end of the query stands where something to look for should"),
    ("a OR  ", 5, "the end of the query stands where something to look for should"),
    ("OR a", 1, "OR stands where something to look for should"),
    ("a AND OR b", 7, "OR stands where something to look for should"),
    ("a NOT", 6, "the end of the query stands where something to look for should"),
    ("a - b", 3, "a dash on its own means nothing"),
    ("a -", 3, "a dash on its own means nothing"),
    ("--a", 1, "a dash on its own means nothing"),
    ("titel:a", 1, "there is no field 'titel'"),
    ("a -autor:b", 4, "there is no field 'autor'"),
    ("xyzzy:a", 1, "there is no field 'xyzzy'"),
    ("mailto:a@b.example", 1, "there is no field 'mailto'"),
    ("a title:", 9, "nothing to look for follows title:"),
    ("title:)", 7, "nothing to look for follows title:"),
    ("title:-a", 7, "a minus cannot follow a field"),
    ("title:*", 1, "title: cannot take a star alone"),
    ("lang:german", 1, "'german' is not a language code"),
    ("lang:de*", 1, "'de' is not a language code"),
    ("en*", 1, "the prefix en* is too short"),
    ("energy-pr*", 1, "the prefix energy-pr* is too short"),
    ("*ing", 1, "a star stands for everything, or ends a word"),
    ("a w*nd", 4, "a star stands for everything, or ends a word"),
    ("wind**", 5, "a star stands for everything, or ends a word"),
    ("(a)*", 4, "a star stands for everything, or ends a word"),
    ('"a b"*', 6, "a star cannot follow a phrase"),
    ('"a b"~', 7, "a proximity needs its number of words"),
    ('"a b"~101', 7, "a proximity needs its number of words"),
    ('"a b"~' + "9" * 5000, 7, "a proximity needs its number of words"),
    ('"a b" ~5', 7, "a proximity belongs right behind a phrase"),
    ("energy~2", 1, "a proximity belongs right behind a phrase"),
    ('~"a b"', 1, "a proximity belongs right behind a phrase"),
    ('"a A"~5', 1, "a proximity needs at least two different words"),
    ("-a", 1, "this only excludes, so it would match nearly every article"),
    ("NOT (a b)", 1, "this only excludes, so it would match nearly every article"),
    ("a OR -b", 6, "this only excludes, so it would match nearly every article"),
    ("a OR (b OR NOT c)", 12, "this only excludes, so it would match nearly every article"),
    ("-a -b", 1, "this only excludes, so it would match nearly every article"),
    ("-*", 1, "this only excludes, so it would match nearly every article"),
    ("NOT NOT NOT a", 1, "this only excludes, so it would match nearly every article"),
]


@pytest.mark.parametrize(("text", "column", "reason"), LINE_1)
def test_a_mistake_is_shown_where_it_is(text: str, column: int, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column, caught.value.reason) == (1, column, reason)
    assert caught.value.expected


def test_a_mistake_on_a_later_line_is_shown_with_line_column_and_caret() -> None:
    with pytest.raises(QueryError) as caught:
        parse("energy AND\r\n  (wind OR sun\n  -coal")
    assert (caught.value.line, caught.value.column) == (2, 3)
    assert caught.value.with_caret().splitlines()[1:] == ["    (wind OR sun", "    ^"]


def test_the_first_of_two_mistakes_is_the_one_reported() -> None:
    with pytest.raises(QueryError, match="column 2: this parenthesis closes nothing"):
        parse('a) "b')


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [("titel", "title:"), ("autor", "author:"), ("tags", "tag:"), ("language", "lang:"), ("src", "source:")],
)
def test_an_unknown_field_is_answered_with_the_nearest_one(typed: str, nearest: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(f"{typed}:a")
    assert caught.value.expected.startswith(nearest)


@pytest.mark.parametrize("text", ["NOT NOT a", "(a OR -b) c", "a (-b OR -c)", "-(-a OR -b)", "* -a", "lang:de -a"])
def test_a_query_that_must_find_something_may_exclude_what_it_likes(text: str) -> None:
    parse(text)


def test_a_query_has_a_bounded_number_of_leaves() -> None:
    parse(" ".join(f"w{n}" for n in range(MAX_LEAVES)))
    with pytest.raises(QueryError, match="too many parts"):
        parse(" ".join(f"w{n}" for n in range(MAX_LEAVES + 1)))


def test_ten_thousand_prefixes_are_refused() -> None:
    with pytest.raises(QueryError, match="too long"):
        parse(" OR ".join(f"prefix{n}*" for n in range(10_000)))


def test_nesting_is_bounded_long_before_python_objects() -> None:
    parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH)
    for text in ("(" * 5000 + "a", "NOT " * 2000 + "a", "-(" * 4000, "title:(" * 1000):
        with pytest.raises(QueryError, match="nested too deeply"):
            parse(text)


def test_a_hundred_kilobytes_of_parentheses_are_refused() -> None:
    with pytest.raises(QueryError, match="too long"):
        parse("(" * 100_000)


def test_a_phrase_has_a_bounded_number_of_words() -> None:
    parse('"' + "w " * MAX_WORDS + '"')
    with pytest.raises(QueryError, match="too long"):
        parse('"' + "w " * (MAX_WORDS + 1) + '"')
    with pytest.raises(QueryError, match="too long"):
        parse("東" * (MAX_WORDS + 1))


def test_a_query_whose_stored_text_would_be_too_long_is_refused_at_once() -> None:
    text = " ".join("ﷺ" * 16 + str(n) for n in range(100))
    assert len(text) < MAX_LENGTH
    with pytest.raises(QueryError, match="too long once written out"):
        parse(text)
