"""Step 3, send: claimed deliveries → the wire → outcomes.

    recover ▷ claim ▷ fragments (rendered once per digest) ▷ still wanted? ▷ assemble ▷ transport ▷ ledger

A claim is a lease of 30 seconds that a heartbeat renews. Before each transaction the sender checks, by the monotonic
clock, that it still holds the lease, and asks the database whether the reader still wants the mail.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.digest import compose
from dispatcher.digest.render import fit
from dispatcher.digest.wire import Envelope, Wire, assemble
from dispatcher.digest.wire import compile as compile_wire
from dispatcher.errors import DispatcherError, StoreError
from dispatcher.model.outbound import Delivery, Digest, Personal
from dispatcher.model.values import Blame, DeliveryStatus, Outcome, OutcomeKind
from dispatcher.observability.logs import logger
from dispatcher.outbox.retry import decide
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ledger import Ledger, Strike
from dispatcher.store import articles, instances, outbox
from dispatcher.store.outbox import Verdict

log = logger("send")

HEARTBEAT = 10.0  # seconds; a lease is 30
POISON = timedelta(hours=1)
MARGIN = 8.0  # seconds before the end of a lease in which no transaction is begun


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


class Lease:
    """When, by the monotonic clock, this process must stop believing that its claims are its own."""

    def __init__(self) -> None:
        self.renew(time.monotonic())

    def renew(self, since: float) -> None:
        """A claim or heartbeat that was begun at `since` succeeded."""
        self._until = since + outbox.LEASE.total_seconds() - MARGIN

    @property
    def holds(self) -> bool:
        """Whether a transaction may be begun."""
        return time.monotonic() < self._until


async def send(ctx: Context, now: datetime, *, limit: int | None = None) -> SendReport:
    """Send what is due, the most urgent first, until nothing is left, `limit` is reached or we are told to stop."""
    report = SendReport(recovered=await recover(ctx, now))
    ledger, lease = Ledger(ctx.store, ctx.instance.instance_id), Lease()
    started = time.monotonic()
    async with _heartbeat(ctx, lease):
        left = limit
        while not ctx.stopping.is_set() and (left is None or left > 0):
            # one pass at one `now`: a pass that takes long must not call deferred mail back before its time
            batch = ctx.settings.send.batch if left is None else min(left, ctx.settings.send.batch)
            since = time.monotonic()
            async with ctx.store.write() as tx:
                claim = await outbox.claim(tx, ctx.instance.instance_id, now, limit=batch)
            report.expired += claim.expired
            report.suppressed += claim.suppressed
            if claim.is_empty:
                break
            lease.renew(since)
            left = None if left is None else left - len(claim.deliveries)
            if claim.deliveries:
                await _send_batch(ctx, claim.deliveries, now, ledger, lease, report)
    if report.sent or report.failed:
        log.info("sent", sent=report.sent, deferred=report.deferred, failed=report.failed,
                 seconds=round(time.monotonic() - started, 1))  # fmt: skip
    return report


async def recover(ctx: Context, now: datetime) -> int:
    """Take back what dead processes had claimed, and what lapsed."""
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
    if taken:
        log.warning("took back what a dead process had claimed", deliveries=taken)
    return taken


@asynccontextmanager
async def _heartbeat(ctx: Context, lease: Lease) -> AsyncIterator[None]:
    """Renew the lease while the body runs. A database that refuses lets it lapse, and sending pauses."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            since = time.monotonic()
            with suppress(StoreError):
                async with ctx.store.write() as tx:
                    await outbox.renew(tx, ctx.instance.instance_id)
                lease.renew(since)

    task = asyncio.create_task(beat(), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _send_batch(
    ctx: Context, claimed: Sequence[Delivery], now: datetime, ledger: Ledger, lease: Lease, report: SendReport
) -> None:
    """Send one claim over all connections; what was not begun when we are told to stop is given back."""
    waiting = list(reversed(claimed))
    try:
        wires = await wires_of(ctx, [d.digest_id for d in claimed if d.digest_id is not None])

        async def work() -> None:
            while waiting and not ctx.stopping.is_set():
                delivery = waiting.pop()
                wire = wires.get(delivery.digest_id or 0)
                try:
                    await _send_one(ctx, delivery, wire, now, ledger, lease, report)
                except Exception as error:
                    await _set_aside(delivery, error, now, ledger, report)
                if ctx.transport.failing_since is not None:
                    return  # one knock each is enough at a door that does not open; the rest is given back

        async with asyncio.TaskGroup() as group:
            for _ in range(min(ctx.transport.max_connections, len(claimed))):
                group.create_task(work())
    finally:
        if waiting:
            async with ctx.store.write() as tx:
                await outbox.release(tx, ctx.instance.instance_id, [d.id or 0 for d in waiting])


async def _set_aside(delivery: Delivery, error: Exception, now: datetime, ledger: Ledger, report: SendReport) -> None:
    """A poisoned row is pushed ahead, told about, and the others go on."""
    log.error("a delivery failed on our side and was set aside", delivery_id=delivery.id, exc_info=error)
    text = f"internal error: {type(error).__name__}: {error}"[:1000]
    status = DeliveryStatus.DEFERRED
    await ledger.commit(
        Verdict(delivery.id or 0, status, now + POISON, OutcomeKind.DEFERRED, 0, "", text, "", text), now
    )
    _count(report, status)


async def _send_one(
    ctx: Context, delivery: Delivery, wire: Wire | DispatcherError | None, now: datetime, ledger: Ledger,
    lease: Lease, report: SendReport,
) -> None:  # fmt: skip
    if not lease.holds or not await _is_wanted(ctx, delivery, now, report):
        return
    outcome = await _attempt(ctx, delivery, wire)
    decision = decide(
        outcome,
        attempts=delivery.attempts + 1,
        expires_at=delivery.expires_at,
        now=now,
        on_uncertain=ctx.settings.send.on_uncertain,
        jitter=random.random(),
        failing_since=ctx.transport.failing_since,
    )
    verdict = Verdict(
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
    strike = None
    if decision.suppress or decision.soft_bounce:
        strike = Strike(
            address=delivery.recipient,
            address_hash=delivery.address_hash,
            subscriber_id=delivery.subscriber_id,
            is_final=decision.suppress,
        )
    await ledger.commit(verdict, now, strike)
    _count(report, decision.status)
    if decision.status in (DeliveryStatus.FAILED, DeliveryStatus.HELD):
        log.warning("not delivered", delivery_id=delivery.id, status=decision.status, reason=decision.reason)


def _count(report: SendReport, status: DeliveryStatus) -> None:
    setattr(report, status.value, getattr(report, status.value) + 1)


async def _is_wanted(ctx: Context, delivery: Delivery, now: datetime, report: SendReport) -> bool:
    """The last look before the wire: ours, not suppressed, its reader still there. Marks the hand-over if asked to."""
    me, delivery_id = ctx.instance.instance_id, delivery.id or 0
    async with ctx.store.read() as tx:
        wanted = await outbox.is_wanted(tx, delivery_id, me)
    if wanted and ctx.settings.send.on_uncertain == "hold":
        async with ctx.store.write() as tx:
            wanted = await outbox.mark_handed_over(tx, delivery_id, me, now)
    if not wanted:
        async with ctx.store.write() as tx:
            report.suppressed += await outbox.suppress(tx, now, among=[delivery_id], claimed=True)
    return wanted


async def _attempt(ctx: Context, delivery: Delivery, wire: Wire | DispatcherError | None) -> Outcome:
    """One try. A message that cannot be made fails by itself and takes no other with it."""
    if not isinstance(wire, Wire):
        return Outcome(OutcomeKind.REJECTED, text=str(wire or "its digest is gone"), blame=Blame.MESSAGE)
    try:
        message = assemble(wire, envelope_of(delivery))
    except DispatcherError as error:
        return Outcome(OutcomeKind.REJECTED, text=str(error), blame=Blame.MESSAGE)
    return await ctx.transport.send(ctx.settings.mail.sender_address, delivery.recipient, message)


def envelope_of(delivery: Delivery) -> Envelope:
    """What differs between the messages of one digest."""
    known = delivery.personal
    return Envelope(
        recipient=delivery.recipient,
        personal=Personal(
            name=known.get("name", ""),
            email=known.get("email", ""),
            topics=tuple(known.get("topics", ())),
            cadence=known.get("cadence", ""),
        ),
        message_id=delivery.message_id,
        dated_at=delivery.dated_at or delivery.created_at,
    )


async def wires_of(ctx: Context, digest_ids: Sequence[int]) -> dict[int, Wire | DispatcherError]:
    """The fragments of these digests: those that are kept, and the others rendered, kept, and only then used."""
    async with ctx.store.read() as tx:
        digests = await outbox.digests(tx, digest_ids)
    wires: dict[int, Wire | DispatcherError] = {}
    for digest_id, digest in digests.items():
        if digest.wire is not None:
            wires[digest_id] = Wire.loads(digest.wire)
            continue
        try:
            fresh = (await render_digest(ctx, digest)).dumps()
        except DispatcherError as error:
            log.error("a digest could not be rendered", digest_id=digest_id, reason=str(error))
            wires[digest_id] = error
            continue
        async with ctx.store.write() as tx:
            wires[digest_id] = Wire.loads(await outbox.keep_wire(tx, digest_id, fresh))
    return wires


async def render_digest(ctx: Context, digest: Digest) -> Wire:
    """A digest's wire fragments, from the articles as they are now. TemplateError if the templates are broken."""
    ids = [item[0] for item in digest.items]
    async with ctx.store.read() as tx:
        found, names = await articles.by_ids(tx, ids), await articles.source_names(tx, ids)
    content = compose.content(digest, found, names, summary_length=ctx.settings.digest.summary_length)
    return compile_wire(fit(content, ctx.newsletter, ctx.templates), ctx.newsletter, content)
