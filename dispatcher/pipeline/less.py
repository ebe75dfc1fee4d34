"""Less: what somebody can have instead of leaving. One topic fewer, the same less often, nothing for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Topic
from dispatcher.model.values import PausedBy, SubscriberStatus, SubscriptionStatus
from dispatcher.pipeline import enrolment
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule import zones
from dispatcher.schedule.phrase import DEFAULT_TIME
from dispatcher.store import Transaction, subscribers, topics


class Less(StrEnum):
    """How much less often."""

    WEEKLY = "weekly on mon"
    MONTHLY = "monthly on 1"


@dataclass(frozen=True, slots=True)
class Instead:
    """What somebody wants instead of leaving: without one topic, or less often, or nothing for so many days."""

    but: int = 0
    less: Less | None = None
    pause: int = 0


NO_LESS = Instead()


async def change(
    tx: Transaction, reader: Subscriber, newsletter_id: int, instead: Instead, now: datetime, *, of: int = 0
) -> None:
    """Give a reader, who is locked, less: config does not give it back. `newsletter_id` is the default newsletter.

    Less often is meant `of` one newsletter, or (0) of all.
    """
    theirs = (await followed(tx, [reader.id or 0]))[reader.id or 0]
    its = [pair for pair in theirs if of in (0, pair[1].newsletter_id or newsletter_id)]
    for subscription, topic in its:
        if topic.id == instead.but:
            await stop(tx, subscription, topic, now)
        elif instead.less:
            await _slow_down(tx, reader, subscription, topic, instead.less, now)
    if instead.less and len(its) == len(theirs):
        usual = seldom(reader.cadence, instead.less)
        reader.chosen = sorted({*reader.chosen, "cadence"})
        await subscribers.write(tx, reader.id or 0, cadence=usual, chosen=reader.chosen)
        reader.cadence = usual
    await enrolment.reschedule(tx, reader, newsletter_id, now)
    if instead.pause:
        await rest(tx, reader, newsletter_id, midnight(now + timedelta(days=instead.pause), reader.timezone), now)


async def rest(tx: Transaction, reader: Subscriber, newsletter_id: int, until: datetime, now: datetime) -> None:
    """Pause a reader until an instant, by their own word; whom somebody else has paused stays paused by them."""
    if reader.status == SubscriberStatus.PAUSED and reader.paused_by == PausedBy.READER:
        reader.paused_until = until
        await subscribers.write(tx, reader.id or 0, paused_until=until)
        return
    await enrolment.pause(tx, reader, PausedBy.READER, newsletter_id, now, until=until)


async def stop(tx: Transaction, subscription: Subscription, topic: Topic, now: datetime) -> None:
    """End one subscription; a topic of the reader's own goes with it. Call `enrolment.reschedule` afterwards."""
    if topic.owner_id is not None:
        await topics.remove(tx, topic.id or 0)
        return
    ended = {"status": SubscriptionStatus.ENDED, "ended_at": now}
    await subscribers.write_subscription(tx, subscription.id or 0, **ended)


def seldom(cadence: str, less: Less) -> str:
    """A cadence that is less often, at the same time of day; the cadence itself if it is not more often than that."""
    current = cadences.parse(cadence)
    at = f"{current.times[0]:%H:%M}" if current.times and not current.is_sub_daily else DEFAULT_TIME
    target = cadences.parse(f"{less} at {at}")
    is_often = current.is_instant or cadences.period(current) < cadences.period(target)
    return str(target if is_often else current)


def midnight(moment: datetime, zone: str) -> datetime:
    """When the day of a moment begins, by the wall clock of a zone."""
    clock = zones.zone(zone)
    return zones.instant_of(datetime.combine(zones.wall_at(moment, clock), time.min), clock)


async def followed(tx: Transaction, ids: Sequence[int]) -> dict[int, list[tuple[Subscription, Topic]]]:
    """What people follow, perhaps after a pause, by label."""
    mine = await subscribers.subscriptions(tx, ids)
    live = {i: [s for s in mine.get(i, ()) if s.status != SubscriptionStatus.ENDED] for i in ids}
    known = await topics.by_ids(tx, [s.topic_id for some in live.values() for s in some])
    pairs = {i: [(s, known[s.topic_id]) for s in some] for i, some in live.items()}
    return {i: sorted(some, key=lambda pair: pair[1].name.casefold()) for i, some in pairs.items()}


async def _slow_down(
    tx: Transaction, reader: Subscriber, subscription: Subscription, topic: Topic, less: Less, now: datetime
) -> None:
    cadence = seldom(subscription.cadence, less)
    if cadence == subscription.cadence:
        return
    await enrolment.follow(tx, reader, topic, cadence, origin=subscription.origin, now=now, mine=[subscription])
    chosen = sorted({*subscription.chosen, "cadence"})
    await subscribers.write_subscription(tx, subscription.id or 0, chosen=chosen)
