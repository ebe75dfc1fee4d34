"""Articles, the sightings that identify them, and their numbered matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.content import Article, Cluster, Match, Sighting, Source
from dispatcher.store.engine import Transaction, add_all, add_new, among, chunks, many, one, raise_counter, table

ARTICLE, SIGHTING, MATCH, CLUSTER = table(Article), table(Sighting), table(Match), table(Cluster)
EDITABLE = (
    "url", "title", "summary", "body_text", "body_html", "authors", "tags", "image_url", "language",
    "published_at", "updated_at", "content_hash",
)  # fmt: skip


async def sightings(tx: Transaction, source_id: int, guids: Sequence[str]) -> dict[str, Sighting]:
    """What we know of these items of a source, by guid."""
    found = await among(tx, Sighting, SIGHTING.c.guid, guids, SIGHTING.c.source_id == source_id)
    return {sighting.guid: sighting for sighting in found}


async def get(tx: Transaction, article_id: int) -> Article | None:
    """One article, or None."""
    return await one(tx, Article, ARTICLE.c.id == article_id)


async def by_ids(tx: Transaction, ids: Sequence[int]) -> dict[int, Article]:
    """Articles by id; one that was pruned is missing."""
    return {article.id: article for article in await among(tx, Article, ARTICLE.c.id, ids) if article.id is not None}


async def versions(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[int, datetime | None]]:
    """Of each of these articles the version, and when it was emptied: while both stay, all that it shows does."""
    query = sa.select(ARTICLE.c.id, ARTICLE.c.version, ARTICLE.c.pruned_at)
    found: dict[int, tuple[int, datetime | None]] = {}
    for part in chunks(ids):
        found.update((row[0], (row[1], row[2])) for row in await tx.execute(query.where(ARTICLE.c.id.in_(part))))
    return found


async def elsewhere(tx: Transaction, urls: Sequence[str], source_id: int) -> dict[str, Article]:
    """By canonical link, the one article with it that other sources brought and this one has not shown yet.

    A link that several articles of one source share (a live blog, a home page) identifies none of them.
    """
    shown_here = sa.exists().where((SIGHTING.c.article_id == ARTICLE.c.id) & (SIGHTING.c.source_id == source_id))
    found: dict[str, list[Article]] = {}
    for article in await among(tx, Article, ARTICLE.c.url, urls, ~shown_here):
        found.setdefault(article.url, []).append(article)
    return {url: same[0] for url, same in found.items() if len(same) == 1}


async def insert(tx: Transaction, articles: Sequence[Article]) -> None:
    """Store new articles, each in a cluster of its own. They get their ids."""
    clusters = await add_all(tx, Cluster, [{"created_at": article.seen_at} for article in articles])
    for article, cluster_id in zip(articles, clusters, strict=True):
        article.cluster_id = cluster_id
    ids = await add_all(tx, Article, [article.model_dump(exclude={"id"}) for article in articles])
    for article, article_id in zip(articles, ids, strict=True):
        article.id = article_id


async def sight(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note under which guids a source has articles: rows of article_id, source_id, guid, content_hash and seen_at."""
    await add_new(tx, Sighting, [dict(row) for row in rows])


async def resight(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note that a source now says something else under the same guids: rows of sighting_id and hashed."""
    if rows:
        change = sa.update(SIGHTING).where(SIGHTING.c.id == sa.bindparam("sighting_id"))
        await tx.execute(change.values(content_hash=sa.bindparam("hashed")), [dict(row) for row in rows])


async def edit(tx: Transaction, edits: Sequence[tuple[Article, Article]]) -> list[Article]:
    """Write edits (stored, fresh) over stored articles: identity, cluster and first sight stay, the version rises."""
    if not edits:
        return []
    edited = [
        Article(**stored.model_dump() | fresh.model_dump(include=set(EDITABLE)) | {"version": stored.version + 1})
        for stored, fresh in edits
    ]
    change = sa.update(ARTICLE).where(ARTICLE.c.id == sa.bindparam("article_id"))
    rows = [article.model_dump(include={*EDITABLE, "version"}) | {"article_id": article.id} for article in edited]
    await tx.execute(change, rows)
    return edited


async def source_names(tx: Transaction, ids: Sequence[int]) -> dict[int, list[str]]:
    """The names of every source that has each article, the one that brought it first in front."""
    source = table(Source)
    query = (
        sa.select(SIGHTING.c.article_id, source.c.name)
        .join(source, source.c.id == SIGHTING.c.source_id)
        .order_by(SIGHTING.c.id)
    )
    names: dict[int, list[str]] = {article_id: [] for article_id in ids}
    for part in chunks(list(names)):
        for article_id, name in await tx.execute(query.where(SIGHTING.c.article_id.in_(part))):
            if name not in names[article_id]:
                names[article_id].append(name)
    return names


async def matched_queries(tx: Transaction, article_id: int) -> set[int]:
    """The queries that an article matches now."""
    return (await queries_of(tx, [article_id]))[article_id]


async def queries_of(tx: Transaction, ids: Sequence[int]) -> dict[int, set[int]]:
    """The queries that each of these articles matches now."""
    found: dict[int, set[int]] = {article_id: set() for article_id in ids}
    for part in chunks(list(found)):
        query = sa.select(MATCH.c.article_id, MATCH.c.query_id).where(MATCH.c.article_id.in_(part))
        for article_id, query_id in await tx.execute(query):
            found[article_id].add(query_id)
    return found


async def add_matches(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> int:
    """Store new matches under one new release. Rows need article_id, query_id, score and seen_at."""
    if not rows:
        return 0
    release = await raise_counter(tx, "release")
    return await add_new(tx, Match, [{**row, "release": release} for row in rows])


async def drop_matches(tx: Transaction, article_id: int, query_ids: Sequence[int]) -> None:
    """Forget matches that an edit undid."""
    await tx.execute(sa.delete(MATCH).where((MATCH.c.article_id == article_id) & MATCH.c.query_id.in_(list(query_ids))))


async def since(tx: Transaction, seen_at: datetime, *, after_id: int = 0, limit: int = 500) -> list[Article]:
    """Kept articles first seen at or after an instant, a page at a time, in the order of their ids."""
    kept = (ARTICLE.c.seen_at >= seen_at) & ARTICLE.c.pruned_at.is_(None)
    return await many(tx, Article, kept & (ARTICLE.c.id > after_id), limit=limit)


async def newest(tx: Transaction, *, limit: int, source_id: int | None = None) -> list[Article]:
    """The latest articles, newest first."""
    where = [] if source_id is None else [ARTICLE.c.source_id == source_id]
    return await many(tx, Article, *where, order=ARTICLE.c.seen_at.desc(), limit=limit)


async def withdraw(tx: Transaction, article_id: int, now: datetime) -> None:
    """Empty one article and delete its matches. Its row stays, so that its source cannot bring it back."""
    await tx.execute(sa.delete(MATCH).where(MATCH.c.article_id == article_id))
    gone = {"summary": "", "body_text": "", "body_html": "", "pruned_at": now}
    await tx.execute(sa.update(ARTICLE).where(ARTICLE.c.id == article_id).values(**gone))


async def newest_versions(tx: Transaction, *, limit: int) -> list[tuple[int, int]]:
    """Id and version of the latest articles that are still whole, newest first."""
    query = sa.select(ARTICLE.c.id, ARTICLE.c.version).where(ARTICLE.c.pruned_at.is_(None))
    return [(row[0], row[1]) for row in await tx.execute(query.order_by(ARTICLE.c.seen_at.desc()).limit(limit))]


async def prune(tx: Transaction, before: datetime) -> int:
    """Empty articles first seen before an instant and delete their matches. Returns how many were emptied.

    Their rows stay, as the memory of what we have seen: a quiet blog's feed shows the same posts for years, and
    forgetting one would make it news again.
    """
    old = (ARTICLE.c.seen_at < before) & (ARTICLE.c.pruned_at.is_(None))
    await tx.execute(sa.delete(MATCH).where(MATCH.c.article_id.in_(sa.select(ARTICLE.c.id).where(old))))
    emptied = await tx.execute(
        sa.update(ARTICLE).where(old).values(summary="", body_text="", body_html="", pruned_at=before)
    )
    return int(emptied.rowcount)
