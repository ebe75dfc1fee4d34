"""Step 3, send: claimed deliveries → the way out → outcomes.

    recover ▷ a shift (claim ▷ load what they share ▷ still wanted? ▷ attempt ▷ ledger) until nothing is due

The outbox has lanes that never wait for each other: mail here, webhooks in `tell`. A claim is a lease of 30 seconds
that a heartbeat renews; what dead processes had claimed is taken back first.
"""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial

from dispatcher.observability.logs import logger
from dispatcher.pipeline import safety
from dispatcher.pipeline.carrier import Carrier
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.hooks import is_wanted
from dispatcher.pipeline.lease import leased
from dispatcher.pipeline.ledger import Ledger
from dispatcher.pipeline.mail import Mail
from dispatcher.pipeline.send_report import SendReport
from dispatcher.pipeline.shift import Shift
from dispatcher.pipeline.tidings import OF_MAIL, tell_outcomes
from dispatcher.store import claims, instances
from dispatcher.store.lanes import Lane

__all__ = ["SendReport", "recover", "send", "work_off"]

log = logger("send")


async def send(ctx: Context, now: datetime, *, limit: int | None = None) -> SendReport:
    """Send the mail that is due, the most urgent first, until nothing is left, `limit` is reached, or it must pause.

    One at a time for each context: what is claimed under its name when this begins, an earlier one left behind.
    StoreError when the database refuses; nothing is lost by that.
    """
    recovered = await recover(ctx, now)
    report = await work_off(ctx, Mail(ctx), now, limit=limit)
    report.recovered += recovered
    return report


async def recover(ctx: Context, now: datetime) -> int:
    """Take back, in every lane, what nobody works on: claims of the dead, and claims that lapsed."""
    await instances.keep(ctx.instance)
    dead = await instances.dead(ctx.store, but=ctx.instance.instance_id)
    hold = ctx.settings.send.on_uncertain == "hold"
    try:
        async with ctx.store.write() as tx:
            ids = [lock.instance_id for lock in dead]
            taken = await claims.recover(tx, now, dead=ids, hold_uncertain=hold)
            await instances.remove(tx, ids)
    finally:
        for lock in dead:
            await lock.drop()
    return _noted(taken)


async def work_off(ctx: Context, carrier: Carrier, now: datetime, *, limit: int | None = None) -> SendReport:
    """Send what is due in a carrier's lane; nobody else of this process may be at it. See `send`."""
    report = SendReport(recovered=await _take_back(ctx, carrier.lane, now))
    tidings = partial(tell_outcomes, ctx) if is_wanted(ctx, *OF_MAIL) else None
    ledger = Ledger(ctx.store, ctx.instance.instance_id, tidings, marks=carrier.holds_uncertain, tally=safety.tally)
    started = time.monotonic()
    async with leased(ctx, carrier.lane) as lease:
        try:
            await Shift(ctx, carrier, now, ledger, lease, report, limit).work()
        finally:
            await ledger.close()
    report.suppressed += ledger.suppressed
    if report.sent or report.failed:
        log.info("sent", lane=carrier.lane.webhook or "mail", sent=report.sent, deferred=report.deferred,
                 failed=report.failed, seconds=round(time.monotonic() - started, 1))  # fmt: skip
    return report


async def _take_back(ctx: Context, lane: Lane, now: datetime) -> int:
    """What an earlier one of this process left behind in its lane, and what lapsed there."""
    hold = ctx.settings.send.on_uncertain == "hold"
    async with ctx.store.write() as tx:
        return _noted(await claims.recover(tx, now, dead=[ctx.instance.instance_id], hold_uncertain=hold, lane=lane))


def _noted(taken: int) -> int:
    if taken:
        log.warning("took back what nobody worked on any more", deliveries=taken)
    return taken
