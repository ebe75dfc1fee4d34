"""Step 3, send: claimed deliveries → the way out → outcomes.

    recover ▷ claim ▷ load (what they share) ▷ still wanted? ▷ attempt ▷ ledger

The outbox has lanes that never wait for each other: mail here, webhooks in `tell`. A claim is a lease of 30 seconds
that a heartbeat renews. Before each attempt the sender asks the database whether the reader still wants it, and
checks, by the monotonic clock, that it still holds the lease. While the database refuses, sending pauses: what was
not begun is given back, what was begun waits in the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from functools import partial

from dispatcher.errors import StoreError
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryStatus, OutcomeKind
from dispatcher.observability.logs import logger
from dispatcher.pipeline.carrier import Carrier, Tried, words_for
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.lease import Lease, leased
from dispatcher.pipeline.ledger import Ledger
from dispatcher.pipeline.mail import Mail
from dispatcher.pipeline.tidings import tell_expired, tell_outcomes
from dispatcher.store import instances, outbox
from dispatcher.store.outbox import Claim, Lane, Verdict

log = logger("send")

POISON = timedelta(hours=1)


@dataclass(slots=True)
class SendReport:
    """What a send did, by outcome."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    held: int = 0
    expired: int = 0
    suppressed: int = 0
    recovered: int = 0

    def count(self, status: DeliveryStatus) -> None:
        """Count one delivery."""
        setattr(self, status.value, getattr(self, status.value) + 1)

    def __add__(self, other: SendReport) -> SendReport:
        return SendReport(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


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
            taken = await outbox.recover(tx, now, dead=ids, hold_uncertain=hold)
            await instances.remove(tx, ids)
    finally:
        for lock in dead:
            await lock.drop()
    return _noted(taken)


async def work_off(ctx: Context, carrier: Carrier, now: datetime, *, limit: int | None = None) -> SendReport:
    """Send what is due in a carrier's lane; nobody else of this process may be at it. See `send`."""
    report = SendReport(recovered=await _take_back(ctx, carrier.lane, now))
    ledger = Ledger(ctx.store, ctx.instance.instance_id, partial(tell_outcomes, ctx))
    started = time.monotonic()
    async with leased(ctx, carrier.lane) as lease:
        shift = _Shift(ctx, carrier, now, ledger, lease, report)
        left = limit
        while not ctx.stopping.is_set() and (left is None or left > 0):
            # one pass at one `now`: a pass that takes long must not call deferred mail back before its time
            batch = ctx.settings.send.batch if left is None else min(left, ctx.settings.send.batch)
            claim = await shift.claim(batch)
            if claim.is_empty:
                break
            left = None if left is None else left - len(claim.deliveries)
            if not await shift.send(claim.deliveries):
                break
    if report.sent or report.failed:
        log.info("sent", lane=carrier.lane.webhook or "mail", sent=report.sent, deferred=report.deferred,
                 failed=report.failed, seconds=round(time.monotonic() - started, 1))  # fmt: skip
    return report


async def _take_back(ctx: Context, lane: Lane, now: datetime) -> int:
    """What an earlier one of this process left behind in its lane, and what lapsed there."""
    hold = ctx.settings.send.on_uncertain == "hold"
    async with ctx.store.write() as tx:
        return _noted(await outbox.recover(tx, now, dead=[ctx.instance.instance_id], hold_uncertain=hold, lane=lane))


def _noted(taken: int) -> int:
    if taken:
        log.warning("took back what nobody worked on any more", deliveries=taken)
    return taken


@dataclass(frozen=True, slots=True)
class _Shift:
    """Everything that one send works with."""

    ctx: Context
    carrier: Carrier
    now: datetime
    ledger: Ledger
    lease: Lease
    report: SendReport

    async def claim(self, limit: int) -> Claim:
        """Claim the next ones; end those too late or not wanted."""
        since = time.monotonic()
        async with self.ctx.store.write() as tx:
            claim = await outbox.claim(tx, self.ctx.instance.instance_id, self.now, limit=limit, lane=self.carrier.lane)
            await tell_expired(self.ctx, tx, claim.expired, self.now)
        self.lease.renew(since)
        self.report.expired += len(claim.expired)
        self.report.suppressed += claim.suppressed
        return claim

    async def send(self, claimed: Sequence[Delivery]) -> bool:
        """Send one claim. False when it had to stop early; what was not begun is then given back."""
        ctx, waiting = self.ctx, list(reversed(claimed))
        try:
            await self.carrier.load(claimed)
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.carrier.at_once, len(claimed))):
                    group.create_task(self._work(waiting))
        finally:
            if waiting:
                async with ctx.store.write() as tx:
                    await outbox.release(tx, ctx.instance.instance_id, [d.id or 0 for d in waiting])
        return not waiting

    async def _work(self, waiting: list[Delivery]) -> None:
        """Take one after the other until none is left, or something says that the rest had better wait."""
        while waiting and not self.ctx.stopping.is_set():
            delivery = waiting.pop()
            try:
                goes_on = await self._send_one(delivery)
            except StoreError as error:  # before anything went out: afterwards the ledger waits for the database
                log.error("the database refuses; sending pauses", reason=str(error), delivery_id=delivery.id)
                waiting.append(delivery)
                return
            except Exception as error:
                await self._set_aside(delivery, error)
            else:
                if not goes_on:
                    return

    async def _send_one(self, delivery: Delivery) -> bool:
        """From the last look to the ledger. False when the way out is blocked."""
        tried = await self.carrier.attempt(delivery, self.now, partial(self._is_wanted, delivery))
        if tried is None:
            return True
        await self.ledger.commit(_verdict(delivery, tried), self.now, tried.strike, delivery)
        decision = tried.decision
        self.report.count(decision.status)
        if decision.status in (DeliveryStatus.FAILED, DeliveryStatus.HELD):
            log.warning("not delivered", delivery_id=delivery.id, status=decision.status, reason=decision.reason)
        return tried.goes_on

    async def _is_wanted(self, delivery: Delivery) -> bool:
        """The last look: ours, not suppressed, its reader still there. Marks the hand-over where that is asked for."""
        ctx, me, delivery_id = self.ctx, self.ctx.instance.instance_id, delivery.id or 0
        async with ctx.store.read() as tx:
            wanted = await outbox.is_wanted(tx, delivery_id, me)
        if wanted and self.carrier.holds_uncertain:
            async with ctx.store.write() as tx:
                wanted = await outbox.mark_handed_over(tx, delivery_id, me, self.now)
        if not wanted:
            async with ctx.store.write() as tx:
                self.report.suppressed += await outbox.suppress(tx, self.now, among=[delivery_id], claimed_by=me)
        if wanted and not self.lease.holds:
            raise StoreError("our lease could not be renewed in time")
        return wanted

    async def _set_aside(self, delivery: Delivery, error: Exception) -> None:
        """A poisoned row is pushed ahead, told about, and the others go on."""
        log.error("a delivery failed on our side and was set aside", delivery_id=delivery.id, exc_info=error)
        status, text = DeliveryStatus.DEFERRED, words_for(error)
        verdict = Verdict(delivery.id or 0, status, self.now + POISON, OutcomeKind.DEFERRED, 0, "", text, "", text)
        try:
            await self.ledger.commit(verdict, self.now)
        except Exception:
            log.exception("nor could it be set aside: it waits for its lease to lapse", delivery_id=delivery.id)
            return
        self.report.count(status)


def _verdict(delivery: Delivery, tried: Tried) -> Verdict:
    outcome, decision = tried.outcome, tried.decision
    return Verdict(
        delivery_id=delivery.id or 0,
        status=decision.status,
        due_at=decision.retry_at,
        outcome=outcome.kind,
        code=outcome.code,
        enhanced=outcome.enhanced,
        text=outcome.text[:1000],
        relay=outcome.relay,
        reason="" if decision.status == DeliveryStatus.SENT else decision.reason[:1000],
        counts=decision.counts,
    )
