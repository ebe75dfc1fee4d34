"""Articles against topics: the matches of what is new or edited, and of new topics backwards.

A topic that was added meanwhile is noticed inside the transaction that saves an article, so that none slips past a new
query: what was saved before the topic existed is matched backwards at the next ingest, what is saved after it is
matched by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dispatcher.model.content import Article
from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.index_file import WORTHWHILE, build
from dispatcher.store import Transaction, articles, topics
from dispatcher.text.document import Document, analyse
from dispatcher.topics.index import Hit, Index

log = logger("matching")

BATCH = 100  # articles in one transaction


async def match(ctx: Context, tx: Transaction, touched: Sequence[tuple[Article, datetime]]) -> int:
    """Bring articles' matches up to date; returns how many are new. What no longer matches is forgotten."""
    if not touched:
        return 0
    await sync_index(ctx, tx)
    ids = [article.id or 0 for article, _ in touched]
    names, matched = await articles.source_names(tx, ids), await articles.queries_of(tx, ids)
    rows: list[dict[str, Any]] = []
    for article, seen_at in touched:
        article_id = article.id or 0
        hits = ctx.index.match(document_of(article, names[article_id]))
        rows += _new_matches(article_id, hits, matched[article_id], seen_at)
        if gone := (matched[article_id] & ctx.queries.keys()) - {hit.query_id for hit in hits}:
            await articles.drop_matches(tx, article_id, sorted(gone))
    return await articles.add_matches(tx, rows)


async def backfill(ctx: Context, now: datetime) -> int:
    """Match new queries backwards over the last days, so that a new topic's first digest is not empty."""
    await _prepare_index(ctx)
    async with ctx.store.read() as tx:
        fresh = await topics.unmatched_backwards(tx)
    if not fresh:
        return 0
    index = Index()
    index.add_many((query.id or 0, query.text, query.language) for query in fresh)
    found, last = 0, 0
    while True:
        async with ctx.store.write() as tx:
            page = await articles.since(tx, now - ctx.settings.ingest.backfill, after_id=last, limit=BATCH)
            found += await _match_backwards(tx, index, page)
            if not page:
                await topics.mark_backfilled(tx, [query.id or 0 for query in fresh], now)
                return found
        last = page[-1].id or 0


async def _match_backwards(tx: Transaction, index: Index, page: Sequence[Article]) -> int:
    ids = [article.id or 0 for article in page]
    names, matched = await articles.source_names(tx, ids), await articles.queries_of(tx, ids)
    rows: list[dict[str, Any]] = []
    for article in page:
        hits = index.match(document_of(article, names[article.id or 0]))
        rows += _new_matches(article.id or 0, hits, matched[article.id or 0], article.seen_at)
    return await articles.add_matches(tx, rows)


async def _prepare_index(ctx: Context) -> None:
    """The long work on the index, in a thread and outside any transaction: a cold start, and compaction."""
    async with ctx.store.read() as tx:
        version = await topics.version(tx)
        live = await topics.live_queries(tx) if not ctx.queries and version != ctx.index_version else {}
    if len(live) > WORTHWHILE:
        index = await asyncio.to_thread(build, live, _file(ctx))
        if not ctx.queries:  # nobody was faster
            ctx.index, ctx.queries, ctx.index_version = index, live, version
            for query_id, reason in index.broken.items():
                log.error("a stored query cannot be used", query_id=query_id, reason=reason)
    if ctx.index.is_due:
        index, compaction = ctx.index, ctx.index.compaction()
        await asyncio.to_thread(compaction.run)
        index.finish(compaction)


def _file(ctx: Context) -> Path | None:
    """Where the index is kept for the next start: where the settings say, or beside an SQLite database."""
    if named := ctx.settings.ingest.index_file:
        return ctx.settings.resolve(named)
    path = ctx.store.path
    return path.with_name(f"{path.name}-topics") if path else None


async def sync_index(ctx: Context, tx: Transaction) -> None:
    """Make the index in memory say what the database's live queries are, if any process has changed them.

    Only what has changed is read, unless this process has missed too much.
    """
    version = await topics.version(tx, hold=True)
    if version == ctx.index_version:
        return
    changes = await topics.changes(tx, ctx.index_version, version)
    if changes is None:
        live = await topics.live_queries(tx)
        changes = {**dict.fromkeys(ctx.queries.keys() - live.keys()), **live}
    for query_id, what in changes.items():
        _take_over(ctx, query_id, what)
    ctx.index_version = version


def _take_over(ctx: Context, query_id: int, what: tuple[str, str] | None) -> None:
    """Have a query in the index as it is now; None is not live."""
    if what is None:
        ctx.index.remove(query_id)
        ctx.queries.pop(query_id, None)
    elif ctx.queries.get(query_id) != what:
        ctx.index.add(query_id, *what)
        ctx.queries[query_id] = what
        if query_id in ctx.index.broken:
            log.error("a stored query cannot be used", query_id=query_id, reason=ctx.index.broken[query_id])


def _new_matches(
    article_id: int, hits: Iterable[Hit], before: Container[int], seen_at: datetime
) -> list[dict[str, Any]]:
    return [
        {"article_id": article_id, "query_id": hit.query_id, "score": hit.score, "seen_at": seen_at}
        for hit in hits
        if hit.query_id not in before
    ]


def document_of(article: Article, sources: Sequence[str]) -> Document:
    """An article analysed for matching. `sources` are the names of all that brought it."""
    return analyse(
        title=article.title,
        summary=article.summary,
        body=article.body_text,
        tags=article.tags,
        authors=article.authors,
        sources=sources,
        language=article.language,
    )
