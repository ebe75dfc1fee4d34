"""Clippings: the stories that an edition asks for between its words, as articles that we have.

```stories        ▷ addresses ▷ the articles there
topic: harbour    ▷ matches of so long ▷ one of each story, those first that most sources told
```
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dispatcher.digest import prose
from dispatcher.digest.compose import Item
from dispatcher.model.content import Candidate
from dispatcher.model.edition import Edition
from dispatcher.pipeline.context import Context
from dispatcher.store import Transaction, editions, planning, topics
from dispatcher.store.engine import counter

Found = tuple[int, int, int]
"""Article, its version, its cluster."""


async def clip(ctx: Context, tx: Transaction, edition: Edition, now: datetime) -> list[Item]:
    """The stories that stand in an edition's blocks as things are now."""
    items: list[Item] = []
    seen: set[int] = set()
    for order in prose.blocks(edition.body)[1]:
        found = await (_at(tx, order) if order.urls else _best(ctx, tx, edition, order, now))
        for article_id, version, cluster_id in found:
            if cluster_id not in seen:
                seen.add(cluster_id)
                items.append((article_id, version, cluster_id, order.section, ()))
    return items


async def _at(tx: Transaction, order: prose.StoryOrder) -> list[Found]:
    known = await editions.articles_at(tx, order.urls)
    return [(known[url].id, known[url].version, known[url].cluster_id) for url in order.urls if url in known]


async def _best(ctx: Context, tx: Transaction, edition: Edition, order: prose.StoryOrder, now: datetime) -> list[Found]:
    """The stories of a topic, or of all the newsletter offers: those that most sources told, then the best match."""
    queries = await _queries(ctx, tx, edition, order)
    release = await counter(tx, "release")
    earliest = now - order.since
    found = await planning.candidates(tx, queries, after=0, upto=release, seen_from=earliest)
    best: dict[int, Candidate] = {}
    for candidate in (one for some in found.values() for one in some):
        if candidate.is_backlog and candidate.published_at < earliest:
            continue
        known = best.get(candidate.cluster_id)
        if known is None or _rank(candidate) > _rank(known):
            best[candidate.cluster_id] = candidate
    tellers = await planning.tellers(tx, best)
    ordered = sorted(best.values(), key=lambda one: (tellers.get(one.cluster_id, 1), *_rank(one)), reverse=True)
    return [(one.article_id, one.version, one.cluster_id) for one in ordered[: order.limit]]


def _rank(candidate: Candidate) -> tuple[Any, ...]:
    return candidate.score, candidate.published_at, candidate.article_id


async def _queries(ctx: Context, tx: Transaction, edition: Edition, order: prose.StoryOrder) -> list[int]:
    if order.topic:
        topic = await topics.by_slug(tx, order.topic)
        return [topic.query_id] if topic else []
    default = ctx.newsletter.id
    every = await topics.every(tx)
    return [
        topic.query_id
        for topic in every
        if topic.owner_id is None and topic.is_public and (topic.newsletter_id or default) == edition.newsletter_id
    ]
