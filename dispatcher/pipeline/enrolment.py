"""People: who follows what, how often, and who has left. Keeps every reader's schedules true to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from dispatcher.model.audience import Schedule, Subscriber, Subscription
from dispatcher.model.content import Topic
from dispatcher.model.values import (
    PLAIN,
    Channel,
    Origin,
    PausedBy,
    Style,
    SubscriberStatus,
    SubscriptionStatus,
    SuppressionReason,
    SuppressionScope,
)
from dispatcher.schedule import agenda
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule.select import Following, owed_from
from dispatcher.store import (
    Transaction,
    bulk,
    consents,
    events,
    newsletters,
    outbox,
    subscribers,
    suppressions,
    topics,
)
from dispatcher.store.engine import counter
from dispatcher.store.keys import address_hash

EVERY = 0
"""In place of a newsletter: all that there are."""


async def left_among(tx: Transaction, key: bytes, emails: Sequence[str]) -> dict[str, set[int]]:
    """The newsletters that each of these addresses may not be enrolled for without a new consent of its own.

    EVERY among them says that no mail may go there at all.
    """
    hashes = {email: address_hash(key, email) for email in emails}
    found = await suppressions.of(tx, list(hashes.values()))
    left = {email: {one.newsletter_id for one in found.get(hashed, ())} for email, hashed in hashes.items()}
    return {email: letters for email, letters in left.items() if letters}


async def enrol_all(
    tx: Transaction, key: bytes, newcomers: Sequence[tuple[Subscriber, Mapping[int, str]]], newsletter_id: int, *,
    origin: Origin, now: datetime, looks_back: bool,
) -> None:  # fmt: skip
    """Store many new people at once, each with the cadences at which they follow topics, and their schedules."""
    people = [person for person, _ in newcomers]
    await subscribers.insert_all(tx, people, [address_hash(key, person.email) for person in people])
    release = await counter(tx, "release")
    followed = {
        person.id or 0: [
            _begun(person.id or 0, topic_id, str(cadences.parse(text)), origin, now, release, looks_back=looks_back)
            for topic_id, text in follows.items()
        ]
        for person, follows in newcomers
    }
    await subscribers.add_subscriptions(tx, [s for mine in followed.values() for s in mine])
    homes = await newsletters.homes(tx, [topic_id for _, follows in newcomers for topic_id in follows])
    schedules = [
        row
        for person in people
        for one, wanted in _wanted(person, followed[person.id or 0], homes, newsletter_id).items()
        for row in agenda.revise(
            (), wanted, subscriber_id=person.id or 0, newsletter_id=one, zone=person.timezone, now=now
        )
    ]
    await subscribers.add_schedules(tx, schedules)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody new, as plain values: thousands of them come at once. `follows` is topic id → canonical cadence."""

    email: str
    address_hash: str
    name: str
    timezone: str
    locale: str
    cadence: str
    consent: Mapping[str, Any]
    follows: Mapping[int, str]


async def enrol_many(
    tx: Transaction, newcomers: Sequence[Newcomer], newsletter_id: int, *, origin: Origin, now: datetime,
    looks_back: bool,
) -> None:  # fmt: skip
    """As `enrol_all`, but what many have in common is worked out only once."""
    release = await counter(tx, "release")
    own = ("email", "name", "timezone", "locale", "cadence", "consent")
    people = [tuple(getattr(one, name) for name in own) for one in newcomers]
    example = Subscriber(email="", origin=origin, created_at=now)
    ids = await subscribers.insert_many(tx, example, own, people, [one.address_hash for one in newcomers])
    numbered = list(zip(ids, newcomers, strict=True))
    followed = [
        (_begun_by_anybody(topic_id, cadence, origin, now, release, looks_back), (number,))
        for number, one in numbered
        for topic_id, cadence in one.follows.items()
    ]
    await bulk.insert_copies(tx, ("subscriber_id",), followed)
    homes = await newsletters.homes(tx, [topic_id for one in newcomers for topic_id in one.follows])
    due = [
        (row, (number,))
        for number, one in numbered
        for letter, cadence in {(homes.get(i, newsletter_id), cadence) for i, cadence in one.follows.items()}
        for row in _scheduled_for_anybody(cadence, one.timezone, letter, now)
    ]
    await bulk.insert_copies(tx, ("subscriber_id",), due)


@lru_cache(maxsize=4096)
def _begun_by_anybody(
    topic_id: int, cadence: str, origin: Origin, now: datetime, release: int, looks_back: bool
) -> Subscription:
    """What a new subscription is like, whosever it is: an example to be copied, never to be changed."""
    return _begun(0, topic_id, cadence, origin, now, release, looks_back=looks_back)


@lru_cache(maxsize=4096)
def _scheduled_for_anybody(cadence: str, zone: str, newsletter_id: int, now: datetime) -> Sequence[Schedule]:
    """What a new reader's schedule for this cadence is like: an example as well."""
    wanted = set() if cadence == "instant" else {(Channel.EMAIL, cadence)}
    return agenda.revise((), wanted, subscriber_id=0, newsletter_id=newsletter_id, zone=zone, now=now)


async def enrol(tx: Transaction, key: bytes, subscriber: Subscriber) -> Subscriber:
    """Store a new person, reachable by e-mail. The caller has checked that nothing bars the address."""
    await subscribers.insert(tx, subscriber, address_hash(key, subscriber.email))
    return subscriber


async def follow(
    tx: Transaction, reader: Subscriber, topic: Topic, cadence: str, *, origin: Origin, now: datetime,
    looks_back: bool = True, mine: Sequence[Subscription] | None = None,
) -> bool:  # fmt: skip
    """Have a reader follow a topic at a cadence, or change the cadence. True if anything changed.

    A new subscription takes one period of its cadence back, an instant one (or `looks_back` off) nothing. A changed
    one keeps its read position, and what it had not read still counts. Call `reschedule` afterwards. `mine` are the
    reader's subscriptions, where the caller has loaded them already.
    """
    assert reader.id is not None
    assert topic.id is not None
    canonical = str(cadences.parse(cadence))
    mine = await _subscriptions(tx, reader) if mine is None else mine
    found = next((s for s in mine if s.topic_id == topic.id and s.channel == Channel.EMAIL), None)
    if found is None:
        await subscribers.add_subscription(
            tx, await _new(tx, reader.id, topic.id, canonical, origin, now, looks_back=looks_back)
        )
        return True
    if found.status == SubscriptionStatus.ENDED:
        fresh = await _new(tx, reader.id, topic.id, canonical, origin, now, looks_back=looks_back)
        renewed = {name: getattr(fresh, name) for name in ("cadence", "status", "floor_at", "created_at", "origin")}
        # what it read before it ended stays read
        await subscribers.write_subscription(
            tx, found.id or 0, **renewed, paused_by=None, read_at=None, owed_from_at=None, look_at=None, ended_at=None
        )
        return True
    return await _change(tx, reader, found, canonical, now)


async def _new(
    tx: Transaction, reader_id: int, topic_id: int, cadence: str, origin: Origin, now: datetime, *, looks_back: bool
) -> Subscription:
    release = await counter(tx, "release")
    return _begun(reader_id, topic_id, cadence, origin, now, release, looks_back=looks_back)


def _begun(
    reader_id: int, topic_id: int, cadence: str, origin: Origin, now: datetime, release: int, *, looks_back: bool
) -> Subscription:
    blind = cadence == "instant" or not looks_back
    return Subscription(
        subscriber_id=reader_id,
        topic_id=topic_id,
        cadence=cadence,
        origin=origin,
        release=release if blind else 0,
        floor_at=now if blind else None,
        created_at=now,
    )


async def _change(tx: Transaction, reader: Subscriber, found: Subscription, cadence: str, now: datetime) -> bool:
    changes: dict[str, Any] = {}
    if found.status == SubscriptionStatus.PAUSED and found.paused_by == PausedBy.CONFIG:
        changes |= {"status": SubscriptionStatus.ACTIVE, "paused_by": None}
    if cadence != found.cadence:
        rows = await _schedules(tx, reader)
        zone = next((r.timezone for r in rows if (r.channel, r.cadence) == (found.channel, found.cadence)), "")
        owed = owed_from(following(found, "", 0), now, zone or reader.timezone)
        changes |= {"cadence": cadence, "owed_from_at": owed, "look_at": now if cadence == "instant" else None}
    if changes:
        await subscribers.write_subscription(tx, found.id or 0, **changes)
    return bool(changes)


def following(
    subscription: Subscription, label: str, query_id: int, style: Style = PLAIN, newsletter_id: int = 0
) -> Following:
    """A subscription as planning sees it."""
    return Following(
        subscription_id=subscription.id or 0,
        label=label,
        query_id=query_id,
        channel=subscription.channel,
        cadence=cadences.parse(subscription.cadence),
        release=subscription.release,
        created_at=subscription.created_at,
        read_at=subscription.read_at,
        floor_at=subscription.floor_at,
        owed_from_at=subscription.owed_from_at,
        look_at=subscription.look_at,
        style=style,
        newsletter_id=newsletter_id,
    )


async def unfollow(tx: Transaction, subscription: Subscription, by: PausedBy) -> None:
    """Pause one subscription. Call `reschedule` afterwards."""
    await subscribers.write_subscription(tx, subscription.id or 0, status=SubscriptionStatus.PAUSED, paused_by=by)


async def reschedule(
    tx: Transaction, reader: Subscriber, newsletter_id: int, now: datetime, *,
    mine: Sequence[Subscription] | None = None, rows: Sequence[Schedule] | None = None,
    homes: Mapping[int, int] | None = None,
) -> None:  # fmt: skip
    """Make a reader's schedules say what their subscriptions and zone now ask for: see `schedule.agenda`.

    `newsletter_id` is the default newsletter. `mine`, `rows` and `homes` are the reader's subscriptions, schedules and
    the newsletters of those topics that are not of the default one, where the caller has loaded them already.
    """
    assert reader.id is not None
    mine = await _subscriptions(tx, reader) if mine is None else mine
    rows = await _schedules(tx, reader) if rows is None else rows
    homes = await newsletters.homes(tx, [s.topic_id for s in mine]) if homes is None else homes
    wanted = _wanted(reader, mine, homes, newsletter_id)
    before = {(r.channel, r.cadence): r.timezone for r in rows if r.next_due_at and r.timezone != reader.timezone}
    for s in mine:
        if s.status == SubscriptionStatus.ACTIVE and (zone := before.get((s.channel, s.cadence))):
            owed = owed_from(following(s, "", 0), now, zone)
            await subscribers.write_subscription(tx, s.id or 0, owed_from_at=owed)
    for one in sorted({*wanted, *(row.newsletter_id for row in rows)}):
        its = [row for row in rows if row.newsletter_id == one]
        for row in agenda.revise(
            its, wanted.get(one, ()), subscriber_id=reader.id, newsletter_id=one, zone=reader.timezone, now=now
        ):
            await subscribers.keep_schedule(tx, row)


Wanted = dict[int, set[tuple[Channel, str]]]
"""By newsletter, the channels and cadences that need a schedule; `instant` needs none."""


def _wanted(reader: Subscriber, mine: Sequence[Subscription], homes: Mapping[int, int], default: int) -> Wanted:
    wanted: Wanted = {}
    if reader.status == SubscriberStatus.ACTIVE:
        for s in mine:
            if s.status == SubscriptionStatus.ACTIVE and s.cadence != "instant":
                wanted.setdefault(homes.get(s.topic_id, default), set()).add((s.channel, s.cadence))
    return wanted


async def _subscriptions(tx: Transaction, reader: Subscriber) -> Sequence[Subscription]:
    return (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, [])


async def _schedules(tx: Transaction, reader: Subscriber) -> Sequence[Schedule]:
    return (await subscribers.schedules(tx, [reader.id or 0])).get(reader.id or 0, [])


async def pause(
    tx: Transaction, reader: Subscriber, by: PausedBy, newsletter_id: int, now: datetime, *,
    until: datetime | None = None,
) -> bool:  # fmt: skip
    """Stop sending to a person until somebody resumes them, or, if they pause themselves, until an instant.

    False if they are not active.
    """
    paused = {"status": SubscriberStatus.PAUSED, "paused_by": by, "paused_until": until}
    if not await subscribers.write(tx, reader.id or 0, was=SubscriberStatus.ACTIVE, **paused):
        return False
    reader.status, reader.paused_by, reader.paused_until = SubscriberStatus.PAUSED, by, until
    await reschedule(tx, reader, newsletter_id, now)
    await outbox.suppress(tx, now, subscriber_id=reader.id)
    return True


async def resume(tx: Transaction, reader: Subscriber, newsletter_id: int, now: datetime) -> bool:
    """Send again to a person who was paused. False if they were not: whoever left comes back only by themselves."""
    active = {"status": SubscriberStatus.ACTIVE, "paused_by": None, "paused_until": None}
    if not await subscribers.write(tx, reader.id or 0, was=SubscriberStatus.PAUSED, **active):
        return False
    reader.status, reader.paused_by, reader.paused_until = SubscriberStatus.ACTIVE, None, None
    await reschedule(tx, reader, newsletter_id, now)
    return True


async def leave(tx: Transaction, key: bytes, reader: Subscriber, newsletter_id: int, now: datetime) -> None:
    """A person unsubscribes: nothing more under this newsletter, effective when this transaction commits.

    Under any newsletter, with EVERY. Who follows nothing any more has left altogether.
    """
    await leave_all(tx, key, [reader], newsletter_id, now)


async def leave_all(
    tx: Transaction, key: bytes, readers: Sequence[Subscriber], newsletter_id: int, now: datetime
) -> None:
    """`leave` for many, in as many statements as for one."""
    ids = [reader.id or 0 for reader in readers]
    if newsletter_id:
        await subscribers.lock_all(tx, ids)
    left = await subscribers.depart(tx, ids, now, newsletter_id=newsletter_id)
    those = [newsletter_id] if newsletter_id else [one.id or 0 for one in await newsletters.every(tx)]
    rows = [
        {
            "address_hash": address_hash(key, reader.email),
            "address": reader.email,
            "scope": SuppressionScope.NEWSLETTER,
            "newsletter_id": one,
            "reason": SuppressionReason.UNSUBSCRIBED,
            "since": now,
        }
        for reader in readers
        for one in those
    ]
    await suppressions.add_many(tx, rows)
    await outbox.suppress(tx, now, subscriber_ids=ids)
    for reader in readers:
        if reader.id in left:
            reader.status, reader.paused_until = SubscriberStatus.UNSUBSCRIBED, None


async def rejoin(
    tx: Transaction, key: bytes, reader: Subscriber, newsletter_ids: Collection[int], consent: dict[str, Any]
) -> None:
    """Somebody who left comes back to newsletters, with proof of a new consent. Bounces and complaints stay."""
    for newsletter_id in sorted(newsletter_ids):
        await suppressions.lift(tx, address_hash(key, reader.email), newsletter_id)
    changes: dict[str, Any] = {"consent": consent}
    if reader.status == SubscriberStatus.UNSUBSCRIBED:
        changes |= {"status": SubscriberStatus.ACTIVE, "paused_by": None, "paused_until": None}
    for name, value in changes.items():
        setattr(reader, name, value)
    await subscribers.write(tx, reader.id or 0, **changes)


async def erase(tx: Transaction, key: bytes, reader: Subscriber, now: datetime) -> None:
    """Forget a person. What stays is a keyed hash that keeps us from ever writing to the address again."""
    assert reader.id is not None
    hashed = address_hash(key, reader.email)
    await leave(tx, key, reader, EVERY, now)
    await suppressions.add(tx, hashed, SuppressionReason.ERASED, now)
    await consents.forget_requests(tx, reader.id)
    for known in await subscribers.addresses(tx, reader.id):
        if known.address == reader.email or await subscribers.by_email(tx, known.address) is None:
            await suppressions.forget_address(tx, known.address_hash)
            await consents.forget_address(tx, known.address, known.address_hash)
            await outbox.forget_address(tx, known.address_hash, now)
    await outbox.forget_recipient(tx, reader.id)
    await events.forget_person(tx, reader.id)
    for topic in await topics.owned(tx, reader.id):
        await topics.remove(tx, topic.id or 0)
    await subscribers.erase(tx, reader.id, now)
    gone: dict[str, Any] = {"email": "", "name": "", "consent": {}, "chosen": [], "status": SubscriberStatus.ERASED}
    await subscribers.write(tx, reader.id, **gone)
