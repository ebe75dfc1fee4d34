"""The outbox: the only writer of `Delivery.status`, always by compare-and-set.

claim ──▶ sending ──▶ settle_outcome ──▶ sent | deferred | failed | held
  │          └──────▶ release ──▶ queued        (not tried after all, or its process died)
  └─ expire, suppress, cancel: those whose time has passed or whose reader has left
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Subscriber
from dispatcher.model.feedback import Event, Suppression
from dispatcher.model.outbound import Attempt, Delivery, Digest
from dispatcher.model.values import DeliveryStatus as Status
from dispatcher.model.values import OutcomeKind, SubscriberStatus, SuppressionScope
from dispatcher.store.engine import Transaction, among, chunks, database_now, for_update, many, one, table

DELIVERY, DIGEST, ATTEMPT = table(Delivery), table(Digest), table(Attempt)
SUBSCRIBER, SUPPRESSION, EVENT = table(Subscriber), table(Suppression), table(Event)

LEASE = timedelta(seconds=30)
WAITING = (Status.QUEUED, Status.DEFERRED)
OPEN = (*WAITING, Status.SENDING, Status.HELD)

_suppressed = sa.exists().where(
    (SUPPRESSION.c.address_hash == DELIVERY.c.address_hash)
    & (
        (SUPPRESSION.c.scope == SuppressionScope.ADDRESS)
        | ((SUPPRESSION.c.newsletter_id == DELIVERY.c.newsletter_id) & (DELIVERY.c.kind != "confirmation"))
    )
)
_left = sa.exists().where(
    (SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
    & SUBSCRIBER.c.status.not_in((SubscriberStatus.ACTIVE, SubscriberStatus.PENDING))
)
_claimed = (DELIVERY.c.id == sa.bindparam("delivery_id")) & (DELIVERY.c.claimed_by == sa.bindparam("instance_id"))
_wanted = sa.select(DELIVERY.c.id).where(_claimed & (DELIVERY.c.status == Status.SENDING) & ~_suppressed & ~_left)
"""Made once, because it is asked before every message: making it takes as long as asking it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt leads to: the status to write and the words to keep with it."""

    delivery_id: int
    status: Status
    due_at: datetime | None
    outcome: OutcomeKind
    code: int
    enhanced: str
    text: str
    relay: str
    reason: str
    counts: bool = True  # False when the relay, not the message, was at fault


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim found: deliveries that are ours now, and how many it had to end instead."""

    deliveries: Sequence[Delivery] = ()
    expired: int = 0
    suppressed: int = 0

    @property
    def is_empty(self) -> bool:
        """Nothing was due at all."""
        return not (self.deliveries or self.expired or self.suppressed)


async def claim(tx: Transaction, instance_id: int, now: datetime, *, limit: int) -> Claim:
    """Take deliveries that are due, the most urgent first, for one lease; end those too late or not wanted."""
    ids = await _due(tx, now, limit)
    expired = await expire(tx, now, among=ids)
    suppressed = await suppress(tx, now, among=ids)
    lease_until = await database_now(tx) + LEASE
    first_dated = sa.func.coalesce(DELIVERY.c.dated_at, sa.literal(now, DELIVERY.c.dated_at.type))
    taken: list[int] = []
    for part in chunks(ids):
        result = await tx.execute(
            sa.update(DELIVERY)
            .where(DELIVERY.c.id.in_(part) & DELIVERY.c.status.in_(WAITING))
            .values(
                status=Status.SENDING,
                claimed_by=instance_id,
                lease_until=lease_until,
                handed_over_at=None,
                dated_at=first_dated,
            )
            .returning(DELIVERY.c.id)
        )
        taken += [row[0] for row in result]
    claimed = await among(tx, Delivery, DELIVERY.c.id, taken)
    return Claim(sorted(claimed, key=lambda d: (d.priority, d.due_at, d.id or 0)), expired, suppressed)


async def _due(tx: Transaction, now: datetime, limit: int) -> list[int]:
    """The most urgent ids; one index scan for each waiting status, because the index begins with it."""
    found: list[Any] = []
    for status in WAITING:
        due = (DELIVERY.c.status == status) & (DELIVERY.c.due_at <= now)
        query = sa.select(DELIVERY.c.priority, DELIVERY.c.due_at, DELIVERY.c.id).where(due)
        query = query.order_by(DELIVERY.c.priority, DELIVERY.c.due_at, DELIVERY.c.id).limit(limit)
        found += [tuple(row) for row in await tx.execute(for_update(tx, query))]
    return [row[2] for row in sorted(found)[:limit]]


async def is_wanted(tx: Transaction, delivery_id: int, instance_id: int) -> bool:
    """Whether a claimed delivery is still ours and its reader still wants it: asked before each transaction."""
    return (await tx.execute(_wanted, {"delivery_id": delivery_id, "instance_id": instance_id})).first() is not None


async def mark_handed_over(tx: Transaction, delivery_id: int, instance_id: int, now: datetime) -> bool:
    """Note, before it happens, that a message goes to the wire; False if it is no longer ours."""
    ours = (DELIVERY.c.id == delivery_id) & (DELIVERY.c.claimed_by == instance_id)
    mark = sa.update(DELIVERY).where(ours & (DELIVERY.c.status == Status.SENDING)).values(handed_over_at=now)
    return bool((await tx.execute(mark)).rowcount)


async def settle_outcomes(tx: Transaction, instance_id: int, verdicts: Sequence[Verdict], now: datetime) -> int:
    """Write what came of attempts, and the attempts themselves. A delivery that is no longer ours is left alone."""
    settled = 0
    for verdict in verdicts:
        final = verdict.status not in OPEN
        values: dict[str, Any] = {
            "status": verdict.status,
            "claimed_by": None,
            "lease_until": None,
            "handed_over_at": None,
            "code": verdict.code,
            "reason": verdict.reason,
            "attempts": DELIVERY.c.attempts + (1 if verdict.counts else 0),
        }
        values |= {"due_at": verdict.due_at} if verdict.due_at else {}
        values |= {"finished_at": now} if final else {}
        ours = (DELIVERY.c.id == verdict.delivery_id) & (DELIVERY.c.claimed_by == instance_id)
        mark = sa.update(DELIVERY).where(ours & (DELIVERY.c.status == Status.SENDING)).values(values)
        settled += int((await tx.execute(mark)).rowcount)
    if verdicts:
        await tx.execute(sa.insert(ATTEMPT), [_attempt(verdict, now) for verdict in verdicts])
    return settled


def _attempt(verdict: Verdict, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": verdict.delivery_id,
        "at": now,
        "outcome": verdict.outcome,
        "code": verdict.code,
        "enhanced": verdict.enhanced,
        "text": verdict.text,
        "relay": verdict.relay,
    }


async def release(tx: Transaction, instance_id: int, delivery_ids: Sequence[int]) -> None:
    """Give claimed deliveries back untried."""
    for part in chunks(list(delivery_ids)):
        ours = DELIVERY.c.id.in_(part) & (DELIVERY.c.claimed_by == instance_id) & (DELIVERY.c.status == Status.SENDING)
        back = {"status": Status.QUEUED, "claimed_by": None, "lease_until": None, "handed_over_at": None}
        await tx.execute(sa.update(DELIVERY).where(ours).values(back))


async def renew(tx: Transaction, instance_id: int) -> None:
    """The heartbeat: lengthen the lease of everything this process holds."""
    mine = (DELIVERY.c.claimed_by == instance_id) & (DELIVERY.c.status == Status.SENDING)
    await tx.execute(sa.update(DELIVERY).where(mine).values(lease_until=await database_now(tx) + LEASE))


async def recover(tx: Transaction, now: datetime, *, dead: Sequence[int] = (), hold_uncertain: bool = False) -> int:
    """Take back what dead processes had claimed: those named, and every lapsed lease. Returns how many.

    What had been handed to the wire is uncertain: held for a person if asked so, else sent again.
    """
    lapsed = DELIVERY.c.lease_until < await database_now(tx)
    orphaned = (DELIVERY.c.status == Status.SENDING) & (lapsed | DELIVERY.c.claimed_by.in_(list(dead)))
    held = 0
    if hold_uncertain:
        uncertain = orphaned & DELIVERY.c.handed_over_at.is_not(None)
        kept = {"status": Status.HELD, "claimed_by": None, "lease_until": None, "reason": "handed over, answer unknown"}
        held = int((await tx.execute(sa.update(DELIVERY).where(uncertain).values(kept))).rowcount)
    back = {"status": Status.QUEUED, "claimed_by": None, "lease_until": None, "due_at": now}
    return held + int((await tx.execute(sa.update(DELIVERY).where(orphaned).values(back))).rowcount)


async def expire(tx: Transaction, now: datetime, *, among: Sequence[int] | None = None) -> int:
    """End what is too late to be of use."""
    values = {"status": Status.EXPIRED, "finished_at": now, "reason": "too late to be of use"}
    count = 0
    for status in WAITING:
        late = (DELIVERY.c.status == status) & (DELIVERY.c.expires_at <= now)
        for part in [None] if among is None else chunks(among):
            where = late if part is None else late & DELIVERY.c.id.in_(part)
            count += int((await tx.execute(sa.update(DELIVERY).where(where).values(values))).rowcount)
    return count


async def suppress(
    tx: Transaction, now: datetime, *, among: Sequence[int] = (), subscriber_id: int | None = None,
    claimed_by: int | None = None,
) -> int:  # fmt: skip
    """End what goes to a suppressed address or to somebody who left: among these ids, or all of one person's.

    What is claimed may be on the wire: only its claimer, by naming itself in `claimed_by`, can end that.
    """
    gone = {"status": Status.SUPPRESSED, "finished_at": now, "claimed_by": None, "lease_until": None}
    mine = (DELIVERY.c.status == Status.SENDING) & (DELIVERY.c.claimed_by == claimed_by)
    open_to_it = DELIVERY.c.status.in_((*WAITING, Status.HELD)) | (mine if claimed_by is not None else sa.false())
    chosen: list[Any] = [DELIVERY.c.id.in_(part) for part in chunks(list(among))]
    if subscriber_id is not None:
        chosen.append(DELIVERY.c.subscriber_id == subscriber_id)
    count = 0
    for unwanted, reason in ((_suppressed, "the address is suppressed"), (_left, "the reader has left or paused")):
        for which in chosen:
            change = sa.update(DELIVERY).where(which & open_to_it & unwanted).values(**gone, reason=reason)
            count += int((await tx.execute(change)).rowcount)
    return count


async def requeue(tx: Transaction, ids: Sequence[int], now: datetime, expires_at: datetime) -> int:
    """Give deliveries that did not arrive another life, at an operator's word."""
    later = sa.case((DELIVERY.c.expires_at > expires_at, DELIVERY.c.expires_at), else_=expires_at)
    values = {"status": Status.QUEUED, "due_at": now, "expires_at": later, "finished_at": None, "reason": "retried"}
    return await _move(tx, ids, (Status.FAILED, Status.EXPIRED, Status.HELD, Status.DEFERRED), values)


async def cancel(tx: Transaction, ids: Sequence[int], now: datetime) -> int:
    """Withdraw deliveries that have not left."""
    values = {"status": Status.CANCELLED, "finished_at": now, "reason": "cancelled"}
    return await _move(tx, ids, (*WAITING, Status.HELD), values)


async def _move(tx: Transaction, ids: Sequence[int], before: Sequence[Status], values: dict[str, Any]) -> int:
    """Write `values` where the status still is one of those before; returns how many there were."""
    count = 0
    for part in chunks(list(ids)):
        movable = DELIVERY.c.id.in_(part) & DELIVERY.c.status.in_(before)
        count += int((await tx.execute(sa.update(DELIVERY).where(movable).values(values))).rowcount)
    return count


async def get(tx: Transaction, delivery_id: int) -> Delivery | None:
    """One delivery, or None."""
    return await one(tx, Delivery, DELIVERY.c.id == delivery_id)


async def listing(
    tx: Transaction, *, status: Status | None = None, subscriber_id: int | None = None, digest_id: int | None = None,
    limit: int | None = 50,
) -> list[Delivery]:  # fmt: skip
    """Deliveries, newest first, narrowed by what is given."""
    wanted = {"status": status, "subscriber_id": subscriber_id, "digest_id": digest_id}
    where = [DELIVERY.c[name] == value for name, value in wanted.items() if value is not None]
    return await many(tx, Delivery, *where, order=DELIVERY.c.id.desc(), limit=limit)


async def attempts(tx: Transaction, delivery_id: int) -> list[Attempt]:
    """Everything that was tried for a delivery, in order."""
    return await many(tx, Attempt, ATTEMPT.c.delivery_id == delivery_id)


async def counts(tx: Transaction) -> dict[str, int]:
    """How many deliveries stand in each status; every status is named."""
    rows = await tx.execute(sa.select(DELIVERY.c.status, sa.func.count()).group_by(DELIVERY.c.status))
    found = {str(row[0]): row[1] for row in rows}
    return {status.value: found.get(status.value, 0) for status in Status}


async def digests(tx: Transaction, ids: Sequence[int]) -> dict[int, Digest]:
    """Digests by id."""
    return {digest.id: digest for digest in await among(tx, Digest, DIGEST.c.id, ids) if digest.id is not None}


async def keep_wire(tx: Transaction, digest_id: int, wire: str) -> str:
    """Keep a digest's rendered fragments, unless another process was quicker; returns those that stand."""
    fresh = (DIGEST.c.id == digest_id) & DIGEST.c.wire.is_(None)
    await tx.execute(sa.update(DIGEST).where(fresh).values(wire=wire))
    return str((await tx.execute(sa.select(DIGEST.c.wire).where(DIGEST.c.id == digest_id))).scalar_one())


async def drop_wires(tx: Transaction) -> int:
    """Forget the fragments of digests whose last delivery is done."""
    pending = sa.select(DELIVERY.c.digest_id).where(DELIVERY.c.status.in_(OPEN))
    idle = DIGEST.c.wire.is_not(None) & DIGEST.c.id.not_in(pending.where(DELIVERY.c.digest_id.is_not(None)))
    return int((await tx.execute(sa.update(DIGEST).where(idle).values(wire=None))).rowcount)


async def prune(tx: Transaction, *, deliveries_before: datetime, attempts_before: datetime) -> int:
    """Delete finished deliveries, digests and attempts older than their retention. Returns how many deliveries."""
    await tx.execute(sa.delete(ATTEMPT).where(ATTEMPT.c.at < attempts_before))
    old = DELIVERY.c.status.not_in(OPEN) & (DELIVERY.c.created_at < deliveries_before)
    ids = sa.select(DELIVERY.c.id).where(old)
    await tx.execute(sa.delete(ATTEMPT).where(ATTEMPT.c.delivery_id.in_(ids)))
    await tx.execute(sa.update(EVENT).where(EVENT.c.delivery_id.in_(ids)).values(delivery_id=None))
    gone = await tx.execute(sa.delete(DELIVERY).where(old))
    used = sa.select(DELIVERY.c.digest_id).where(DELIVERY.c.digest_id.is_not(None))
    await tx.execute(sa.delete(DIGEST).where((DIGEST.c.created_at < deliveries_before) & DIGEST.c.id.not_in(used)))
    return int(gone.rowcount)


async def forget_recipient(tx: Transaction, subscriber_id: int) -> None:
    """Take a person's address and name out of everything they were sent."""
    mine = DELIVERY.c.subscriber_id == subscriber_id
    await tx.execute(sa.update(DELIVERY).where(mine).values(recipient="", address_hash="", personal={}))
