from __future__ import annotations

import pytest

from dispatcher.topics.canonical import canonical
from dispatcher.topics.parser import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Énergie", "energie"),
        ("b  AND a", "a b"),
        ("c OR (a OR b)", "a OR b OR c"),
        ("(c b) a", "a b c"),
        ("a A á", "a"),
        ("a OR a", "a"),
        ("b OR a c", "a c OR b"),
        ("(b OR a) c", "(a OR b) c"),
        ("-c b NOT a", "b -a -c"),
        ("x -(a OR b)", "x -a -b"),
        ("x -(a b)", "(-a OR -b) x"),
        ("x -(a -b)", "(b OR -a) x"),
        ("NOT NOT a", "a"),
        ("* a", "a"),
        ("* OR a", "*"),
        ("* * -a", "* -a"),
        ("* (a OR *)", "*"),
        ("title:(b OR A)", "title:a OR title:b"),
        ("title:a a", "a title:a"),
        ("„B  a“", '"b a"'),
        ('"b a"~07', '"a b"~7'),
        ("Wind*", "wind*"),
        ("tag:wind-power", "tag:wind-power"),
        ('tag:"Wind  Power"', "tag:wind-power"),
        ("author:smith", 'author:"smith"'),
        ('author:"Smith"', 'author:"smith"'),
        ("lang:EN-gb", "lang:en"),
        ("E–Mail", "e-mail"),
        ("https://news.example/", "news-example"),
        ("STRAßE", "strasse"),
        ("ｶﾞｽ", "ガス"),
        ("ŉ", "n"),
    ],
)
def test_queries_that_ask_the_same_have_one_text(text: str, expected: str) -> None:
    assert canonical(parse(text)) == expected
    assert canonical(parse(expected)) == expected


def test_words_that_fold_to_operators_stay_words() -> None:
    assert canonical(parse('"AND" title:OR')) == '"and" title:or'
