"""Trying a query out: which of the latest articles it would have found.

The latest articles are kept analysed in memory, one shelf for each process: analysing one takes a millisecond or two,
asking it a query a few microseconds. Both happen in a thread, so that nobody else waits for them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dispatcher.model.content import Article
from dispatcher.pipeline.matching import document_of
from dispatcher.store import Store, articles
from dispatcher.text.document import Document
from dispatcher.topics.evaluate import compile_query
from dispatcher.topics.parser import parse

SHELF = 300  # articles
SHOWN = 5
FRESH_FOR = 10.0  # seconds in which nobody asks the database whether there are newer ones


@dataclass(frozen=True, slots=True)
class Sample:
    """An article that a query found."""

    title: str
    url: str
    source: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Tried:
    """What a query would have found: how many of how many articles since when, and the newest of them."""

    count: int
    of: int
    since: datetime | None
    samples: Sequence[Sample]


@dataclass(slots=True)
class Shelf:
    """The latest articles, analysed, newest first."""

    store: Store
    _held: dict[tuple[int, int], tuple[Sample, Document]] = field(default_factory=dict)
    _looked_at: float | None = None
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, query: str, language: str) -> Tried:
        """What a query in this language would have found. QueryError if it is none."""
        plan = compile_query(parse(query), language)
        await self._renew()
        held = list(self._held.values())
        hits = await asyncio.to_thread(lambda: [one for one, document in held if plan.score(document) is not None])
        since = held[-1][0].published_at if held else None
        return Tried(len(hits), len(held), since, hits[:SHOWN])

    async def documents(self) -> list[Document]:
        """The latest articles, analysed, newest first."""
        await self._renew()
        return [document for _, document in self._held.values()]

    async def _renew(self) -> None:
        """Take in what is new, and edited, since the last look."""
        async with self._renewing:
            if self._looked_at is not None and time.monotonic() - self._looked_at < FRESH_FOR:
                return
            async with self.store.read() as tx:
                latest = await articles.newest_versions(tx, limit=SHELF)
                fresh = await articles.by_ids(tx, [key[0] for key in latest if key not in self._held])
                names = await articles.source_names(tx, list(fresh))
            analysed = await asyncio.to_thread(_analysed, fresh, names)
            held = self._held | analysed
            self._held = {key: held[key] for key in latest if key in held}
            self._looked_at = time.monotonic()


def _analysed(
    fresh: Mapping[int, Article], names: Mapping[int, Sequence[str]]
) -> dict[tuple[int, int], tuple[Sample, Document]]:
    return {
        (article_id, article.version): (_sample(article, names[article_id]), document_of(article, names[article_id]))
        for article_id, article in fresh.items()
    }


def _sample(article: Article, names: Sequence[str]) -> Sample:
    return Sample(article.title, article.url, names[0] if names else "", article.published_at)
