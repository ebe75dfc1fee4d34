"""The outbox as everybody but a sender sees it: what ends, waits again, is listed, forgotten, counted.

With `store/claims.py`, which is the sender's side of it, the only writer of `Delivery.status`, always by
compare-and-set.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.archive import Issue
from dispatcher.model.audience import Endpoint
from dispatcher.model.feedback import Event
from dispatcher.model.outbound import WAITS, Attempt, Delivery, Digest
from dispatcher.model.values import DeliveryStatus as Status
from dispatcher.store.editions import is_of
from dispatcher.store.engine import Transaction, among, chunks, many, one, table
from dispatcher.store.lanes import (
    DELIVERY,
    LEFT,
    MAIL,
    OPEN,
    SUPPRESSED,
    WAITING,
    Lane,
    has_left,
    is_suppressed,
    is_webhook,
)  # fmt: skip

EDITION_PAUSED = "its edition is paused"

DIGEST, ATTEMPT, EVENT, ISSUE = table(Digest), table(Attempt), table(Event), table(Issue)


async def webhooks_due(tx: Transaction, now: datetime) -> list[str]:
    """The names of the webhooks that there is something to tell, or that something was left behind for.

    From name to name through the index, so that a hundred thousand rows of one of them cost as much as one.
    """
    names: list[str] = []
    last = ""
    while True:
        following = sa.select(sa.func.min(DELIVERY.c.recipient)).where(is_webhook & (DELIVERY.c.recipient > last))
        last = (await tx.execute(following)).scalar_one()
        if last is None:
            return names
        for status, due in ((Status.SENDING, sa.true()), *((status, DELIVERY.c.due_at <= now) for status in WAITING)):
            waiting = sa.select(DELIVERY.c.id).where(Lane(last).where & (DELIVERY.c.status == status) & due)
            if (await tx.execute(waiting.limit(1))).first() is not None:
                names.append(last)
                break


async def expire(tx: Transaction, now: datetime, *, among: Sequence[int] | None = None) -> list[int]:
    """End what is too late to be of use; returns the ids."""
    values = {"status": Status.EXPIRED, "finished_at": now, "reason": "too late to be of use"}
    ended: list[int] = []
    for status in WAITING:
        late = sa.and_(WAITS, DELIVERY.c.status == status, DELIVERY.c.expires_at <= now)
        for part in [None] if among is None else chunks(among):
            where = late if part is None else late & DELIVERY.c.id.in_(part)
            change = sa.update(DELIVERY).where(where).values(values).returning(DELIVERY.c.id)
            ended += [row[0] for row in await tx.execute(change)]
    return ended


async def suppress(
    tx: Transaction, now: datetime, *, among: Sequence[int] = (), subscriber_id: int | None = None,
    subscriber_ids: Sequence[int] = (), address_hash: str = "",
) -> int:  # fmt: skip
    """End what goes to a suppressed address or to somebody who left: of these ids, people or address.

    What is claimed may be on the wire: only its claimer can end that, when it looks once more.
    """
    gone = {"status": Status.SUPPRESSED, "finished_at": now, "claimed_by": None, "lease_until": None}
    open_to_it = DELIVERY.c.status.in_((*WAITING, Status.HELD))
    chosen: list[Any] = [DELIVERY.c.id.in_(part) for part in chunks(list(among))]
    chosen += [DELIVERY.c.subscriber_id.in_(part) for part in chunks(subscriber_ids)]
    if subscriber_id is not None:
        chosen.append(DELIVERY.c.subscriber_id == subscriber_id)
    if address_hash:
        chosen.append(DELIVERY.c.address_hash == address_hash)
    count = 0
    for unwanted, reason in ((is_suppressed, SUPPRESSED), (has_left, LEFT)):
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


async def hold_edition(tx: Transaction, edition_id: int) -> int:
    """Keep back what of an edition has not left."""
    waiting = is_of(edition_id) & DELIVERY.c.status.in_(WAITING)
    held = {"status": Status.HELD, "reason": EDITION_PAUSED}
    return int((await tx.execute(sa.update(DELIVERY).where(waiting).values(held))).rowcount)


async def let_edition_go(tx: Transaction, edition_id: int, now: datetime) -> int:
    """Queue again what `hold_edition` kept back."""
    held = is_of(edition_id) & (DELIVERY.c.status == Status.HELD) & (DELIVERY.c.reason == EDITION_PAUSED)
    queued = {"status": Status.QUEUED, "reason": "", "due_at": sa.func.max(DELIVERY.c.due_at, now)}
    if tx.dialect.name == "postgresql":
        queued["due_at"] = sa.func.greatest(DELIVERY.c.due_at, now)
    return int((await tx.execute(sa.update(DELIVERY).where(held).values(queued))).rowcount)


async def cancel_edition(tx: Transaction, edition_id: int, now: datetime) -> int:
    """Withdraw what of an edition has not left."""
    unsent = is_of(edition_id) & DELIVERY.c.status.in_((*WAITING, Status.HELD))
    values = {"status": Status.CANCELLED, "finished_at": now, "reason": "the edition was cancelled"}
    return int((await tx.execute(sa.update(DELIVERY).where(unsent).values(values))).rowcount)


async def withdraw(tx: Transaction, key: str, now: datetime) -> int:
    """Withdraw the delivery of this key, if it has not left."""
    found = await tx.execute(sa.select(DELIVERY.c.id).where(DELIVERY.c.key == key))
    return await cancel(tx, [row[0] for row in found], now)


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
    for row in await tx.execute(sa.select(*columns, sa.func.count()).where(is_webhook).group_by(*columns)):
        found.setdefault(row[0], {})[str(row[1])] = row[2]
    return found


async def digests(tx: Transaction, ids: Sequence[int]) -> dict[int, Digest]:
    """Digests by id."""
    return {digest.id: digest for digest in await among(tx, Digest, DIGEST.c.id, ids) if digest.id is not None}


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
    await tx.execute(sa.delete(DIGEST).where((DIGEST.c.created_at < deliveries_before) & _is_over()))
    return int(gone.rowcount)


def _is_over() -> sa.ColumnElement[bool]:
    """Whether nothing refers to a digest. The newest one stays: SQLite would give its number to the next one, and an
    old link to it would open what somebody else was sent."""
    sent = sa.select(DELIVERY.c.digest_id).where(DELIVERY.c.digest_id.is_not(None))
    newest = sa.select(sa.func.max(DIGEST.c.id)).scalar_subquery()
    return DIGEST.c.id.not_in(sent) & DIGEST.c.id.not_in(sa.select(ISSUE.c.digest_id)) & (DIGEST.c.id < newest)


async def forget_recipient(tx: Transaction, subscriber_id: int) -> None:
    """Take a person's address and name out of everything they were sent, and out of what webhooks were told of them."""
    mine = DELIVERY.c.subscriber_id == subscriber_id
    said = ATTEMPT.c.delivery_id.in_(sa.select(DELIVERY.c.id).where(mine))
    await tx.execute(sa.update(ATTEMPT).where(said).values(text=""))  # servers like to name the address
    await tx.execute(sa.update(DELIVERY).where(mine).values(recipient="", address_hash="", personal={}, reason=""))
    told = is_webhook & (DELIVERY.c.personal[("data", "subscriber", "id")].as_integer() == subscriber_id)
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
