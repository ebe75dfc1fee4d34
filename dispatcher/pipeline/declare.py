"""Config → rows: what the operator wrote becomes sources, topics and readers.

Any command creates and updates what config names. Only `run` pauses what it no longer names, and nothing at all if that
would silence more than a fifth of the readers (one is always allowed) and nobody said that it is meant: a truncated
file must not silence a readership. Somebody who unsubscribed, bounced, complained or was erased is left alone, and so
is every field that the reader chose for themselves.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dispatcher.config.settings import TopicEntry
from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Source, Topic
from dispatcher.model.values import Origin, PausedBy, SubscriberStatus
from dispatcher.observability.logs import logger
from dispatcher.pipeline import belonging, enrolment
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.readership import DeclareReport, declare_readers, differing, unfollow_unnamed
from dispatcher.store import Transaction, sources, subscribers, topics
from dispatcher.store.engine import in_turn
from dispatcher.topics.canonical import canonical
from dispatcher.topics.parser import parse

log = logger("declare")


async def declare(ctx: Context, now: datetime, *, pause_missing: bool = False, yes: bool = False) -> DeclareReport:
    """Make the database say what config says. `yes` lifts the guard on pausing many readers at once."""
    report = DeclareReport()
    pausing = pause_missing and ctx.settings.file is not None
    if pausing and not yes:
        async with ctx.store.read() as tx:
            report.guarded = await _would_silence(ctx, tx)
            pausing = not report.guarded
    async with ctx.store.write() as tx:
        await in_turn(tx, "declare")
        await _sources(ctx, tx, now, pausing, report)
        await _topics(ctx, tx, now, pausing, report)
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
    report.add(await declare_readers(ctx, slugs, now, pause_missing=pausing))
    if pausing:
        async with ctx.store.write() as tx:
            await in_turn(tx, "declare")
            await _pause_unnamed(ctx, tx, now, report)
    return report


async def _would_silence(ctx: Context, tx: Transaction) -> int:
    """How many readers would fall silent if all that config no longer names were paused; 0 if that is not too many."""
    named, offered = _named(ctx), {entry.slug for entry in ctx.settings.topics}
    offered |= {entry.slug for entry in ctx.settings.newsletters}
    ours = await _ours(tx)
    missing = sum(reader.email not in named for reader in ours)
    gone = [t.id or 0 for t in await topics.every(tx) if _is_ours(t) and t.slug not in offered]
    bereft = await subscribers.count_followers(tx, gone, but_origin=Origin.CONFIG)
    for count, of in ((missing, len(ours)), (bereft, await subscribers.count_active(tx))):
        if count > max(1, of // 5):
            log.error(
                "config no longer names many readers, or topics that many follow; nothing was paused. If that is "
                "meant, run again with --yes", readers=count, of=of,
            )  # fmt: skip
            return count
    return 0


def _named(ctx: Context) -> set[str]:
    return {entry.email.lower() for entry in ctx.settings.subscribers}


async def _ours(tx: Transaction) -> list[Subscriber]:
    """Active readers who get something because config said so."""
    brought = await subscribers.where_origin(tx, Origin.CONFIG) + await subscribers.borrowers(tx, Origin.CONFIG)
    return [reader for reader in brought if reader.status == SubscriberStatus.ACTIVE]


def _is_ours(row: Source | Topic) -> bool:
    return row.origin == Origin.CONFIG and not row.is_paused


async def _sources(ctx: Context, tx: Transaction, now: datetime, pause_missing: bool, report: DeclareReport) -> None:
    stored = {source.name: source for source in await sources.every(tx)}
    for entry in ctx.settings.sources:
        wanted: dict[str, Any] = {
            "url": entry.url,
            "poll_every": int(entry.poll_every.total_seconds()),
            "tags": list(entry.tags),
            "priority": entry.priority,
            "allow_private": entry.allow_private,
            "origin": Origin.CONFIG,
        }
        found = stored.pop(entry.name, None)
        if found is None:
            await sources.insert(tx, Source(name=entry.name, **wanted, next_poll_at=now, created_at=now))
            report.created += 1
            continue
        if found.paused_by == PausedBy.CONFIG:
            wanted |= {"is_paused": False, "paused_by": None}
        if found.url != entry.url:
            wanted |= another_place(now)
        if changes := differing(found, wanted):
            await sources.write(tx, found.id or 0, **changes)
            report.updated += 1
    if pause_missing:
        for source in stored.values():
            if _is_ours(source):
                await sources.write(tx, source.id or 0, is_paused=True, paused_by=PausedBy.CONFIG)
                report.paused += 1


def another_place(now: datetime) -> dict[str, Any]:
    """A source that moved: what we knew of the old place's answers is void, and its next poll is a first poll."""
    validators = {"etag": "", "last_modified": "", "body_hash": "", "retry_after_at": None, "failures": 0}
    health = {"broken_since": None, "told_broken_at": None, "polls": 0, "not_modified": 0}
    return validators | health | {"next_poll_at": now, "succeeded_at": None, "created_at": now}


async def _topics(ctx: Context, tx: Transaction, now: datetime, pause_missing: bool, report: DeclareReport) -> None:
    stored = {topic.slug: topic for topic in await topics.every(tx)}
    known = {query: i for i, query in (await topics.queries(tx, [topic.query_id for topic in stored.values()])).items()}
    homes = belonging.homes(ctx)
    for said in [*map(_topic, ctx.settings.topics), *belonging.written(ctx, stored)]:
        text, language = said["query_text"], said["language"] or ctx.settings.site.language
        query = (canonical(parse(text)), language) if text else belonging.NOTHING
        wanted: dict[str, Any] = said | {
            "newsletter_id": homes.get(said["slug"]),
            "query_id": known.get(query) or await topics.query_id(tx, *query, now),
            "origin": Origin.CONFIG,
        }
        found = stored.pop(said["slug"], None)
        if found is None:
            await topics.insert(tx, Topic(**wanted, created_at=now))
            report.created += 1
            continue
        if found.paused_by == PausedBy.CONFIG:
            wanted |= {"is_paused": False, "paused_by": None}
        if changes := differing(found, wanted):
            await topics.write(tx, found.id or 0, **changes)
            report.updated += 1
        if "newsletter_id" in changes:
            await belonging.move(ctx, tx, found, homes.get(found.slug))
    if pause_missing:
        for topic in stored.values():
            if _is_ours(topic):
                await topics.write(tx, topic.id or 0, is_paused=True, paused_by=PausedBy.CONFIG)
                report.paused += 1
        report.paused += await belonging.rest_unnamed(ctx, tx)


def _topic(entry: TopicEntry) -> dict[str, Any]:
    """What config says of a topic."""
    return {
        "slug": entry.slug,
        "name": entry.name or entry.slug,
        "description": entry.description,
        "query_text": entry.query,
        "language": entry.language,
        "is_public": entry.public,
        "digest": entry.digest.stored,
    }


async def keep_query(ctx: Context, tx: Transaction, text: str, language: str, now: datetime) -> int:
    """The shared query beneath a topic: canonical text, in the topic's language or else the site's."""
    return await topics.query_id(tx, canonical(parse(text)), language or ctx.settings.site.language, now)


async def _pause_unnamed(ctx: Context, tx: Transaction, now: datetime, report: DeclareReport) -> None:
    """Pause those whom config brought and no longer names; from the others take back what it gave them."""
    named = _named(ctx)
    missing = [reader for reader in await _ours(tx) if reader.email not in named]
    followed = await subscribers.subscriptions(tx, [reader.id or 0 for reader in missing])
    for reader in missing:
        if reader.origin == Origin.CONFIG:
            report.paused += await enrolment.pause(tx, reader, PausedBy.CONFIG, ctx.newsletter.id or 0, now)
            continue
        await unfollow_unnamed(tx, followed.get(reader.id or 0, ()), ())
        await enrolment.reschedule(tx, reader, ctx.newsletter.id or 0, now)
        report.updated += 1
