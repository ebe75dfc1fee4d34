"""Readers who wait: for the end of their quiet time, or for the day until which they paused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dispatcher.model.audience import Schedule, Subscriber, Subscription
from dispatcher.model.values import PausedBy, SubscriberStatus, SubscriptionStatus
from dispatcher.observability.logs import logger
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.quarantine import apart
from dispatcher.schedule import agenda
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule.cadence import Cadence
from dispatcher.schedule.quiet import Quiet, release_at
from dispatcher.schedule.select import Due, Reader
from dispatcher.schedule.wait import Wait, leaves_at, wait
from dispatcher.store import Transaction, planning, subscribers

log = logger("plan")

WAKE_BATCH = 100  # readers in one transaction
POISON = timedelta(hours=1)


async def postpone(tx: Transaction, people: Sequence[Subscriber], now: datetime) -> list[Subscriber]:
    """Put off what is due for those whose quiet time it is; returns the others. The caller has locked them."""
    quiet = {person.id or 0: person for person in people if _is_quiet(person, now)}
    followed = await subscribers.subscriptions(tx, list(quiet))
    schedules = await subscribers.schedules(tx, list(quiet))
    readers = [_reader(person, followed.get(i, ()), schedules.get(i, ()), now) for i, person in quiet.items()]
    await _save(tx, [found for reader in readers if (found := wait(reader, now)) is not None])
    return [person for person in people if person.id not in quiet]


async def rouse(tx: Transaction, reader: Subscriber, now: datetime) -> None:
    """After a change of a reader's quiet hours, allowed days or zone: what waits is looked at anew.

    Call it when the change is written, and after `enrolment.reschedule` if the zone changed too.
    """
    rows = (await subscribers.schedules(tx, [reader.id or 0])).get(reader.id or 0, [])
    for row in agenda.rouse(rows, zone=reader.timezone, now=now):
        await subscribers.keep_schedule(tx, row)
    await planning.look_now(tx, reader.id or 0, now)


async def wake(ctx: Context, now: datetime) -> int:
    """Resume the readers who had paused until now. Returns how many."""
    woken = 0

    async def work(some: Sequence[int]) -> None:
        nonlocal woken
        async with ctx.store.write() as tx:
            due = [person for person in await planning.lock_readers(tx, some) if _is_over(person, now)]
            for person in due:
                await enrolment.resume(tx, person, ctx.newsletter.id or 0, now)
        woken += len(due)

    async def set_aside(subscriber_id: int, error: Exception) -> None:
        log.error("a reader could not be resumed and was set aside", subscriber_id=subscriber_id, exc_info=error)
        async with ctx.store.write() as tx:
            await subscribers.write(tx, subscriber_id, was=SubscriberStatus.PAUSED, paused_until=now + POISON)

    last = 0
    while not ctx.stopping.is_set():
        async with ctx.store.read() as tx:
            ids = await planning.sleepers(tx, now, after_id=last, limit=WAKE_BATCH)
        if not ids:
            break
        last = ids[-1]
        await apart(ids, work, set_aside)
    return woken


def leaves(person: Subscriber, cadence: Cadence, now: datetime) -> datetime:
    """When a message that is due now leaves: later, if it is the reader's quiet time."""
    return leaves_at(cadence, now, person.timezone, Quiet.of(person))


def _is_quiet(person: Subscriber, now: datetime) -> bool:
    return planning.is_readable(person) and release_at(now, person.timezone, *Quiet.of(person)) > now


def _is_over(person: Subscriber, now: datetime) -> bool:
    """Whether a pause that the reader set an end to has ended: it may have been prolonged since we looked."""
    is_theirs = person.status == SubscriberStatus.PAUSED and person.paused_by == PausedBy.READER
    return is_theirs and person.paused_until is not None and person.paused_until <= now


def _reader(
    person: Subscriber, subscriptions: Sequence[Subscription], schedules: Sequence[Schedule], now: datetime
) -> Reader:
    """A reader as far as waiting is concerned: labels and queries do not matter."""
    followings = [enrolment.following(s, "", 0) for s in subscriptions if s.status == SubscriptionStatus.ACTIVE]
    dues = [
        Due(row.id or 0, row.channel, cadences.parse(row.cadence), row.next_due_at)
        for row in schedules
        if row.next_due_at is not None and row.next_due_at <= now
    ]
    return Reader(person.id or 0, person.timezone, followings, dues, quiet=Quiet.of(person))


async def _save(tx: Transaction, waits: Sequence[Wait]) -> None:
    dues = [
        {"schedule_id": due.schedule_id, "was_due": due.next_due_at, "next_due": then}
        for found in waits
        for due, then in found.dues
    ]
    looks = [
        {"subscription_id": f.subscription_id, "looked": f.look_at, "next_look": then}
        for found in waits
        for f, then in found.looks
    ]
    owed = [{"subscription_id": f.subscription_id, "owed_from": since} for found in waits for f, since in found.owed]
    await planning.postpone(tx, dues=dues, looks=looks, owed=owed)
