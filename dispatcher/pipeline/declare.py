"""Config → rows: what the operator wrote becomes sources, topics and readers.

Any command creates and updates what config names. Only `run` pauses what it no longer names, and never more than a
fifth of the readers that came from config (one is always allowed) unless told to: a truncated file must not silence a
readership. Somebody who unsubscribed, bounced, complained or was erased is left alone, and so is every field that the
reader chose for themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Source, Topic
from dispatcher.model.values import Origin, PausedBy, SubscriberStatus, SubscriptionStatus
from dispatcher.observability.logs import logger
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context
from dispatcher.schedule import cadence as cadences
from dispatcher.store import Transaction, sources, subscribers, topics
from dispatcher.topics.canonical import canonical
from dispatcher.topics.parser import parse

log = logger("declare")

BATCH = 200  # readers in one transaction


@dataclass(slots=True)
class DeclareReport:
    """What config changed. `guarded` counts the readers that were not paused because there were too many of them."""

    created: int = 0
    updated: int = 0
    paused: int = 0
    left_alone: list[str] = field(default_factory=list)
    guarded: int = 0


async def declare(ctx: Context, now: datetime, *, pause_missing: bool = False, yes: bool = False) -> DeclareReport:
    """Make the database say what config says. `yes` lifts the guard on pausing many readers at once."""
    report = DeclareReport()
    async with ctx.store.write() as tx:
        await _sources(ctx, tx, now, pause_missing, report)
        await _topics(ctx, tx, now, pause_missing, report)
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
    wanted = list(ctx.settings.subscribers)
    for start in range(0, len(wanted), BATCH):
        async with ctx.store.write() as tx:
            await _readers(ctx, tx, wanted[start : start + BATCH], slugs, now, pause_missing, report)
    if pause_missing and ctx.settings.file is not None:
        async with ctx.store.write() as tx:
            await _pause_unnamed(ctx, tx, {entry.email.lower() for entry in wanted}, now, yes, report)
    return report


async def _sources(ctx: Context, tx: Transaction, now: datetime, pause_missing: bool, report: DeclareReport) -> None:
    stored = {source.name: source for source in await sources.every(tx)}
    for entry in ctx.settings.sources:
        wanted: dict[str, Any] = {
            "url": entry.url,
            "poll_every": int(entry.poll_every.total_seconds()),
            "tags": list(entry.tags),
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
        if found.url != entry.url:  # another place: what we knew of the old one's answers is void
            wanted |= {"etag": "", "last_modified": "", "body_hash": "", "next_poll_at": now, "retry_after_at": None}
        if changes := _differing(found, wanted):
            await sources.write(tx, found.id or 0, **changes)
            report.updated += 1
    if pause_missing:
        for source in stored.values():
            if source.origin == Origin.CONFIG and not source.is_paused:
                await sources.write(tx, source.id or 0, is_paused=True, paused_by=PausedBy.CONFIG)
                report.paused += 1


async def _topics(ctx: Context, tx: Transaction, now: datetime, pause_missing: bool, report: DeclareReport) -> None:
    stored = {topic.slug: topic for topic in await topics.every(tx)}
    for entry in ctx.settings.topics:
        wanted: dict[str, Any] = {
            "name": entry.name or entry.slug,
            "description": entry.description,
            "query_text": entry.query,
            "language": entry.language,
            "is_public": entry.public,
            "query_id": await keep_query(ctx, tx, entry.query, entry.language, now),
            "origin": Origin.CONFIG,
        }
        found = stored.pop(entry.slug, None)
        if found is None:
            await topics.insert(tx, Topic(slug=entry.slug, **wanted, created_at=now))
            report.created += 1
            continue
        if found.paused_by == PausedBy.CONFIG:
            wanted |= {"is_paused": False, "paused_by": None}
        if changes := _differing(found, wanted):
            await topics.write(tx, found.id or 0, **changes)
            report.updated += 1
    if pause_missing:
        for topic in stored.values():
            if topic.origin == Origin.CONFIG and not topic.is_paused:
                await topics.write(tx, topic.id or 0, is_paused=True, paused_by=PausedBy.CONFIG)
                report.paused += 1


async def keep_query(ctx: Context, tx: Transaction, text: str, language: str, now: datetime) -> int:
    """The shared query beneath a topic: canonical text, in the topic's language or else the site's."""
    return await topics.query_id(tx, canonical(parse(text)), language or ctx.settings.site.language, now)


async def _readers(
    ctx: Context, tx: Transaction, entries: Sequence[Any], slugs: dict[str, Topic], now: datetime,
    pause_missing: bool, report: DeclareReport,
) -> None:  # fmt: skip
    stored = await subscribers.by_emails(tx, [entry.email.lower() for entry in entries])
    for entry in entries:
        reader = stored.get(entry.email.lower())
        if reader is not None and reader.status in (SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.ERASED):
            report.left_alone.append(entry.email)
            continue
        if reader is None:
            reason = await enrolment.barred(tx, ctx.address_key, entry.email, ctx.newsletter.id or 0)
            if reason is not None:
                report.left_alone.append(entry.email)
                continue
            reader = await enrolment.enrol(tx, ctx.address_key, _new_reader(ctx, entry, now))
            report.created += 1
        else:
            report.updated += await _update_reader(ctx, tx, reader, entry)
        changed = await _follow(ctx, tx, reader, entry, slugs, now, pause_missing)
        report.updated += changed
        await enrolment.reschedule(tx, reader, ctx.newsletter.id or 0, now)


def _new_reader(ctx: Context, entry: Any, now: datetime) -> Subscriber:
    return Subscriber(
        email=entry.email.lower(),
        **_wanted(ctx, entry),
        origin=Origin.CONFIG,
        consent={"how": "config", "at": now.isoformat(), "by": "the operator vouches for it"},
        created_at=now,
    )


def _wanted(ctx: Context, entry: Any) -> dict[str, Any]:
    return {
        "name": entry.name,
        "timezone": entry.timezone or ctx.settings.site.timezone,
        "locale": entry.locale or ctx.settings.site.language,
        "cadence": str(cadences.parse(entry.cadence)),
    }


async def _update_reader(ctx: Context, tx: Transaction, reader: Subscriber, entry: Any) -> bool:
    """Config's word, but for the fields the reader chose."""
    wanted = {name: value for name, value in _wanted(ctx, entry).items() if name not in reader.chosen}
    if reader.status == SubscriberStatus.PAUSED and reader.paused_by == PausedBy.CONFIG:
        wanted |= {"status": SubscriberStatus.ACTIVE, "paused_by": None}
    changes = _differing(reader, wanted)
    if changes:
        await subscribers.write(tx, reader.id or 0, **changes)
        for name, value in changes.items():
            setattr(reader, name, value)
    return bool(changes)


async def _follow(
    ctx: Context, tx: Transaction, reader: Subscriber, entry: Any, slugs: dict[str, Topic], now: datetime,
    pause_missing: bool,
) -> bool:  # fmt: skip
    """Follow what config names; pause what it named before and no longer does. A reader's own choice stands."""
    assert reader.id is not None
    mine = (await subscribers.subscriptions(tx, [reader.id])).get(reader.id, [])
    by_topic = {subscription.topic_id: subscription for subscription in mine}
    changed, named = False, set()
    for follow in entry.topics:
        topic = slugs[follow.topic]
        named.add(topic.id)
        found = by_topic.get(topic.id or 0)
        if found is not None and _is_theirs(found):
            continue
        wanted = found.cadence if found and "cadence" in found.chosen else follow.cadence or reader.cadence
        looks_back = ctx.settings.schedule.first_digest == "period"
        changed |= await enrolment.follow(
            tx, reader, topic, wanted, origin=Origin.CONFIG, now=now, looks_back=looks_back
        )
    for subscription in mine:
        gone = subscription.topic_id not in named and subscription.origin == Origin.CONFIG
        if pause_missing and gone and subscription.status == SubscriptionStatus.ACTIVE:
            await enrolment.unfollow(tx, subscription, PausedBy.CONFIG)
            changed = True
    return changed


def _is_theirs(subscription: Subscription) -> bool:
    """Whether the reader, or the operator by hand, ended or paused this subscription."""
    return subscription.status == SubscriptionStatus.ENDED or (
        subscription.status == SubscriptionStatus.PAUSED and subscription.paused_by != PausedBy.CONFIG
    )


async def _pause_unnamed(
    ctx: Context, tx: Transaction, named: set[str], now: datetime, yes: bool, report: DeclareReport
) -> None:
    ours = [r for r in await subscribers.where_origin(tx, Origin.CONFIG) if r.status == SubscriberStatus.ACTIVE]
    missing = [reader for reader in ours if reader.email not in named]
    if len(missing) > max(1, len(ours) // 5) and not yes:
        report.guarded = len(missing)
        log.error(
            "config no longer names many readers; none was paused. If that is meant, run again with --yes",
            missing=len(missing),
            of=len(ours),
        )
        return
    for reader in missing:
        await enrolment.pause(tx, reader, PausedBy.CONFIG, ctx.newsletter.id or 0, now)
    report.paused += len(missing)


def _differing(stored: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if getattr(stored, name) != value}
