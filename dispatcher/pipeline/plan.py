"""Step 2, plan: due readers → digests and deliveries.

    expire ▷ wake ▷ due readers ▷ lock ▷ put off (their quiet time) ▷ load ▷ decide (pure: schedule.select) ▷ save

A reader is planned in one transaction, all that is due together, so that two daemons cannot each send the same
story. Nothing new: nothing sent, and the schedule moves on. A reader who cannot be planned (a row that somebody wrote
by hand) is set aside, and the others get theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from dispatcher.digest import compose
from dispatcher.digest.headers import message_id
from dispatcher.model.audience import Endpoint, Subscriber
from dispatcher.model.values import DeliveryKind, DeliveryStatus, Order
from dispatcher.observability.logs import logger
from dispatcher.outbox.priority import lifetime_of, priority_of
from dispatcher.pipeline.batch import Batch, key_of, load
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.enrolment import reschedule
from dispatcher.pipeline.quarantine import apart
from dispatcher.pipeline.release import release
from dispatcher.pipeline.styles import sections, style
from dispatcher.pipeline.tidings import tell_expired
from dispatcher.pipeline.waiting import POISON, postpone, wake
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule.quiet import Quiet, release_at
from dispatcher.schedule.ranking import Pick, Policy
from dispatcher.schedule.select import Plan, Planned
from dispatcher.schedule.several import decide_each
from dispatcher.store import Transaction, outbox, planning, subscribers
from dispatcher.store.engine import counter, move_counter

log = logger("plan")

BATCH = 500  # readers in one transaction
MOST_REST = 200  # stories over the caps that the page of a digest shows


@dataclass(slots=True)
class PlanReport:
    """What a plan did. `previews` is filled by a dry run only: subscriber id → what they would get.

    `keys` are those of the deliveries, where they were made ahead of their time.
    """

    readers: int = 0
    waiting: int = 0  # readers whose quiet time it is
    digests: int = 0
    deliveries: int = 0
    failed: int = 0
    previews: dict[int, Plan] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    def add(self, done: PlanReport) -> None:
        """Count what one batch did."""
        self.readers += done.readers
        self.waiting += done.waiting
        self.digests += done.digests
        self.deliveries += done.deliveries
        self.previews |= done.previews
        self.keys += done.keys


async def plan(ctx: Context, now: datetime, *, dry_run: bool = False) -> PlanReport:
    """Plan every reader who is due. A dry run changes nothing and reports what would be sent."""
    report = PlanReport()
    if not dry_run:
        async with ctx.store.write() as tx:
            late = await outbox.expire(tx, now)  # what never arrived folds into what is planned now
            await tell_expired(ctx, tx, late, now)
        await wake(ctx, now)
        await _wake_instant(ctx, now)
    last = 0
    while not ctx.stopping.is_set():
        async with ctx.store.read() as tx:
            ids = await planning.due_readers(tx, now, after_id=last, limit=BATCH)
        if not ids:
            break
        last = ids[-1]
        await _plan_safely(ctx, ids, now, report, dry_run=dry_run)
    if not dry_run:
        released = await release(ctx, now)  # what people wrote
        report.deliveries += released.deliveries
        report.failed += released.failed
    return report


async def _plan_safely(ctx: Context, ids: Sequence[int], now: datetime, report: PlanReport, *, dry_run: bool) -> None:
    """Plan readers together. One who cannot be planned is set aside."""

    async def work(some: Sequence[int]) -> None:
        async with ctx.store.read() if dry_run else ctx.store.write() as tx:
            done = await (_preview if dry_run else _plan_batch)(ctx, tx, some, now)
        report.add(done)

    async def set_aside(subscriber_id: int, error: Exception) -> None:
        log.error("a reader could not be planned and was set aside", subscriber_id=subscriber_id, exc_info=error)
        report.failed += 1
        if not dry_run:
            async with ctx.store.write() as tx:
                await planning.push_ahead(tx, subscriber_id, now + POISON)

    await apart(ids, work, set_aside)


async def _wake_instant(ctx: Context, now: datetime) -> None:
    """Have the instant subscriptions looked at that new matches concern; the cursor moves in the same transaction."""
    async with ctx.store.read() as tx:
        idle = await counter(tx, "instant") == await counter(tx, "release")
    if idle:
        return
    async with ctx.store.write() as tx:
        before, upto = await counter(tx, "instant"), await counter(tx, "release")
        if await move_counter(tx, "instant", before, upto):
            await planning.wake_instant(tx, now, before, upto)


async def _preview(ctx: Context, tx: Transaction, ids: Sequence[int], now: datetime) -> PlanReport:
    plans = _decide(ctx, await load(ctx, tx, list((await subscribers.by_ids(tx, ids)).values()), now), now)
    return PlanReport(readers=len(plans), previews=plans)


async def _plan_batch(ctx: Context, tx: Transaction, ids: Sequence[int], now: datetime) -> PlanReport:
    people = await planning.lock_readers(tx, ids)
    awake = await postpone(tx, await _in_their_zone(ctx, tx, people, now), now)
    batch = await load(ctx, tx, awake, now)
    report = await save(ctx, tx, batch, _decide(ctx, batch, now), now)
    report.waiting = len(people) - len(awake)
    return report


def _decide(ctx: Context, batch: Batch, now: datetime) -> dict[int, Plan]:
    return {reader_id: decided(ctx, batch, reader_id, now) for reader_id in batch.readers}


async def _in_their_zone(
    ctx: Context, tx: Transaction, people: Sequence[Subscriber], now: datetime
) -> list[Subscriber]:
    """Readers whose schedules were reckoned in another zone than theirs are rescheduled before they are planned."""
    rows = await subscribers.schedules(tx, [person.id or 0 for person in people])
    for person in people:
        if any(row.next_due_at and row.timezone != person.timezone for row in rows.get(person.id or 0, ())):
            await reschedule(tx, person, ctx.newsletter.id or 0, now)
    return list(people)


async def save(
    ctx: Context, tx: Transaction, batch: Batch, plans: Mapping[int, Plan], now: datetime, *,
    leaves_at: datetime | None = None,
) -> PlanReport:  # fmt: skip
    """Queue what was decided, and move schedules and read positions on. `leaves_at`: not before, and dated so."""
    digests: dict[str, dict[str, Any]] = {}
    deliveries: list[tuple[str, dict[str, Any]]] = []
    for reader_id, made in plans.items():
        for planned in made.planned:
            person = batch.subscribers[reader_id]
            row = digest_row(ctx, person, planned, now)
            digests[row["key"]] = row
            for endpoint in batch.endpoints.get(reader_id, ()):
                if endpoint.channel == planned.channel:
                    deliveries.append((row["key"], _released(ctx, person, endpoint, planned, now, leaves_at)))
    ids, new = await planning.save_digests(tx, digests)
    saved = await planning.save_deliveries(tx, [{**row, "digest_id": ids[key]} for key, row in deliveries])
    await _advance(tx, plans, batch.release)
    keys = [row["key"] for _, row in deliveries] if leaves_at else []
    return PlanReport(readers=len(plans), digests=new, deliveries=saved, keys=keys)


def _released(
    ctx: Context, person: Subscriber, endpoint: Endpoint, planned: Planned, now: datetime, leaves_at: datetime | None
) -> dict[str, Any]:
    """The outbox row of a message that leaves now, or of one that is made ahead: its date is when it is released."""
    if leaves_at is None:
        return delivery_row(ctx, person, endpoint, planned, now)
    row = delivery_row(ctx, person, endpoint, planned, leaves_at)
    return row | {"created_at": now, "dated_at": row["due_at"]}


async def _advance(tx: Transaction, plans: Mapping[int, Plan], release: int) -> None:
    read = [
        {"subscription_id": f.subscription_id, "upto": release, "at": at, "looked": f.look_at}
        for made in plans.values()
        for f, at in made.read
    ]
    moved = [
        {"schedule_id": due.schedule_id, "was_due": due.next_due_at, "next_due": next_due, "last_due": last_due}
        for made in plans.values()
        for due, next_due, last_due in made.moved
    ]
    await planning.advance_subscriptions(tx, read)
    await planning.advance_schedules(tx, moved)


def decided(ctx: Context, batch: Batch, reader_id: int, now: datetime) -> Plan:
    """What one reader of a batch gets, of all their newsletters."""
    policies = partial(policy, ctx)
    return decide_each(batch.readers[reader_id], batch.candidates, now, policies, batch.taken[reader_id])


def policy(ctx: Context, newsletter_id: int = 0) -> Policy:
    """The publisher's choices for a newsletter, as planning wants them."""
    chosen = style(ctx, newsletter_id)
    return Policy(max_articles=chosen.max_articles or 1, order=chosen.order or Order.NEWEST)


def digest_row(ctx: Context, person: Subscriber, planned: Planned, now: datetime) -> dict[str, Any]:
    """The digest that a planned message shows; the same for every reader who would see the same."""
    items = _items(planned.picks)
    letter = ctx.letter(planned.newsletter_id)
    is_story = planned.cadence.is_instant and len(items) == 1
    layout = "" if is_story else person.layout or style(ctx, planned.newsletter_id).layout or ""
    return compose.identity(
        items,
        newsletter_id=letter.id or 0,
        kind=DeliveryKind.ALERT if is_story else DeliveryKind.DIGEST,
        locale=ctx.locale_of(person, letter),
        zone=person.timezone,
        cadence=str(planned.cadence),
        slot_at=planned.slot_at,
        more=planned.more,
        rest=_items((*planned.over, *planned.over_topic)[:MOST_REST]),
        layout=layout,
        styles=sections(
            ctx,
            (p.label for p in planned.picks),
            planned.styles,
            layout=layout,
            is_readers=bool(person.layout),
            newsletter_id=planned.newsletter_id,
        ),
        look=f"{ctx.templates.version}:{ctx.settings.digest.summary_length}:{letter.model_dump_json()}",
        now=now,
    )


def _items(picks: Iterable[Pick]) -> list[compose.Item]:
    return [(p.candidate.article_id, p.candidate.version, p.candidate.cluster_id, p.label, p.others) for p in picks]


def delivery_row(
    ctx: Context, person: Subscriber, endpoint: Endpoint, planned: Planned, now: datetime
) -> dict[str, Any]:
    """The outbox row of a planned message to one endpoint."""
    instant = planned.cadence.is_instant
    kind = DeliveryKind.ALERT if instant else DeliveryKind.DIGEST
    letter = ctx.letter(planned.newsletter_id)
    key = key_of(letter.id or 0, kind, endpoint, planned.slot)
    lifetime = lifetime_of(kind) if instant else cadences.expiry(planned.cadence)
    quiet = Quiet.of(person)
    return {
        "key": key,
        "kind": kind,
        "priority": priority_of(kind),
        "status": DeliveryStatus.QUEUED,
        "newsletter_id": letter.id,
        "subscriber_id": person.id,
        "endpoint_id": endpoint.id,
        "channel": endpoint.channel,
        "recipient": endpoint.address,
        "address_hash": endpoint.address_hash,
        "personal": {
            "name": person.name,
            "email": endpoint.address,
            "topics": list(planned.labels),
            "cadence": str(planned.cadence),
        },
        "slot_at": planned.slot_at,
        "due_at": now if instant else _spread(person, endpoint, ctx.settings.schedule.send_spread, now),
        "expires_at": release_at(planned.slot_at, person.timezone, *quiet) + lifetime,
        "created_at": now,
        "message_id": message_id(key, ctx.site_key, ctx.addresses(letter.id).domain),
        "attempts": 0,
        "code": 0,
        "reason": "",
    }


def _spread(person: Subscriber, endpoint: Endpoint, width: timedelta, now: datetime) -> datetime:
    """When in the spread a delivery leaves: for one address always at the same place, even over many; at once rather
    than in the reader's quiet time."""
    place = int.from_bytes(hashlib.sha256(endpoint.address_hash.encode()).digest()[:4]) / 2**32
    due_at = now + width * place
    return due_at if release_at(due_at, person.timezone, *Quiet.of(person)) <= due_at else now
