"""Step 1, ingest: due sources → articles with their matches.

    due ▷ claim ▷ read (no transaction) ▷ clean ▷ [ identify · match · number ] ▷ save

An article and its matches are saved in one transaction, under a release number that follows commit order. A topic
that was added meanwhile is noticed inside that transaction, so that no article slips past a new query: what was
saved before the topic existed is matched backwards, what is saved after it is matched by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dispatcher.articles.clean import clean
from dispatcher.articles.identity import is_shareable
from dispatcher.model.content import Article, Sighting, Source
from dispatcher.model.raw import RawArticle
from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context
from dispatcher.sources.polling import next_poll
from dispatcher.sources.read import Reading, read
from dispatcher.store import Transaction, articles, sources, topics
from dispatcher.text.document import Document, analyse

log = logger("ingest")

SETTLING = timedelta(seconds=1)  # when to come back for files that are still being written


@dataclass(slots=True)
class IngestReport:
    """What an ingest did."""

    polled: int = 0
    unchanged: int = 0
    failed: int = 0
    new: int = 0
    updated: int = 0
    matches: int = 0


async def ingest(ctx: Context, now: datetime, *, everything: bool = False) -> IngestReport:
    """Poll the sources that are due (`everything`: all enabled ones), store what is new, match it."""
    report = IngestReport()
    async with ctx.store.read() as tx:
        chosen = await (sources.pollable(tx, now) if everything else sources.due(tx, now))
    limit = asyncio.Semaphore(ctx.settings.ingest.concurrency)

    async def poll_one(source: Source) -> None:
        async with limit:
            if not ctx.stopping.is_set():
                await _poll_safely(ctx, source, now, report)

    await asyncio.gather(*(poll_one(source) for source in chosen))
    report.matches += await backfill(ctx, now)
    return report


async def _poll_safely(ctx: Context, source: Source, now: datetime, report: IngestReport) -> None:
    """One broken source never stops the others: even a bug of ours sets only this one aside."""
    try:
        await _poll(ctx, source, now, report)
    except Exception as error:
        report.failed += 1
        log.exception("source failed on our side", source=source.name, source_id=source.id)
        async with ctx.store.write() as tx:
            later = now + max(timedelta(seconds=source.poll_every), timedelta(hours=1))
            text = f"internal error: {type(error).__name__}: {error}"
            failures = source.failures + 1
            await sources.write(tx, source.id or 0, next_poll_at=later, last_error=text, failures=failures)


async def _poll(ctx: Context, source: Source, now: datetime, report: IngestReport) -> None:
    async with ctx.store.write() as tx:
        if not await sources.claim(tx, source, now):
            return
    report.polled += 1
    known = ctx.fingerprints.get(source.id or 0, {})
    reading = await read(source, ctx.fetcher, now=now, base=ctx.settings.base, known=known)
    _tell(source, reading, report)
    fresh = [clean(raw, source, now) for raw in _distinct(reading.items)]
    async with ctx.store.write() as tx:
        for raw, article in zip(_distinct(reading.items), fresh, strict=True):
            await _keep(ctx, tx, source, raw, article, now, report)
        await _keep_source(tx, source, reading, now)
    if reading.failure is None:
        ctx.fingerprints[source.id or 0] = dict(reading.fingerprints)


def _distinct(items: Sequence[RawArticle]) -> list[RawArticle]:
    """Items by guid, the first of each: some feeds repeat themselves."""
    return list({item.guid: item for item in reversed(items)}.values())[::-1]


def _tell(source: Source, reading: Reading, report: IngestReport) -> None:
    """Log what changed: a source that breaks is logged once, and once when it heals."""
    report.unchanged += reading.unchanged
    for problem in reading.problems:
        log.warning("an item was left out", source=source.name, problem=problem)
    if reading.failure is not None:
        report.failed += 1
        if not source.failures:
            log.warning("source broken", source=source.name, reason=reading.failure.reason)
    elif source.failures:
        log.info("source works again", source=source.name, after=source.failures)


async def _keep_source(tx: Transaction, source: Source, reading: Reading, now: datetime) -> None:
    poll = next_poll(timedelta(seconds=source.poll_every), source.failures, reading, now)
    changes: dict[str, Any] = {
        "polled_at": now,
        "next_poll_at": now + SETTLING if reading.pending else poll.next_poll_at,
        "failures": poll.failures,
        "retry_after_at": poll.retry_after_at,
        "last_error": reading.failure.reason if reading.failure else "",
    }
    if reading.failure is None:
        changes |= {"succeeded_at": now}
        if not reading.unchanged:
            changes |= {
                "etag": reading.etag,
                "last_modified": reading.last_modified,
                "body_hash": reading.body_hash,
            }
    await sources.write(tx, source.id or 0, **changes)


async def _keep(
    ctx: Context, tx: Transaction, source: Source, raw: RawArticle, fresh: Article, now: datetime, report: IngestReport
) -> None:
    """Store one item: new, edited, seen elsewhere under the same link, or nothing new at all."""
    assert source.id is not None
    sighting = (await articles.sightings(tx, source.id, [raw.guid])).get(raw.guid)
    if sighting is not None:
        if sighting.content_hash != fresh.content_hash:
            report.updated += 1
            report.matches += await _edit(ctx, tx, source, sighting, fresh, now)
        return
    twin = await articles.elsewhere(tx, fresh.url, source.id) if is_shareable(fresh.url) else None
    if twin is not None:
        await articles.sight(tx, twin, source.id, raw.guid, fresh.content_hash, now)
        report.matches += await _match(ctx, tx, twin, twin.seen_at)
        return
    fresh.source_id = source.id
    fresh.seen_at = now
    fresh.is_backlog = _is_backlog(source, raw)
    stored = await articles.insert(tx, fresh, raw.guid)
    report.new += 1
    report.matches += await _match(ctx, tx, stored, now)


def _is_backlog(source: Source, raw: RawArticle) -> bool:
    """Whether a source's first poll brought what had been published before we knew the source."""
    return source.succeeded_at is None and (raw.published_at is None or raw.published_at < source.created_at)


async def _edit(
    ctx: Context, tx: Transaction, source: Source, sighting: Sighting, fresh: Article, now: datetime
) -> int:
    """An edit of the source that brought the article changes it; another source's wording does not."""
    await articles.resight(tx, sighting, fresh.content_hash)
    stored = await articles.get(tx, sighting.article_id)
    if stored is None or stored.source_id != source.id or stored.pruned_at is not None:
        return 0
    return await _match(ctx, tx, await articles.edit(tx, stored, fresh), now)


async def _match(ctx: Context, tx: Transaction, article: Article, seen_at: datetime) -> int:
    """Bring an article's matches up to date; returns how many are new. What no longer matches is forgotten."""
    await sync_index(ctx, tx)
    assert article.id is not None
    document = await _document(tx, article)
    hits = {hit.query_id: hit.score for hit in ctx.index.match(document)}
    before = await articles.matched_queries(tx, article.id)
    if gone := before - hits.keys():
        await articles.drop_matches(tx, article.id, sorted(gone & ctx.queries.keys()))
    rows = [
        {"article_id": article.id, "query_id": query_id, "score": score, "seen_at": seen_at}
        for query_id, score in hits.items()
        if query_id not in before
    ]
    return await articles.add_matches(tx, rows)


async def _document(tx: Transaction, article: Article) -> Document:
    names = (await articles.source_names(tx, [article.id or 0])).get(article.id or 0, [])
    return analyse(
        title=article.title,
        summary=article.summary,
        body=article.body_text,
        tags=article.tags,
        authors=article.authors,
        sources=names,
        language=article.language,
    )


async def sync_index(ctx: Context, tx: Transaction) -> None:
    """Make the index in memory say what the database's live queries are, if any process has changed them."""
    version = await topics.version(tx, hold=True)
    if version == ctx.index_version:
        return
    live = await topics.live_queries(tx)
    for query_id in ctx.queries.keys() - live.keys():
        ctx.index.remove(query_id)
    for query_id in live.keys() - ctx.queries.keys():
        ctx.index.add(query_id, *live[query_id])
        if query_id in ctx.index.broken:
            log.error("a stored query cannot be used", query_id=query_id, reason=ctx.index.broken[query_id])
    ctx.queries, ctx.index_version = live, version


async def backfill(ctx: Context, now: datetime) -> int:
    """Match new queries backwards over the last days, so that a new topic's first digest is not empty."""
    from dispatcher.topics.index import Index

    async with ctx.store.read() as tx:
        fresh = await topics.unmatched_backwards(tx)
    if not fresh:
        return 0
    index = Index()
    for query in fresh:
        index.add(query.id or 0, query.text, query.language)
    found, last = 0, 0
    while True:
        async with ctx.store.write() as tx:
            page = await articles.since(tx, now - ctx.settings.ingest.backfill, after_id=last, limit=100)
            for article in page:
                found += await _match_backwards(tx, index, article)
            if not page:
                await topics.mark_backfilled(tx, [query.id or 0 for query in fresh], now)
                return found
        last = page[-1].id or 0


async def _match_backwards(tx: Transaction, index: Any, article: Article) -> int:
    assert article.id is not None
    before = await articles.matched_queries(tx, article.id)
    rows = [
        {"article_id": article.id, "query_id": hit.query_id, "score": hit.score, "seen_at": article.seen_at}
        for hit in index.match(await _document(tx, article))
        if hit.query_id not in before
    ]
    return await articles.add_matches(tx, rows)
