"""Config → rows: what the operator wrote becomes sources, topics and readers.

Any command creates and updates what config names. Only `run` pauses what it no longer names, and nothing at all if that
would silence more than a fifth of the readers (one is always allowed) and nobody said that it is meant: a truncated
file must not silence a readership. Somebody who unsubscribed, bounced, complained or was erased is left alone, and so
is every field that the reader chose for themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
from dispatcher.store.engine import in_turn
from dispatcher.topics.canonical import canonical
from dispatcher.topics.parser import parse

log = logger("declare")

BATCH = 200  # readers in one transaction


@dataclass(slots=True)
class DeclareReport:
    """What config changed. `guarded` counts the readers whom it would have silenced, had nothing held it back."""

    created: int = 0
    updated: int = 0
    paused: int = 0
    left_alone: list[str] = field(default_factory=list)
    guarded: int = 0


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
    wanted = ctx.settings.subscribers
    for start in range(0, len(wanted), BATCH):
        async with ctx.store.write() as tx:
            await in_turn(tx, "declare")
            await _readers(ctx, tx, wanted[start : start + BATCH], slugs, now, pausing, report)
    if pausing:
        async with ctx.store.write() as tx:
            await in_turn(tx, "declare")
            await _pause_unnamed(ctx, tx, now, report)
    return report


async def _would_silence(ctx: Context, tx: Transaction) -> int:
    """How many readers would fall silent if all that config no longer names were paused; 0 if that is not too many."""
    named, offered = _named(ctx), {entry.slug for entry in ctx.settings.topics}
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
            wanted |= _another_place(now)
        if changes := _differing(found, wanted):
            await sources.write(tx, found.id or 0, **changes)
            report.updated += 1
    if pause_missing:
        for source in stored.values():
            if _is_ours(source):
                await sources.write(tx, source.id or 0, is_paused=True, paused_by=PausedBy.CONFIG)
                report.paused += 1


def _another_place(now: datetime) -> dict[str, Any]:
    """A source that moved: what we knew of the old place's answers is void, and its next poll is a first poll."""
    validators = {"etag": "", "last_modified": "", "body_hash": "", "retry_after_at": None, "failures": 0}
    return validators | {"next_poll_at": now, "succeeded_at": None, "created_at": now}


async def _topics(ctx: Context, tx: Transaction, now: datetime, pause_missing: bool, report: DeclareReport) -> None:
    stored = {topic.slug: topic for topic in await topics.every(tx)}
    known = {query: i for i, query in (await topics.queries(tx, [topic.query_id for topic in stored.values()])).items()}
    for entry in ctx.settings.topics:
        query = canonical(parse(entry.query)), entry.language or ctx.settings.site.language
        wanted: dict[str, Any] = {
            "name": entry.name or entry.slug,
            "description": entry.description,
            "query_text": entry.query,
            "language": entry.language,
            "is_public": entry.public,
            "query_id": known.get(query) or await topics.query_id(tx, *query, now),
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
            if _is_ours(topic):
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
    await _enrol(ctx, tx, [entry for entry in entries if entry.email.lower() not in stored], slugs, now, report)
    ids = [reader.id or 0 for reader in stored.values()]
    followed, schedules = await subscribers.subscriptions(tx, ids), await subscribers.schedules(tx, ids)
    for entry in entries:
        reader = stored.get(entry.email.lower())
        if reader is None:
            continue
        if reader.status in (SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.ERASED):
            report.left_alone.append(entry.email)
            continue
        mine, rows = followed.get(reader.id or 0, []), schedules.get(reader.id or 0, [])
        changed = await _update_reader(ctx, tx, reader, entry)
        if await _follow(ctx, tx, reader, entry, slugs, mine, now, pause_missing):
            changed = True
            mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, [])
        report.updated += changed
        await enrolment.reschedule(tx, reader, ctx.newsletter.id or 0, now, mine=mine, rows=rows)


async def _enrol(
    ctx: Context, tx: Transaction, entries: Sequence[Any], slugs: dict[str, Topic], now: datetime, report: DeclareReport
) -> None:
    """Enrol those whom config names and nobody knows yet, but for addresses that are suppressed."""
    newsletter_id = ctx.newsletter.id or 0
    barred = await enrolment.barred_among(tx, ctx.address_key, [entry.email for entry in entries], newsletter_id)
    report.left_alone += barred
    newcomers: dict[str, tuple[Subscriber, dict[int, str]]] = {}
    for entry in entries:
        if entry.email not in barred:
            person = _new_reader(ctx, entry, now)
            follows = {slugs[f.topic].id or 0: f.cadence or person.cadence for f in entry.topics}
            newcomers.setdefault(person.email, (person, follows))
    looks_back = ctx.settings.schedule.first_digest == "period"
    await enrolment.enrol_all(
        tx, ctx.address_key, list(newcomers.values()), newsletter_id, origin=Origin.CONFIG, now=now,
        looks_back=looks_back,
    )  # fmt: skip
    report.created += len(newcomers)


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
    """Config's word, but for the fields the reader chose. What config paused, it wakes."""
    wanted = {name: value for name, value in _wanted(ctx, entry).items() if name not in reader.chosen}
    if reader.status == SubscriberStatus.PAUSED and reader.paused_by == PausedBy.CONFIG:
        wanted |= {"status": SubscriberStatus.ACTIVE, "paused_by": None}
    changes = _differing(reader, wanted)
    if not changes or not await subscribers.write(tx, reader.id or 0, was=reader.status, **changes):
        return False
    for name, value in changes.items():
        setattr(reader, name, value)
    return True


async def _follow(
    ctx: Context, tx: Transaction, reader: Subscriber, entry: Any, slugs: dict[str, Topic],
    mine: Sequence[Subscription], now: datetime, pause_missing: bool,
) -> bool:  # fmt: skip
    """Follow what config names; pause what it named before and no longer does. A reader's own choice stands."""
    by_topic = {subscription.topic_id: subscription for subscription in mine}
    wanted = {slugs[follow.topic].id or 0: follow for follow in entry.topics}
    changed = False
    for topic_id, follow in wanted.items():
        found = by_topic.get(topic_id)
        if found is not None and _is_theirs(found):
            continue
        cadence = found.cadence if found and "cadence" in found.chosen else follow.cadence or reader.cadence
        looks_back = ctx.settings.schedule.first_digest == "period"
        changed |= await enrolment.follow(
            tx, reader, slugs[follow.topic], cadence, origin=Origin.CONFIG, now=now, looks_back=looks_back, mine=mine
        )
    if pause_missing:
        changed |= await _unfollow_unnamed(tx, mine, wanted.keys())
    return changed


async def _unfollow_unnamed(tx: Transaction, mine: Sequence[Subscription], named: Collection[int]) -> bool:
    """Pause what config gave a reader and no longer names; what they follow by their own choice stays."""
    gone = [
        s
        for s in mine
        if s.topic_id not in named and s.origin == Origin.CONFIG and s.status == SubscriptionStatus.ACTIVE
    ]
    for subscription in gone:
        await enrolment.unfollow(tx, subscription, PausedBy.CONFIG)
    return bool(gone)


def _is_theirs(subscription: Subscription) -> bool:
    """Whether the reader, or the operator by hand, ended or paused this subscription."""
    return subscription.status == SubscriptionStatus.ENDED or (
        subscription.status == SubscriptionStatus.PAUSED and subscription.paused_by != PausedBy.CONFIG
    )


async def _pause_unnamed(ctx: Context, tx: Transaction, now: datetime, report: DeclareReport) -> None:
    """Pause those whom config brought and no longer names; from the others take back what it gave them."""
    named = _named(ctx)
    missing = [reader for reader in await _ours(tx) if reader.email not in named]
    followed = await subscribers.subscriptions(tx, [reader.id or 0 for reader in missing])
    for reader in missing:
        if reader.origin == Origin.CONFIG:
            report.paused += await enrolment.pause(tx, reader, PausedBy.CONFIG, ctx.newsletter.id or 0, now)
            continue
        await _unfollow_unnamed(tx, followed.get(reader.id or 0, ()), ())
        await enrolment.reschedule(tx, reader, ctx.newsletter.id or 0, now)
        report.updated += 1


def _differing(stored: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if getattr(stored, name) != value}
