"""Config's readers → rows, a batch at a time. A reader's own word stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dispatcher.config.settings import Follow, SubscriberEntry
from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Topic
from dispatcher.model.values import Origin, PausedBy, SubscriberStatus, SubscriptionStatus
from dispatcher.observability.logs import logger
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.quarantine import apart
from dispatcher.schedule import cadence as cadences
from dispatcher.store import Transaction, newsletters, subscribers
from dispatcher.store.engine import in_turn

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

    def add(self, done: DeclareReport) -> None:
        """Count what one batch changed."""
        self.created += done.created
        self.updated += done.updated
        self.paused += done.paused
        self.left_alone += done.left_alone


async def declare_readers(
    ctx: Context, slugs: Mapping[str, Topic], now: datetime, *, pause_missing: bool
) -> DeclareReport:
    """Enrol and update the readers that config names. One whose rows cannot be read is left as they are."""
    report = DeclareReport()

    async def keep(entries: Sequence[SubscriberEntry]) -> None:
        async with ctx.store.write() as tx:
            await in_turn(tx, "declare")
            done = await _keep(ctx, tx, entries, slugs, now, pause_missing=pause_missing)
        report.add(done)

    async def leave(entry: SubscriberEntry, error: Exception) -> None:
        log.error("a reader of config was left as they are", email=entry.email, exc_info=error)

    wanted = ctx.settings.subscribers
    for start in range(0, len(wanted), BATCH):
        await apart(wanted[start : start + BATCH], keep, leave)
    return report


async def _keep(
    ctx: Context, tx: Transaction, entries: Sequence[SubscriberEntry], slugs: Mapping[str, Topic], now: datetime, *,
    pause_missing: bool,
) -> DeclareReport:  # fmt: skip
    stored = await subscribers.by_emails(tx, [entry.email.lower() for entry in entries])
    done = await _enrol(ctx, tx, [entry for entry in entries if entry.email.lower() not in stored], slugs, now)
    ids = [reader.id or 0 for reader in stored.values()]
    followed, schedules = await subscribers.subscriptions(tx, ids), await subscribers.schedules(tx, ids)
    homes = await newsletters.homes(tx, [s.topic_id for mine in followed.values() for s in mine])
    homes |= {topic.id or 0: topic.newsletter_id for topic in slugs.values() if topic.newsletter_id}
    left = await enrolment.left_among(tx, ctx.address_key, list(stored)) if homes else {}
    for entry in entries:
        reader = stored.get(entry.email.lower())
        if reader is None:
            continue
        if reader.status in (SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.ERASED):
            done.left_alone.append(entry.email)
            continue
        mine, rows = followed.get(reader.id or 0, []), schedules.get(reader.id or 0, [])
        changed = await _update_reader(ctx, tx, reader, entry)
        offered = _still_open(ctx, slugs, left.get(reader.email, ()))
        if await _follow(ctx, tx, reader, entry, offered, mine, now, pause_missing=pause_missing):
            changed = True
            mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, [])
        done.updated += changed
        await enrolment.reschedule(tx, reader, ctx.newsletter.id or 0, now, mine=mine, rows=rows, homes=homes)
    return done


def _still_open(ctx: Context, slugs: Mapping[str, Topic], left: Collection[int]) -> Mapping[str, Topic]:
    """The topics of newsletters that somebody has not left: config brings nobody back."""
    if not left:
        return slugs
    return {slug: topic for slug, topic in slugs.items() if (topic.newsletter_id or ctx.newsletter.id) not in left}


async def _enrol(
    ctx: Context, tx: Transaction, entries: Sequence[SubscriberEntry], slugs: Mapping[str, Topic], now: datetime
) -> DeclareReport:
    """Enrol those whom config names and nobody knows yet, but for addresses that are suppressed."""
    newsletter_id = ctx.newsletter.id or 0
    left = await enrolment.left_among(tx, ctx.address_key, [entry.email for entry in entries])
    barred: list[str] = []
    newcomers: dict[str, tuple[Subscriber, dict[int, str]]] = {}
    for entry in entries:
        offered = _still_open(ctx, slugs, left.get(entry.email, ()))
        open_to_them = [follow for follow in entry.topics if follow.topic in offered]
        if _is_barred(ctx, left.get(entry.email, ()), entry, open_to_them):
            barred.append(entry.email)
            continue
        person = _new_reader(ctx, entry, now)
        follows = {slugs[f.topic].id or 0: f.cadence or person.cadence for f in open_to_them}
        newcomers.setdefault(person.email, (person, follows))
    looks_back = ctx.settings.schedule.first_digest == "period"
    await enrolment.enrol_all(
        tx, ctx.address_key, list(newcomers.values()), newsletter_id, origin=Origin.CONFIG, now=now,
        looks_back=looks_back,
    )  # fmt: skip
    return DeclareReport(created=len(newcomers), left_alone=barred)


def _is_barred(ctx: Context, left: Collection[int], entry: SubscriberEntry, open_to_them: Sequence[Follow]) -> bool:
    """Whether every mail to somebody is suppressed, or each newsletter that config names for them."""
    return enrolment.EVERY in left or (not open_to_them and bool(entry.topics or ctx.newsletter.id in left))


def _new_reader(ctx: Context, entry: SubscriberEntry, now: datetime) -> Subscriber:
    return Subscriber(
        email=entry.email.lower(),
        **_wanted(ctx, entry),
        origin=Origin.CONFIG,
        consent={"how": "config", "at": now.isoformat(), "by": "the operator vouches for it"},
        created_at=now,
    )


def _wanted(ctx: Context, entry: SubscriberEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "timezone": entry.timezone or ctx.settings.site.timezone,
        "locale": entry.locale or ctx.settings.site.language,
        "cadence": str(cadences.parse(entry.cadence)),
    }


async def _update_reader(ctx: Context, tx: Transaction, reader: Subscriber, entry: SubscriberEntry) -> bool:
    """Config's word, but for the fields the reader chose. What config paused, it wakes."""
    wanted = {name: value for name, value in _wanted(ctx, entry).items() if name not in reader.chosen}
    if reader.status == SubscriberStatus.PAUSED and reader.paused_by == PausedBy.CONFIG:
        wanted |= {"status": SubscriberStatus.ACTIVE, "paused_by": None}
    changes = differing(reader, wanted)
    if not changes or not await subscribers.write(tx, reader.id or 0, was=reader.status, **changes):
        return False
    for name, value in changes.items():
        setattr(reader, name, value)
    return True


async def _follow(
    ctx: Context, tx: Transaction, reader: Subscriber, entry: SubscriberEntry, slugs: Mapping[str, Topic],
    mine: Sequence[Subscription], now: datetime, *, pause_missing: bool,
) -> bool:  # fmt: skip
    """Follow what config names; pause what it named before and no longer does. A reader's own choice stands."""
    by_topic = {subscription.topic_id: subscription for subscription in mine}
    wanted = {slugs[follow.topic].id or 0: follow for follow in entry.topics if follow.topic in slugs}
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
        changed |= await unfollow_unnamed(tx, mine, wanted.keys())
    return changed


async def unfollow_unnamed(tx: Transaction, mine: Sequence[Subscription], named: Collection[int]) -> bool:
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


def differing(stored: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """Those of the wanted values that are not what is stored."""
    return {name: value for name, value in wanted.items() if getattr(stored, name) != value}
