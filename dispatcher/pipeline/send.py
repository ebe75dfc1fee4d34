"""Step 3, send: claimed deliveries → the wire → outcomes.

    recover ▷ claim ▷ fragments (rendered once per digest) ▷ still wanted? ▷ assemble ▷ transport ▷ ledger

A claim is a lease of 30 seconds that a heartbeat renews. Before each transaction the sender asks the database whether
the reader still wants the mail, and checks, by the monotonic clock, that it still holds the lease. While the database
refuses, sending pauses: what was not begun is given back, what was begun waits in the ledger.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.digest import compose
from dispatcher.digest.addresses import AddressError
from dispatcher.digest.render import fit
from dispatcher.digest.wire import Envelope, Wire, assemble
from dispatcher.digest.wire import compile as compile_wire
from dispatcher.errors import DispatcherError, StoreError, TemplateError
from dispatcher.model.outbound import Delivery, Digest, Personal
from dispatcher.model.values import Blame, DeliveryStatus, Outcome, OutcomeKind
from dispatcher.observability.logs import logger
from dispatcher.outbox.retry import Decision, decide
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ledger import Ledger, Strike
from dispatcher.pipeline.links import links_of, list_headers
from dispatcher.store import articles, instances, outbox
from dispatcher.store.outbox import Verdict
from dispatcher.tokens import Keyring

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
    """Send what is due, the most urgent first, until nothing is left, `limit` is reached, or sending must pause.

    One at a time for each context: what is claimed under its name when this begins, an earlier one left behind.
    StoreError when the database refuses; nothing is lost by that.
    """
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
            if not await _send_batch(ctx, claim.deliveries, now, ledger, lease, report):
                break
    if report.sent or report.failed:
        log.info("sent", sent=report.sent, deferred=report.deferred, failed=report.failed,
                 seconds=round(time.monotonic() - started, 1))  # fmt: skip
    return report


async def recover(ctx: Context, now: datetime) -> int:
    """Take back what nobody works on: claims of the dead, claims that lapsed, and what an earlier send left behind."""
    await instances.keep(ctx.instance)
    dead = await instances.dead(ctx.store, but=ctx.instance.instance_id)
    hold = ctx.settings.send.on_uncertain == "hold"
    try:
        async with ctx.store.write() as tx:
            ids = [lock.instance_id for lock in dead]
            taken = await outbox.recover(tx, now, dead=[*ids, ctx.instance.instance_id], hold_uncertain=hold)
            await instances.remove(tx, ids)
    finally:
        for lock in dead:
            await lock.drop()
    if taken:
        log.warning("took back what nobody worked on any more", deliveries=taken)
    return taken


@asynccontextmanager
async def _heartbeat(ctx: Context, lease: Lease) -> AsyncIterator[None]:
    """Renew the lease while the body runs. A database that refuses lets it lapse, and sending pauses."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            since = time.monotonic()
            try:
                async with ctx.store.write() as tx:
                    await outbox.renew(tx, ctx.instance.instance_id)
                lease.renew(since)
            except Exception as error:
                log.warning("the lease could not be renewed", reason=str(error))

    task = asyncio.create_task(beat(), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _send_batch(
    ctx: Context, claimed: Sequence[Delivery], now: datetime, ledger: Ledger, lease: Lease, report: SendReport
) -> bool:
    """Send one claim over all connections. False when it had to stop early; what was not begun is then given back."""
    waiting = list(reversed(claimed))

    async def work(wires: Mapping[int, Wire | Exception]) -> None:
        while waiting and not ctx.stopping.is_set():
            delivery = waiting.pop()
            try:
                goes_on = await _send_one(ctx, delivery, wires.get(delivery.digest_id or 0), now, ledger, lease, report)
            except StoreError as error:  # before anything went out: afterwards the ledger waits for the database
                log.error("the database refuses; sending pauses", reason=str(error), delivery_id=delivery.id)
                waiting.append(delivery)
                return
            except Exception as error:
                await _set_aside(delivery, error, now, ledger, report)
            else:
                if not goes_on:
                    return

    try:
        wires = await wires_of(ctx, [d.digest_id for d in claimed if d.digest_id is not None])
        async with asyncio.TaskGroup() as group:
            for _ in range(min(ctx.transport.max_connections, len(claimed))):
                group.create_task(work(wires))
    finally:
        if waiting:
            async with ctx.store.write() as tx:
                await outbox.release(tx, ctx.instance.instance_id, [d.id or 0 for d in waiting])
    return not waiting


async def _set_aside(delivery: Delivery, error: Exception, now: datetime, ledger: Ledger, report: SendReport) -> None:
    """A poisoned row is pushed ahead, told about, and the others go on."""
    log.error("a delivery failed on our side and was set aside", delivery_id=delivery.id, exc_info=error)
    status, text = DeliveryStatus.DEFERRED, _words(error)
    verdict = Verdict(delivery.id or 0, status, now + POISON, OutcomeKind.DEFERRED, 0, "", text, "", text)
    try:
        await ledger.commit(verdict, now)
    except Exception:
        log.exception("nor could it be set aside: it waits for its lease to lapse", delivery_id=delivery.id)
        return
    _count(report, status)


def _words(error: Exception) -> str:
    """An unexpected error as every database can keep it."""
    text = f"internal error: {type(error).__name__}: {error}"[:1000].replace("\0", " ")
    return text.encode("utf-8", "backslashreplace").decode()


async def _send_one(
    ctx: Context, delivery: Delivery, wire: Wire | Exception | None, now: datetime, ledger: Ledger, lease: Lease,
    report: SendReport,
) -> bool:  # fmt: skip
    """From the last look to the ledger. False when the relay cannot be reached: one knock each is enough."""
    if not await _is_wanted(ctx, delivery, now, report):
        return True
    if not lease.holds:
        raise StoreError("our lease could not be renewed in time")
    outcome = await _attempt(ctx, delivery, wire)
    failing_since = ctx.transport.failing_since
    decision = decide(
        outcome,
        attempts=delivery.attempts + 1,
        expires_at=delivery.expires_at,
        now=now,
        on_uncertain=ctx.settings.send.on_uncertain,
        jitter=random.random(),
        failing_since=failing_since,
    )
    await ledger.commit(_verdict(delivery, outcome, decision), now, _strike(delivery, decision))
    _count(report, decision.status)
    if decision.status in (DeliveryStatus.FAILED, DeliveryStatus.HELD):
        log.warning("not delivered", delivery_id=delivery.id, status=decision.status, reason=decision.reason)
    return decision.counts or failing_since is None


def _verdict(delivery: Delivery, outcome: Outcome, decision: Decision) -> Verdict:
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


def _strike(delivery: Delivery, decision: Decision) -> Strike | None:
    if not (decision.suppress or decision.soft_bounce):
        return None
    return Strike(
        address=delivery.recipient,
        address_hash=delivery.address_hash,
        subscriber_id=delivery.subscriber_id,
        is_final=decision.suppress,
    )


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
            report.suppressed += await outbox.suppress(tx, now, among=[delivery_id], claimed_by=me)
    return wanted


async def _attempt(ctx: Context, delivery: Delivery, wire: Wire | Exception | None) -> Outcome:
    """One try. A message that cannot be made fails by itself and takes no other with it."""
    if wire is None:
        return Outcome(OutcomeKind.REJECTED, text="its digest is gone", blame=Blame.MESSAGE)
    if isinstance(wire, TemplateError):  # it can be mended before the mail is too late
        return Outcome(OutcomeKind.DEFERRED, text=str(wire), blame=Blame.MESSAGE)
    if isinstance(wire, DispatcherError):
        return Outcome(OutcomeKind.REJECTED, text=str(wire), blame=Blame.MESSAGE)
    if isinstance(wire, Exception):
        return Outcome(OutcomeKind.DEFERRED, text=_words(wire), blame=Blame.MESSAGE)
    try:
        message = assemble(wire, envelope_of(delivery, wire, ctx.keyring))
    except AddressError as error:
        blame = Blame.ADDRESS if error.enhanced.startswith("5.1.") else Blame.MESSAGE
        return Outcome(OutcomeKind.REJECTED, enhanced=error.enhanced, text=str(error), blame=blame)
    except DispatcherError as error:
        return Outcome(OutcomeKind.REJECTED, text=str(error), blame=Blame.MESSAGE)
    return await ctx.transport.send(ctx.settings.mail.sender_address, delivery.recipient, message)


def envelope_of(delivery: Delivery, wire: Wire, keyring: Keyring) -> Envelope:
    """What differs between the messages of one digest."""
    known, links = delivery.personal, links_of(delivery, wire.door, keyring)
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
        headers=list_headers(links),
        links=links,
    )


async def wires_of(ctx: Context, digest_ids: Sequence[int]) -> dict[int, Wire | Exception]:
    """The fragments of these digests, or what is wrong with one: that stops its own readers' mail and no other."""
    async with ctx.store.read() as tx:
        digests = await outbox.digests(tx, digest_ids)
    wires: dict[int, Wire | Exception] = {}
    for digest_id, digest in digests.items():
        try:
            wires[digest_id] = await _wire_of(ctx, digest)
        except StoreError:
            raise
        except DispatcherError as error:
            log.error("a digest could not be rendered", digest_id=digest_id, reason=str(error))
            wires[digest_id] = error
        except Exception as error:
            log.exception("a digest failed on our side; its mail is set aside", digest_id=digest_id)
            wires[digest_id] = error
    return wires


async def _wire_of(ctx: Context, digest: Digest) -> Wire:
    """The fragments that are kept, or those rendered now, kept, and only then used."""
    if digest.wire is not None:
        return Wire.loads(digest.wire)
    fresh = (await render_digest(ctx, digest)).dumps()
    async with ctx.store.write() as tx:
        return Wire.loads(await outbox.keep_wire(tx, digest.id or 0, fresh))


async def render_digest(ctx: Context, digest: Digest) -> Wire:
    """A digest's wire fragments, from the articles as they are now. TemplateError if the templates are broken."""
    ids = [item[0] for item in digest.items]
    async with ctx.store.read() as tx:
        found, names = await articles.by_ids(tx, ids), await articles.source_names(tx, ids)
    content = compose.content(digest, found, names, summary_length=ctx.settings.digest.summary_length)
    if not (content.stories or content.letter):
        raise DispatcherError("every article of this digest is gone")
    return compile_wire(fit(content, ctx.newsletter, ctx.templates), ctx.newsletter, content, ctx.door)
