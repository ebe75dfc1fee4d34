"""The outbox: the only writer of `Delivery.status`, always by compare-and-set.

claim ──▶ sending ──▶ settle_outcome ──▶ sent | deferred | failed | held
  │          └──────▶ release ──▶ queued        (not tried after all, or its process died)
  └─ expire, suppress, cancel: those whose time has passed or whose reader has left

It has lanes: one for mail, one for each webhook. Whoever works on a lane claims, renews and takes back in it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Endpoint, Subscriber
from dispatcher.model.feedback import Event, Suppression
from dispatcher.model.outbound import Attempt, Delivery, Digest
from dispatcher.model.values import DeliveryStatus as Status
from dispatcher.model.values import OutcomeKind, Priority, SubscriberStatus, SuppressionScope
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
    # who has paused still gets the letters they ask for, such as the one with the link to go on
    & ((SUBSCRIBER.c.status != SubscriberStatus.PAUSED) | (DELIVERY.c.kind != "confirmation"))
)
_claimed = (DELIVERY.c.id == sa.bindparam("delivery_id")) & (DELIVERY.c.claimed_by == sa.bindparam("instance_id"))
_wanted = sa.select(DELIVERY.c.id).where(_claimed & (DELIVERY.c.status == Status.SENDING) & ~_suppressed & ~_left)
"""Made once, because it is asked before every message: making it takes as long as asking it."""


_webhook = DELIVERY.c.channel == sa.literal_column("'webhook'")
"""Said as the partial index of these rows says it: with a bound value, SQLite could not know that it may use it."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A part of the outbox that is worked on by itself: what goes to one `webhook`, or, without one, all mail."""

    webhook: str = ""

    @property
    def where(self) -> Any:
        """The rows of this lane, in the words that lead to its index."""
        if self.webhook:
            return _webhook & (DELIVERY.c.recipient == self.webhook)
        return DELIVERY.c.priority < int(Priority.WEBHOOK)

    @property
    def order(self) -> tuple[Any, ...]:
        """The columns after which the most urgent of its rows come first."""
        return (DELIVERY.c.due_at,) if self.webhook else (DELIVERY.c.priority, DELIVERY.c.due_at, DELIVERY.c.id)


MAIL = Lane()


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
    """What one claim found: deliveries that are ours now, those that were too late, how many were not wanted."""

    deliveries: Sequence[Delivery] = ()
    expired: Sequence[int] = ()
    suppressed: int = 0

    @property
    def is_empty(self) -> bool:
        """Nothing was due at all."""
        return not (self.deliveries or self.expired or self.suppressed)


async def claim(tx: Transaction, instance_id: int, now: datetime, *, limit: int, lane: Lane = MAIL) -> Claim:
    """Take deliveries of a lane that are due, the most urgent first, for one lease; end those too late or unwanted."""
    ids = await _due(tx, now, limit, lane)
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


async def _due(tx: Transaction, now: datetime, limit: int, lane: Lane) -> list[int]:
    """The most urgent ids; one index scan for each waiting status, because the index begins with it."""
    found: list[Any] = []
    for status in WAITING:
        due = lane.where & (DELIVERY.c.status == status) & (DELIVERY.c.due_at <= now)
        query = sa.select(DELIVERY.c.priority, DELIVERY.c.due_at, DELIVERY.c.id).where(due)
        query = query.order_by(*lane.order).limit(limit)
        found += [tuple(row) for row in await tx.execute(for_update(tx, query))]
    return [row[2] for row in sorted(found)[:limit]]


async def webhooks_due(tx: Transaction, now: datetime) -> list[str]:
    """The names of the webhooks that there is something to tell, or that something was left behind for.

    From name to name through the index, so that a hundred thousand rows of one of them cost as much as one.
    """
    names: list[str] = []
    last = ""
    while True:
        following = sa.select(sa.func.min(DELIVERY.c.recipient)).where(_webhook & (DELIVERY.c.recipient > last))
        last = (await tx.execute(following)).scalar_one()
        if last is None:
            return names
        for status, due in ((Status.SENDING, sa.true()), *((status, DELIVERY.c.due_at <= now) for status in WAITING)):
            waiting = sa.select(DELIVERY.c.id).where(Lane(last).where & (DELIVERY.c.status == status) & due)
            if (await tx.execute(waiting.limit(1))).first() is not None:
                names.append(last)
                break


async def is_wanted(tx: Transaction, delivery_id: int, instance_id: int) -> bool:
    """Whether a claimed delivery is still ours and its reader still wants it: asked before each transaction."""
    return (await tx.execute(_wanted, {"delivery_id": delivery_id, "instance_id": instance_id})).first() is not None


async def mark_handed_over(tx: Transaction, delivery_id: int, instance_id: int, now: datetime) -> bool:
    """Note, before it happens, that a message goes to the wire; False if it is no longer ours."""
    ours = (DELIVERY.c.id == delivery_id) & (DELIVERY.c.claimed_by == instance_id)
    mark = sa.update(DELIVERY).where(ours & (DELIVERY.c.status == Status.SENDING)).values(handed_over_at=now)
    return bool((await tx.execute(mark)).rowcount)


async def settle_outcomes(tx: Transaction, instance_id: int, verdicts: Sequence[Verdict], now: datetime) -> list[int]:
    """Write what came of attempts, and the attempts themselves. Returns the ids of the deliveries that were ours still;
    another is left alone."""
    settled: list[int] = []
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
        settled += [verdict.delivery_id] * (await tx.execute(mark)).rowcount
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


async def renew(tx: Transaction, instance_id: int, lane: Lane = MAIL) -> None:
    """The heartbeat: lengthen the lease of everything this process holds in a lane."""
    mine = (DELIVERY.c.claimed_by == instance_id) & (DELIVERY.c.status == Status.SENDING) & lane.where
    await tx.execute(sa.update(DELIVERY).where(mine).values(lease_until=await database_now(tx) + LEASE))


async def recover(
    tx: Transaction, now: datetime, *, dead: Sequence[int] = (), hold_uncertain: bool = False, lane: Lane | None = None
) -> int:
    """Take back what dead processes had claimed: those named, and every lapsed lease; in one lane, or everywhere.

    What had been handed to the wire is uncertain: held for a person if asked so, else sent again. Returns how many.
    """
    lapsed = DELIVERY.c.lease_until < await database_now(tx)
    orphaned = (DELIVERY.c.status == Status.SENDING) & (lapsed | DELIVERY.c.claimed_by.in_(list(dead)))
    if lane is not None:
        orphaned &= lane.where
    held = 0
    if hold_uncertain:
        uncertain = orphaned & DELIVERY.c.handed_over_at.is_not(None)
        kept = {"status": Status.HELD, "claimed_by": None, "lease_until": None, "reason": "handed over, answer unknown"}
        held = int((await tx.execute(sa.update(DELIVERY).where(uncertain).values(kept))).rowcount)
    back = {"status": Status.QUEUED, "claimed_by": None, "lease_until": None, "due_at": now}
    return held + int((await tx.execute(sa.update(DELIVERY).where(orphaned).values(back))).rowcount)


async def expire(tx: Transaction, now: datetime, *, among: Sequence[int] | None = None) -> list[int]:
    """End what is too late to be of use; returns the ids."""
    values = {"status": Status.EXPIRED, "finished_at": now, "reason": "too late to be of use"}
    ended: list[int] = []
    for status in WAITING:
        late = (DELIVERY.c.status == status) & (DELIVERY.c.expires_at <= now)
        for part in [None] if among is None else chunks(among):
            where = late if part is None else late & DELIVERY.c.id.in_(part)
            change = sa.update(DELIVERY).where(where).values(values).returning(DELIVERY.c.id)
            ended += [row[0] for row in await tx.execute(change)]
    return ended


async def suppress(
    tx: Transaction, now: datetime, *, among: Sequence[int] = (), subscriber_id: int | None = None,
    subscriber_ids: Sequence[int] = (), address_hash: str = "", claimed_by: int | None = None,
) -> int:  # fmt: skip
    """End what goes to a suppressed address or to somebody who left: of these ids, people or address.

    What is claimed may be on the wire: only its claimer, by naming itself in `claimed_by`, can end that.
    """
    gone = {"status": Status.SUPPRESSED, "finished_at": now, "claimed_by": None, "lease_until": None}
    mine = (DELIVERY.c.status == Status.SENDING) & (DELIVERY.c.claimed_by == claimed_by)
    open_to_it = DELIVERY.c.status.in_((*WAITING, Status.HELD)) | (mine if claimed_by is not None else sa.false())
    chosen: list[Any] = [DELIVERY.c.id.in_(part) for part in chunks(list(among))]
    chosen += [DELIVERY.c.subscriber_id.in_(part) for part in chunks(subscriber_ids)]
    if subscriber_id is not None:
        chosen.append(DELIVERY.c.subscriber_id == subscriber_id)
    if address_hash:
        chosen.append(DELIVERY.c.address_hash == address_hash)
    count = 0
    for unwanted, reason in ((_suppressed, "the address is suppressed"), (_left, "the reader has left or paused")):
        for which in chosen:
            change = sa.update(DELIVERY).where(which & open_to_it & unwanted).values(**gone, reason=reason)
            count += int((await tx.execute(change)).rowcount)
    return count


async def waiting_ids(tx: Transaction, *, after: int, limit: int) -> list[int]:
    """Ids of deliveries that have not left, in order, from the one after `after` on."""
    waiting = DELIVERY.c.status.in_((*WAITING, Status.HELD)) & (DELIVERY.c.id > after)
    query = sa.select(DELIVERY.c.id).where(waiting).order_by(DELIVERY.c.id).limit(limit)
    return [row[0] for row in await tx.execute(query)]


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


async def by_ids(tx: Transaction, ids: Sequence[int]) -> list[Delivery]:
    """These deliveries."""
    return await among(tx, Delivery, DELIVERY.c.id, ids)


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
    """How many mails stand in each status; every status is named."""
    rows = await tx.execute(sa.select(DELIVERY.c.status, sa.func.count()).where(MAIL.where).group_by(DELIVERY.c.status))
    found = {str(row[0]): row[1] for row in rows}
    return {status.value: found.get(status.value, 0) for status in Status}


async def told(tx: Transaction) -> dict[str, dict[str, int]]:
    """How many events stand in each status, by the names of the webhooks that are told of them."""
    columns = (DELIVERY.c.recipient, DELIVERY.c.status)
    found: dict[str, dict[str, int]] = {}
    for row in await tx.execute(sa.select(*columns, sa.func.count()).where(_webhook).group_by(*columns)):
        found.setdefault(row[0], {})[str(row[1])] = row[2]
    return found


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
    """Take a person's address and name out of everything they were sent, and out of what webhooks were told of them."""
    mine = DELIVERY.c.subscriber_id == subscriber_id
    said = ATTEMPT.c.delivery_id.in_(sa.select(DELIVERY.c.id).where(mine))
    await tx.execute(sa.update(ATTEMPT).where(said).values(text=""))  # servers like to name the address
    await tx.execute(sa.update(DELIVERY).where(mine).values(recipient="", address_hash="", personal={}, reason=""))
    told = _webhook & (DELIVERY.c.personal[("data", "subscriber", "id")].as_integer() == subscriber_id)
    await tx.execute(sa.update(DELIVERY).where(told).values(personal={}))


async def forget_address(tx: Transaction, address_hash: str, now: datetime) -> None:
    """Take an address out of everything that was sent to it, to whomever; what still waits is not sent."""
    theirs = DELIVERY.c.address_hash == address_hash
    unsent = theirs & DELIVERY.c.status.in_((*WAITING, Status.HELD))
    gone = {"status": Status.SUPPRESSED, "finished_at": now, "claimed_by": None, "lease_until": None}
    await tx.execute(sa.update(DELIVERY).where(unsent).values(**gone))
    await tx.execute(sa.update(DELIVERY).where(theirs).values(recipient="", address_hash="", personal={}, reason=""))


async def readdress(tx: Transaction, endpoint: Endpoint) -> int:
    """Send what waits for a person, letters excepted, to this endpoint of theirs. Returns how much there was.

    What is claimed is taken from its claimer, who looks once more before the wire, unless it was handed over.
    """
    claimed = (DELIVERY.c.status == Status.SENDING) & DELIVERY.c.handed_over_at.is_(None)
    open_to_it = DELIVERY.c.status.in_((*WAITING, Status.HELD)) | claimed
    mine = (DELIVERY.c.subscriber_id == endpoint.subscriber_id) & (DELIVERY.c.channel == endpoint.channel)
    unsent = mine & (DELIVERY.c.kind != "confirmation") & open_to_it
    rows = (await tx.execute(sa.select(DELIVERY.c.id, DELIVERY.c.personal).where(unsent))).all()
    status = sa.case((DELIVERY.c.status == Status.SENDING, Status.QUEUED.value), else_=DELIVERY.c.status)
    back = {"status": status, "claimed_by": None, "lease_until": None}
    there = {"endpoint_id": endpoint.id, "recipient": endpoint.address, "address_hash": endpoint.address_hash}
    for delivery_id, personal in rows:
        change = sa.update(DELIVERY).where((DELIVERY.c.id == delivery_id) & open_to_it)
        await tx.execute(change.values(**back, **there, personal={**personal, "email": endpoint.address}))
    return len(rows)


async def forget_letters(tx: Transaction, keys: Sequence[str]) -> None:
    """Take the address out of letters to somebody who never answered them."""
    for part in chunks(keys):
        done = DELIVERY.c.key.in_(part)
        await tx.execute(sa.update(DELIVERY).where(done).values(recipient="", address_hash="", personal={}))
