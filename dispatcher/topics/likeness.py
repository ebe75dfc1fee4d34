"""Likeness: which queries find nearly the same articles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from math import ceil
from typing import NamedTuple

THRESHOLD = 0.8
AT_LEAST = 5  # articles; two queries that found one and the same article are not alike for that
_MOST_COMPARED = 500_000  # pairs: a second or so


class Alike(NamedTuple):
    """Two queries, the lower id first, and the part of all that they found that both found (Jaccard)."""

    first: int
    second: int
    likeness: float


def alike(found: Mapping[int, Collection[int]], *, threshold: float = THRESHOLD) -> list[Alike]:
    """The pairs of queries whose articles are alike, the likest first. `found` has ids of articles by query.

    Of queries that found exactly the same, each is paired with the first of them only. Bounded: with more pairs than
    can be compared in about a second, those with the most articles go without.
    """
    groups: dict[frozenset[int], list[int]] = {}
    for query_id in sorted(found):
        if len(found[query_id]) >= AT_LEAST:
            groups.setdefault(frozenset(found[query_id]), []).append(query_id)
    pairs = [Alike(same[0], other, 1.0) for same in groups.values() for other in same[1:]]
    pairs += _near({same[0]: articles for articles, same in groups.items()}, threshold)
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.first, pair.second))


def _near(found: Mapping[int, frozenset[int]], threshold: float) -> Iterator[Alike]:
    """Pairs of different sets. Two alike share one of their rarest articles, so nobody else need be compared.

    Bayardo, Ma, Srikant: Scaling up all pairs similarity search (2007).
    """
    often = Counter(article for articles in found.values() for article in articles)
    holders: dict[int, list[int]] = {}
    compared = 0
    for query_id in sorted(found, key=lambda query_id: (len(found[query_id]), query_id)):
        articles = found[query_id]
        rarest = sorted(articles, key=lambda article: (often[article], article))
        telling = rarest[: len(articles) - ceil(threshold * len(articles)) + 1]
        others = {other for article in telling for other in holders.get(article, ())}
        compared += len(others)
        if compared > _MOST_COMPARED:
            return
        for other in others:
            both = len(articles & found[other])
            likeness = both / (len(articles) + len(found[other]) - both)
            if likeness >= threshold:
                yield Alike(min(query_id, other), max(query_id, other), likeness)
        for article in telling:
            holders.setdefault(article, []).append(query_id)
