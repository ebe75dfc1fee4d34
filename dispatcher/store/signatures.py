"""Deliveries that are made ahead of their time, and the signatures they get before they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.outbound import Delivery
from dispatcher.model.values import Channel, Priority
from dispatcher.model.values import DeliveryStatus as Status
from dispatcher.store.engine import Transaction, among, load
from dispatcher.store.lanes import DELIVERY

_unsigned = (
    (DELIVERY.c.status == Status.QUEUED)
    & (DELIVERY.c.channel == Channel.EMAIL)
    & DELIVERY.c.dated_at.is_not(None)
    & (DELIVERY.c.signature == "")
)
"""Has its date, which only those have that are made ahead or were tried before."""

_keep = (
    sa.update(DELIVERY)
    .where((DELIVERY.c.id == sa.bindparam("delivery_id")) & (DELIVERY.c.status == Status.QUEUED))
    .where(DELIVERY.c.signature == "")
    .values(signature=sa.bindparam("made"))
)


async def unsigned(tx: Transaction, keys: Sequence[str]) -> list[Delivery]:
    """Those of these deliveries, by their keys, that are still to be signed."""
    return [found for found in await among(tx, Delivery, DELIVERY.c.key, keys) if _is_unsigned(found)]


async def unsigned_until(
    tx: Transaction, now: datetime, until: datetime, *, after: tuple[datetime, int], limit: int
) -> list[Delivery]:
    """Digests due in (now, until] that are still to be signed, by due_at and id, those after `after`.

    In two steps, because an index leads to either, but to no more than one of them at a time.
    """
    due_at, last = after
    coming = _unsigned & (DELIVERY.c.priority == int(Priority.DIGEST))
    query = sa.select(Delivery).limit(limit)
    same = query.where(coming & (DELIVERY.c.due_at == due_at) & (DELIVERY.c.id > last)).order_by(DELIVERY.c.id)
    found = await load(tx, same) if due_at > now else []
    if not found:
        later = coming & (DELIVERY.c.due_at > max(due_at, now)) & (DELIVERY.c.due_at <= until)
        found = await load(tx, query.where(later).order_by(DELIVERY.c.due_at, DELIVERY.c.id))
    return found


async def keep(tx: Transaction, made: Mapping[int, str]) -> None:
    """Keep signatures by delivery, but for those that were quicker signed, claimed or ended by somebody else."""
    rows: list[dict[str, Any]] = [{"delivery_id": number, "made": made[number]} for number in sorted(made)]
    if rows:
        await tx.execute(_keep, rows)


def _is_unsigned(found: Delivery) -> bool:
    return found.status == Status.QUEUED and found.channel == Channel.EMAIL and not found.signature
