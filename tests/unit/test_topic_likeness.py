"""Queries that find nearly the same articles."""

from __future__ import annotations

from itertools import combinations
from random import Random

from dispatcher.topics.likeness import AT_LEAST, Alike, alike


def test_queries_are_alike_that_share_nearly_all_they_found() -> None:
    found = {1: range(10), 2: range(1, 10), 3: range(5), 4: range(100, 110), 5: range(10)}
    assert alike(found) == [Alike(1, 5, 1.0), Alike(1, 2, 0.9)]


def test_few_articles_make_nobody_alike() -> None:
    assert alike({1: range(AT_LEAST - 1), 2: range(AT_LEAST - 1)}) == []


def test_the_short_way_finds_what_comparing_all_would() -> None:
    random = Random(7)
    found = {query: frozenset(random.sample(range(14), random.randint(5, 12))) for query in range(60)}
    distinct = {articles: query for query, articles in reversed(found.items())}  # each set under its first query
    expected = {
        (min(one, other), max(one, other))
        for (first, one), (second, other) in combinations(distinct.items(), 2)
        if len(first & second) / len(first | second) >= 0.8
    }
    assert len(expected) > 10
    assert {(pair.first, pair.second) for pair in alike(found) if pair.likeness < 1.0} == expected
