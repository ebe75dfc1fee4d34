"""Evaluation: compile a query once, ask every article."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import log

from dispatcher.text.document import Document
from dispatcher.topics.canonical import simplify
from dispatcher.topics.occurrence import Occurrence, Probe, prepare
from dispatcher.topics.syntax import And, Field, Leaf, Node, Not, Or, leaves

# What it is worth that a word is there: once in the title says more than often in the body.
WEIGHTS: Mapping[Field, float] = {
    Field.TITLE: 4.0,
    Field.TAG: 3.0,
    Field.SUMMARY: 2.0,
    Field.AUTHOR: 2.0,
    Field.BODY: 1.0,
    Field.SOURCE: 1.0,
    Field.LANG: 1.0,
    Field.ANY: 1.0,  # every article, by `*`
}
_GRAIN = 2.0**20


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query: its simplified tree, with a probe for each leaf."""

    node: Node
    probes: Mapping[Leaf, Probe]

    def score(self, document: Document) -> float | None:
        """The relevance of an article, above 0, or None if it does not match."""
        return self._score(self.node, document)

    def _score(self, node: Node, document: Document) -> float | None:
        match node:
            case And(children):
                total = 0.0
                for child in children:
                    score = self._score(child, document)
                    if score is None:
                        return None
                    total += score
                return total
            case Or(children):
                scores = [self._score(child, document) for child in children]
                found = [score for score in scores if score is not None]
                return sum(found) if found else None
            case Not(child):
                return 0.0 if self._score(child, document) is None else None
            case _:
                occurrences = self.probes[node].find(document)
                return relevance(occurrences) if occurrences else None


def compile_query(node: Node, language: str) -> Plan:
    """The plan of a query written in this language (any tag, or '')."""
    simple = simplify(node)
    return Plan(simple, {leaf: prepare(leaf, language) for leaf in leaves(simple)})


def score(node: Node, document: Document, language: str) -> float | None:
    """The relevance of an article to a query, above 0, or None if it does not match."""
    return _compiled(node, language).score(document)


def relevance(occurrences: list[Occurrence]) -> float:
    """What the occurrences of one leaf are worth: each further one in the same field adds less than the one before."""
    counts: dict[Field, int] = {}
    for occurrence in occurrences:
        counts[occurrence.field] = counts.get(occurrence.field, 0) + 1
    return sum(worth(field, count) for field, count in counts.items())


def worth(field: Field, count: int) -> float:
    """What `count` occurrences in one field are worth: a multiple of 2⁻²⁰, so that sums are exact in any order."""
    return round(WEIGHTS[field] * (1.0 + log(count)) * _GRAIN) / _GRAIN


_compiled = lru_cache(maxsize=256)(compile_query)
