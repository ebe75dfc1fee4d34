"""Step 2½, presign: digests are planned, rendered and signed before their slot, so that at the slot they only leave.

    plan ahead ▷ load (what they share, rendered and kept) ▷ assemble ▷ sign ▷ keep the signature with the delivery

The message is the one that will leave: its Date is the instant it is released at. If anything about it changes before
then, the signature made ahead does not fit it any more, and it is signed when it leaves (`signing.signed`). Whoever
leaves meanwhile gets nothing: that is asked when it is claimed and once more before it goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dispatcher.digest.assembly import assemble
from dispatcher.digest.wire import Wire
from dispatcher.errors import DispatcherError
from dispatcher.model.outbound import Delivery
from dispatcher.observability.logs import logger
from dispatcher.pipeline.ahead import Horizon, plan_ahead
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.signing import sealed
from dispatcher.pipeline.wires import envelope_of, load
from dispatcher.store import signatures

log = logger("presign")

BATCH = 100  # messages in memory at the same time


@dataclass(slots=True)
class PresignReport:
    """What was made ahead of its time. `failed` is left to the slot itself."""

    readers: int = 0
    digests: int = 0
    deliveries: int = 0
    signed: int = 0
    failed: int = 0


async def presign(ctx: Context, now: datetime) -> PresignReport:
    """Make what is due within `send.presign`, and sign it. What another process signs meanwhile stays as it is."""
    report = PresignReport()
    width = ctx.settings.send.presign
    if not width:
        return report
    if ctx.kept(Horizon).at is None:
        await _take_up(ctx, now, now + width, report)
    async for planned in plan_ahead(ctx, now, now + width):
        report.readers += planned.readers
        report.digests += planned.digests
        report.deliveries += planned.deliveries
        report.failed += planned.failed
        for start in range(0, len(planned.keys), BATCH):
            async with ctx.store.read() as tx:
                found = await signatures.unsigned(tx, planned.keys[start : start + BATCH])
            await _sign(ctx, found, report)
    return report


async def _take_up(ctx: Context, now: datetime, until: datetime, report: PresignReport) -> None:
    """Sign what a process that ended had planned ahead and not yet signed."""
    after = (now, 0)
    while not ctx.stopping.is_set():
        async with ctx.store.read() as tx:
            found = await signatures.unsigned_until(tx, now, until, after=after, limit=BATCH)
        if not found:
            return
        after = (found[-1].due_at, found[-1].id or 0)
        await _sign(ctx, found, report)


async def _sign(ctx: Context, deliveries: Sequence[Delivery], report: PresignReport) -> None:
    """Sign these messages, their fragments being kept before. Others of this process have their turn in between."""
    wires = await load(ctx, sorted({d.digest_id for d in deliveries if d.digest_id is not None}))
    made: dict[int, str] = {}
    for delivery in deliveries:
        try:
            seal = _seal(ctx, delivery, wires)
        except DispatcherError as error:  # told again, and decided upon, when it is to leave
            log.warning("a message could not be signed ahead", delivery_id=delivery.id, reason=str(error))
            report.failed += 1
            continue
        if seal:
            made[delivery.id or 0] = seal
        await asyncio.sleep(0)
    async with ctx.store.write() as tx:
        await signatures.keep(tx, made)
    report.signed += len(made)


def _seal(ctx: Context, delivery: Delivery, wires: Mapping[int, Wire | Exception]) -> str:
    wire = wires.get(delivery.digest_id or 0)
    if not isinstance(wire, Wire):
        raise DispatcherError(f"its digest cannot be used: {wire}")
    message = assemble(wire, envelope_of(delivery, wire, ctx.keyring))
    dated_at = delivery.dated_at or delivery.due_at
    return sealed(ctx.signer, message, ctx.addresses(delivery.newsletter_id).domain, dated_at, by=wire.door.signed_by)
