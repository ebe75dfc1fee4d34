"""How much the publisher's topics find: counted over the latest articles, however many the database holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from dispatcher.store.articles import ARTICLE, MATCH
from dispatcher.store.engine import Transaction
from dispatcher.store.topics import IS_BLANK, PUBLIC, QUERY, TOPIC

ARTICLES = 5000

THEIRS = MATCH.c.query_id.in_(sa.select(TOPIC.c.query_id).where(PUBLIC))
"""Matches of the publisher's topics: what readers' own find is nobody else's business."""


class Entry(NamedTuple):
    """A topic, and whether anything we keep matches its query."""

    slug: str
    name: str
    query_id: int
    is_paused: bool
    has_matches: bool


async def entries(tx: Transaction) -> list[Entry]:
    """The publisher's topics by slug, but for those that stand for a newsletter itself."""
    has_matches = sa.exists().where(MATCH.c.query_id == TOPIC.c.query_id)
    asked = TOPIC.c.query_id.in_(sa.select(QUERY.c.id).where(~IS_BLANK))
    query = sa.select(TOPIC.c.slug, TOPIC.c.name, TOPIC.c.query_id, TOPIC.c.is_paused, has_matches)
    rows = await tx.execute(query.where(PUBLIC & asked).order_by(TOPIC.c.slug))
    return [Entry(row[0], row[1], row[2], bool(row[3]), bool(row[4])) for row in rows]


async def latest(tx: Transaction, since: datetime) -> dict[int, datetime]:
    """The articles that are looked at: id → when it was first seen, newest first."""
    newest = _latest(since)
    rows = await tx.execute(sa.select(newest.c.id, newest.c.seen_at).order_by(newest.c.seen_at.desc(), newest.c.id))
    return {row[0]: row[1] for row in rows}


async def found(tx: Transaction, since: datetime) -> dict[int, frozenset[int]]:
    """Query id → ids of the articles among the latest that match it.

    Each query's ids come as one text: half a million rows would take ten times as long.
    """
    newest = _latest(since)
    ids = sa.func.aggregate_strings(sa.cast(MATCH.c.article_id, sa.String), ",")
    query = sa.select(MATCH.c.query_id, ids).join(newest, newest.c.id == MATCH.c.article_id)
    rows = await tx.execute(query.where(THEIRS).group_by(MATCH.c.query_id))
    return {row[0]: frozenset(map(int, row[1].split(","))) for row in rows}


def _latest(since: datetime) -> Any:
    kept = ARTICLE.c.pruned_at.is_(None) & (ARTICLE.c.seen_at >= since)
    query = sa.select(ARTICLE.c.id, ARTICLE.c.seen_at).where(kept)
    return query.order_by(ARTICLE.c.seen_at.desc()).limit(ARTICLES).subquery()
