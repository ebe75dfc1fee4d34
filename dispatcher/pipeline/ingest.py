"""Step 1, ingest: due sources → articles with their matches.

    due ▷ claim ▷ read (no transaction) ▷ clean ▷ [ identify · save · match · number ]

Articles and their matches are saved in one transaction, under a release number that follows commit order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dispatcher.articles.clean import clean
from dispatcher.articles.identity import is_shareable
from dispatcher.errors import StoreError
from dispatcher.model.content import Article, Sighting, Source
from dispatcher.model.raw import RawArticle
from dispatcher.observability.logs import logger
from dispatcher.pipeline.ailments import account
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.matching import backfill, match
from dispatcher.pipeline.quarantine import apart
from dispatcher.sources.polling import next_poll
from dispatcher.sources.read import Reading, read
from dispatcher.store import Transaction, articles, sources
from dispatcher.store.engine import in_turn

log = logger("ingest")

BATCH = 100  # articles in one transaction
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

    def add(self, done: IngestReport) -> None:
        """Count what one batch did."""
        self.new += done.new
        self.updated += done.updated
        self.matches += done.matches


async def ingest(ctx: Context, now: datetime, *, everything: bool = False) -> IngestReport:
    """Poll the sources that are due (`everything`: all enabled ones), store what is new, match it."""
    report = IngestReport(matches=await backfill(ctx, now))
    async with ctx.store.read() as tx:
        chosen = await (sources.pollable(tx, now) if everything else sources.due(tx, now))
    limit = asyncio.Semaphore(ctx.settings.ingest.concurrency)

    async def poll_one(source: Source) -> None:
        async with limit:
            if not ctx.stopping.is_set():
                await _poll_safely(ctx, source, now, report)

    await asyncio.gather(*(poll_one(source) for source in chosen))
    return report


async def _poll_safely(ctx: Context, source: Source, now: datetime, report: IngestReport) -> None:
    """One broken source never stops the others: even a bug of ours sets only this one aside."""
    try:
        await _poll(ctx, source, now, report)
    except StoreError as error:
        report.failed += 1
        log.error("the database refused; the source is polled again soon", source=source.name, reason=str(error))
    except Exception as error:
        report.failed += 1
        log.exception("source failed on our side", source=source.name, source_id=source.id)
        later = now + max(timedelta(seconds=source.poll_every), timedelta(hours=1))
        text = f"internal error: {type(error).__name__}: {error}"
        since = source.broken_since or now
        async with ctx.store.write() as tx:
            await sources.finish(
                tx, source, now, later, last_error=text, failures=source.failures + 1, broken_since=since
            )


async def _poll(ctx: Context, source: Source, now: datetime, report: IngestReport) -> None:
    async with ctx.store.write() as tx:
        if not await sources.claim(tx, source, now):
            return
    report.polled += 1
    known = ctx.fingerprints.get(source.id or 0, {})
    reading = await read(source, ctx.fetcher, now=now, base=ctx.settings.base, known=known)
    _tell(source, reading, report)
    await _keep_safely(ctx, source, _distinct(reading.items), now, report)
    async with ctx.store.write() as tx:
        await _keep_source(ctx, tx, source, reading, now)
    if reading.failure is None:
        ctx.fingerprints[source.id or 0] = dict(reading.fingerprints)


async def _keep_safely(
    ctx: Context, source: Source, items: Sequence[RawArticle], now: datetime, report: IngestReport
) -> None:
    """Clean and store items, a batch to a transaction. One that cannot be stored is told about and left out."""

    async def keep(batch: Sequence[RawArticle]) -> None:
        fresh = await asyncio.to_thread(lambda: [(raw, clean(raw, source, now)) for raw in batch])
        async with ctx.store.write() as tx:
            await in_turn(tx, "ingest")  # so that no two sources bring the same link at the same moment
            done = await keep_items(ctx, tx, source, fresh, now)
        report.add(done)

    async def leave_out(raw: RawArticle, error: Exception) -> None:
        log.error("an item could not be stored and was left out", source=source.name, guid=raw.guid, exc_info=error)

    for start in range(0, len(items), BATCH):
        await apart(items[start : start + BATCH], keep, leave_out)


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


async def _keep_source(ctx: Context, tx: Transaction, source: Source, reading: Reading, now: datetime) -> None:
    poll = next_poll(timedelta(seconds=source.poll_every), source.failures, reading, now)
    next_poll_at = now + SETTLING if reading.pending else poll.next_poll_at
    changes: dict[str, Any] = {
        "polled_at": now,
        "failures": poll.failures,
        "retry_after_at": poll.retry_after_at,
        "last_error": reading.failure.reason if reading.failure else "",
        **await account(ctx, tx, source, reading.failure, now),
    }
    if reading.failure is None:
        counted = {"polls": source.polls + 1, "not_modified": source.not_modified + reading.not_modified}
        changes |= {"succeeded_at": now, **counted}
        if not reading.unchanged:
            changes |= {
                "etag": reading.etag,
                "last_modified": reading.last_modified,
                "body_hash": reading.body_hash,
            }
    await sources.finish(tx, source, now, next_poll_at, **changes)


async def keep_items(
    ctx: Context, tx: Transaction, source: Source, items: Sequence[tuple[RawArticle, Article]], now: datetime
) -> IngestReport:
    """Store items of one source, each with its cleaned article: new, edited, seen elsewhere under the same link, or
    nothing new at all. Take your turn (`in_turn(tx, "ingest")`) first."""
    source_id = source.id or 0
    known = await articles.sightings(tx, source_id, [raw.guid for raw, _ in items])
    unknown = [(raw, fresh) for raw, fresh in items if raw.guid not in known]
    links = [fresh.url for _, fresh in unknown if is_shareable(fresh.url)]
    twins = await articles.elsewhere(tx, links, source_id)
    edited = await _edit(tx, source, [(known[raw.guid], raw, fresh) for raw, fresh in items if raw.guid in known])
    found = [(raw, fresh, twins.pop(fresh.url, None)) for raw, fresh in unknown]  # a second one is no twin any more
    new = [_first_seen(source, raw, fresh, now) for raw, fresh, twin in found if twin is None]
    await articles.insert(tx, new)
    await articles.sight(tx, [_sighting(source_id, raw, fresh, twin or fresh, now) for raw, fresh, twin in found])
    shared = [(twin, twin.seen_at) for _, _, twin in found if twin is not None and twin.pruned_at is None]
    touched = [(article, now) for article in [*new, *edited]] + shared
    return IngestReport(new=len(new), updated=len(edited), matches=await match(ctx, tx, touched))


def _first_seen(source: Source, raw: RawArticle, fresh: Article, now: datetime) -> Article:
    fresh.source_id, fresh.seen_at, fresh.is_backlog = source.id or 0, now, _is_backlog(source, raw)
    return fresh


def _sighting(source_id: int, raw: RawArticle, fresh: Article, stored: Article, now: datetime) -> dict[str, Any]:
    return {
        "article_id": stored.id,
        "source_id": source_id,
        "guid": raw.guid,
        "content_hash": fresh.content_hash,
        "seen_at": now,
    }


def _is_backlog(source: Source, raw: RawArticle) -> bool:
    """Whether a source's first poll brought what had been published before we knew the source."""
    return source.succeeded_at is None and (raw.published_at is None or raw.published_at < source.created_at)


async def _edit(
    tx: Transaction, source: Source, items: Sequence[tuple[Sighting, RawArticle, Article]]
) -> list[Article]:
    """The articles that this source edits: those that it brought. Another source's wording changes nothing."""
    changed = [item for item in items if item[0].content_hash != item[2].content_hash]
    await articles.resight(tx, [{"sighting_id": s.id, "hashed": fresh.content_hash} for s, _, fresh in changed])
    stored = await articles.by_ids(tx, [sighting.article_id for sighting, _, _ in changed])
    edits = []
    for sighting, raw, fresh in changed:
        before = stored[sighting.article_id]
        if before.source_id != source.id or before.pruned_at is not None:
            continue
        if raw.published_at is None:  # without a date of its own it was published when we first saw it
            fresh.published_at = before.published_at
        edits.append((before, fresh))
    return await articles.edit(tx, edits)
