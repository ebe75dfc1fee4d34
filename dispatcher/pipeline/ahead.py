"""Planning ahead: the digests of slots that are yet to come, queued to leave at their slot and not before.

    next slot ▷ its readers ▷ lock ▷ load ▷ decide (pure: schedule.foresight) ▷ save

Everything is decided as it would be at the slot itself, with the articles known now: the cut. What comes after it goes
into the next digest. Who has nothing yet is planned at the slot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from dispatcher.observability.logs import logger
from dispatcher.pipeline.batch import load
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.plan import PlanReport, decided, save
from dispatcher.pipeline.quarantine import apart
from dispatcher.schedule.foresight import certain, is_foreseeable
from dispatcher.store import Transaction, planning, subscribers

log = logger("presign")

BATCH = 200  # readers in one transaction


class Horizon:
    """The slot up to which this process has looked ahead; None before it ever did."""

    def __init__(self, _ctx: Context) -> None:
        self.at: datetime | None = None


async def plan_ahead(ctx: Context, now: datetime, until: datetime) -> AsyncIterator[PlanReport]:
    """Plan the digests due in (now, until] that were not looked at yet: a report of each batch, with its `keys`.

    Each slot is looked at once by a process, the earliest first; what keeps it from that makes it look again.
    """
    horizon = ctx.kept(Horizon)
    at = max(now, horizon.at or now)
    while not ctx.stopping.is_set():
        async with ctx.store.read() as tx:
            slot_at = await planning.next_slot(tx, after=at, until=until)
        if slot_at is None:
            horizon.at = until
            return
        async for report in _plan_slot(ctx, slot_at, now):
            yield report
        at = horizon.at = slot_at


async def _plan_slot(ctx: Context, slot_at: datetime, now: datetime) -> AsyncIterator[PlanReport]:
    last = 0
    while not ctx.stopping.is_set():
        async with ctx.store.read() as tx:
            ids = await planning.readers_of_slot(tx, slot_at, after_id=last, limit=BATCH)
        if not ids:
            return
        last = ids[-1]
        yield await _plan_safely(ctx, ids, slot_at, now)


async def _plan_safely(ctx: Context, ids: Sequence[int], slot_at: datetime, now: datetime) -> PlanReport:
    """Plan readers together. One who cannot be planned is left to `plan`, which sets them aside."""
    report = PlanReport()

    async def work(some: Sequence[int]) -> None:
        async with ctx.store.write() as tx:
            done = await _plan_batch(ctx, tx, some, slot_at, now)
        report.add(done)

    async def leave(subscriber_id: int, error: Exception) -> None:
        log.warning("a reader could not be planned ahead", subscriber_id=subscriber_id, exc_info=error)
        report.failed += 1

    await apart(ids, work, leave)
    return report


async def _plan_batch(
    ctx: Context, tx: Transaction, ids: Sequence[int], slot_at: datetime, now: datetime
) -> PlanReport:
    people = await planning.lock_readers(tx, ids)
    rows = await subscribers.schedules(tx, [person.id or 0 for person in people])
    at_home = [
        person
        for person in people
        if all(row.timezone == person.timezone for row in rows.get(person.id or 0, ()) if row.next_due_at)
    ]
    batch = await load(ctx, tx, at_home, slot_at)
    plans = {
        reader_id: certain(decided(ctx, batch, reader_id, slot_at))
        for reader_id, reader in batch.readers.items()
        if is_foreseeable(reader, slot_at)
    }
    filled = {reader_id: made for reader_id, made in plans.items() if made.planned}
    return await save(ctx, tx, batch, filled, now, leaves_at=slot_at)
