"""The index: all stored queries, asked of one article at a time.

As yet a loop over compiled queries; the shape (add, remove, match) is that of the percolator to come.
"""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.errors import QueryError
from dispatcher.text.document import Document
from dispatcher.topics.evaluate import Plan, compile_query
from dispatcher.topics.parser import parse


@dataclass(frozen=True, slots=True)
class Hit:
    """A query that an article matches, and how well."""

    query_id: int
    score: float


class Index:
    """Stored queries by id. `broken` holds those that do not parse, with the reason; they match nothing."""

    def __init__(self) -> None:
        self.broken: dict[int, str] = {}
        self._plans: dict[int, Plan] = {}

    def __len__(self) -> int:
        """The number of queries that can match."""
        return len(self._plans)

    def __contains__(self, query_id: object) -> bool:
        """Whether a query is here and can match."""
        return query_id in self._plans

    def add(self, query_id: int, text: str, language: str) -> None:
        """Add a query, in place of any earlier one of this id. Never raises: see `broken`."""
        self.remove(query_id)
        try:
            self._plans[query_id] = compile_query(parse(text), language)
        except QueryError as error:
            self.broken[query_id] = str(error)

    def remove(self, query_id: int) -> None:
        """Forget a query, if it is here."""
        self._plans.pop(query_id, None)
        self.broken.pop(query_id, None)

    def match(self, document: Document) -> list[Hit]:
        """Every query that the article matches, by id."""
        scores = ((query_id, plan.score(document)) for query_id, plan in sorted(self._plans.items()))
        return [Hit(query_id, score) for query_id, score in scores if score is not None]
