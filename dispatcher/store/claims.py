"""The outbox as a sender sees it: claim, look once more, hand over, settle.

take ──▶ sending ──▶ settle ──▶ sent | deferred | failed | held
  │         └──────▶ release ──▶ queued        (not tried after all, or its process died)
  └─ ended at once: those whose time has passed or whose reader has left

A claim is a lease. The functions that are called for every message are given a connection, not a Transaction: they
run in a thread, many messages at a time (`Store.at_once`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dispatcher.model.outbound import Attempt, Claimed
from dispatcher.model.values import DeliveryStatus as Status
from dispatcher.model.values import OutcomeKind
from dispatcher.store.engine import Transaction, chunks, database_now, for_update, now_of, table
from dispatcher.store.lanes import (
    DELIVERY,
    LEFT,
    MAIL,
    OPEN,
    SUBSCRIBER,
    SUPPRESSED,
    WAITING,
    Lane,
    has_left,
    is_suppressed,
)  # fmt: skip
from dispatcher.store.prepared import Prepared, is_one_of

ATTEMPT = table(Attempt)
LEASE = timedelta(seconds=30)


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
    blame: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim found: deliveries that are ours now, those that were too late, how many were not wanted."""

    deliveries: Sequence[Claimed] = ()
    expired: Sequence[int] = ()
    suppressed: int = 0

    @property
    def is_empty(self) -> bool:
        """Nothing was due at all."""
        return not (self.deliveries or self.expired or self.suppressed)


async def claim(
    tx: Transaction, instance_id: int, now: datetime, *, limit: int, lane: Lane = MAIL, below: int | None = None
) -> Claim:
    """Take deliveries of a lane that are due, the most urgent first, for one lease; end those too late or unwanted.

    `below`: only those whose priority is a lower number.
    """
    return await tx.run_sync(take, instance_id, now, limit, lane, below)


def take(
    connection: sa.Connection, instance_id: int, now: datetime, limit: int, lane: Lane = MAIL, below: int | None = None
) -> Claim:
    """See `claim`."""
    found = _Found()
    for row in connection.execute(_candidates, {"ids": _due(connection, now, limit, lane, below)}):
        found.sort_in(row, now)
    _end(connection, found.expired, Status.EXPIRED, now, "too late to be of use")
    _end(connection, found.suppressed, Status.SUPPRESSED, now, SUPPRESSED)
    _end(connection, found.left, Status.SUPPRESSED, now, LEFT)
    if found.wanted:
        values = {"me": instance_id, "until": now_of(connection) + LEASE, "at": now}
        connection.execute(_take, {**values, "ids": [row.id for row in found.wanted]})
    taken = [row if row.dated_at else row._replace(dated_at=now) for row in found.wanted]
    taken.sort(key=lambda row: (row.priority, row.due_at, row.id))
    return Claim(taken, found.expired, len(found.suppressed) + len(found.left))


def look(connection: sa.Connection, instance_id: int, ids: Sequence[int], now: datetime) -> tuple[set[int], int]:
    """Which of these claimed deliveries are still ours and wanted. Those not wanted any more are ended, and counted."""
    wanted: set[int] = set()
    ended = 0
    for delivery_id, is_off, is_gone in _look.ask(connection, {"ids": ids, "me": instance_id}):
        if is_off or is_gone:
            _end(connection, [delivery_id], Status.SUPPRESSED, now, SUPPRESSED if is_off else LEFT)
            ended += 1
        else:
            wanted.add(delivery_id)
    return wanted, ended


def hand_over(connection: sa.Connection, instance_id: int, ids: Iterable[int], now: datetime) -> None:
    """Note, before it happens, that these claimed messages go to the wire."""
    _hand_over.run(connection, [{"id_": one, "me": instance_id, "at": now} for one in ids])


def settle(connection: sa.Connection, instance_id: int, verdicts: Sequence[Verdict], now: datetime) -> None:
    """Write what came of attempts, and the attempts themselves. A delivery that is not ours any more is left alone."""
    if verdicts:
        _settle.run(connection, [_settled(verdict, instance_id, now) for verdict in verdicts])
        _attempt.run(connection, [_tried(verdict, now) for verdict in verdicts])


def ours(connection: sa.Connection, instance_id: int, ids: Sequence[int]) -> set[int]:
    """Those of these that we have claimed still; nobody else can take them until this transaction ends."""
    return set(connection.execute(_ours, {"ids": list(ids), "me": instance_id}).scalars())


def forgive(connection: sa.Connection, delivery_ids: Sequence[int]) -> None:
    """Mail has arrived: earlier soft bounces of these deliveries' readers in a row do not count any more."""
    if delivery_ids:
        _forgive.run(connection, [{"ids": delivery_ids}])


async def put_back(tx: Transaction, instance_id: int, later: Sequence[tuple[int, datetime]]) -> None:
    """Give claimed deliveries back untried, each until an instant of its own."""
    if later:
        rows = [{"id_": one, "me": instance_id, "at": at} for one, at in later]
        await tx.run_sync(_put_back.run, rows)


async def release(tx: Transaction, instance_id: int, delivery_ids: Sequence[int]) -> None:
    """Give claimed deliveries back untried, to be claimed again at once."""
    for part in chunks(list(delivery_ids)):
        ours = DELIVERY.c.id.in_(part) & (DELIVERY.c.claimed_by == instance_id) & (DELIVERY.c.status == Status.SENDING)
        await tx.execute(sa.update(DELIVERY).where(ours).values(**_FREE, status=Status.QUEUED))


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


# What is said for every message is put together once: making a statement takes longer than asking it.

_FREE: dict[str, Any] = {"claimed_by": None, "lease_until": None, "handed_over_at": None}
_COLUMNS = [DELIVERY.c[name] for name in Claimed._fields]
_INSTANT = DELIVERY.c.dated_at.type
_mine = (DELIVERY.c.claimed_by == sa.bindparam("me")) & (DELIVERY.c.status == Status.SENDING)
_one_of = is_one_of(DELIVERY.c.id)
_this_one = (DELIVERY.c.id == sa.bindparam("id_")) & _mine
_unwanted = (is_suppressed.label("is_suppressed"), has_left.label("has_left"))

_candidates = sa.select(*_COLUMNS, *_unwanted).where(_one_of)
_look = Prepared(sa.select(DELIVERY.c.id, *_unwanted).where(_one_of & _mine))
_ours = sa.select(DELIVERY.c.id).where(_one_of & _mine).with_for_update()
_take = (
    sa.update(DELIVERY)
    .where(_one_of)
    .values(
        status=Status.SENDING,
        claimed_by=sa.bindparam("me"),
        lease_until=sa.bindparam("until"),
        handed_over_at=None,
        dated_at=sa.func.coalesce(DELIVERY.c.dated_at, sa.bindparam("at", type_=_INSTANT)),
    )
)
_ended = sa.update(DELIVERY).where(_one_of).values(
    **_FREE, status=sa.bindparam("status_"), finished_at=sa.bindparam("at"), reason=sa.bindparam("reason_")
)  # fmt: skip
_hand_over = Prepared(sa.update(DELIVERY).where(_this_one).values(handed_over_at=sa.bindparam("at")))
_put_back = Prepared(
    sa.update(DELIVERY).where(_this_one).values(**_FREE, status=Status.QUEUED, due_at=sa.bindparam("at"))
)
_settle = Prepared(
    sa.update(DELIVERY)
    .where(_this_one)
    .values(
        **_FREE,
        status=sa.bindparam("status_"),
        code=sa.bindparam("code_"),
        reason=sa.bindparam("reason_"),
        attempts=DELIVERY.c.attempts + sa.bindparam("tries"),
        due_at=sa.func.coalesce(sa.bindparam("due", type_=_INSTANT), DELIVERY.c.due_at),
        finished_at=sa.bindparam("finished"),
        signature=sa.literal_column("''"),  # a retry is signed anew, to the same octets
    )
)
_attempt = Prepared(sa.insert(ATTEMPT))
_forgive = Prepared(
    sa.update(SUBSCRIBER)
    .where(SUBSCRIBER.c.id.in_(sa.select(DELIVERY.c.subscriber_id).where(_one_of)) & (SUBSCRIBER.c.soft_bounces > 0))
    .values(soft_bounces=0)
)


@dataclass(slots=True)
class _Found:
    """What was due, sorted by what becomes of it."""

    wanted: list[Claimed] = field(default_factory=list)
    expired: list[int] = field(default_factory=list)
    suppressed: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    def sort_in(self, row: Any, now: datetime) -> None:
        if row.expires_at <= now:
            self.expired.append(row.id)
        elif row.is_suppressed:
            self.suppressed.append(row.id)
        elif row.has_left:
            self.left.append(row.id)
        else:
            self.wanted.append(Claimed._make(row[: len(Claimed._fields)]))


def _due(connection: sa.Connection, now: datetime, limit: int, lane: Lane, below: int | None) -> list[int]:
    """The most urgent ids; one index scan for each waiting status, because the index begins with it."""
    found: list[Any] = []
    for status in WAITING:
        due = lane.where & (DELIVERY.c.status == status) & (DELIVERY.c.due_at <= now)
        if below is not None:
            due &= DELIVERY.c.priority < below
        query = sa.select(DELIVERY.c.priority, DELIVERY.c.due_at, DELIVERY.c.id).where(due)
        query = query.order_by(*lane.order).limit(limit)
        found += [tuple(row) for row in connection.execute(for_update(connection, query))]
    return [row[2] for row in sorted(found)[:limit]]


def _end(connection: sa.Connection, ids: list[int], status: Status, now: datetime, reason: str) -> None:
    if ids:
        connection.execute(_ended, {"ids": ids, "status_": status, "at": now, "reason_": reason})


def _settled(verdict: Verdict, instance_id: int, now: datetime) -> dict[str, Any]:
    return {
        "id_": verdict.delivery_id,
        "me": instance_id,
        "status_": verdict.status,
        "code_": verdict.code,
        "reason_": verdict.reason,
        "tries": 1 if verdict.counts else 0,
        "due": verdict.due_at,
        "finished": None if verdict.status in OPEN else now,
    }


def _tried(verdict: Verdict, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": verdict.delivery_id,
        "at": now,
        "outcome": verdict.outcome,
        "code": verdict.code,
        "enhanced": verdict.enhanced,
        "text": verdict.text,
        "relay": verdict.relay,
        "blame": verdict.blame,
    }
