"""Deliveries looked for, and one delivery's story: everything that is known of it, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.feedback import Event, Suppression
from dispatcher.model.outbound import Attempt, Delivery
from dispatcher.model.values import DeliveryKind, DeliveryStatus
from dispatcher.store import editions
from dispatcher.store.engine import Transaction, many, table
from dispatcher.store.lanes import DELIVERY, SUPPRESSION, is_suppressed

ATTEMPT, EVENT = table(Attempt), table(Event)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries: what is None is not asked. `relay` and `enhanced` are those of any try, `code` the last one's.

    `statuses` empty is any status; `since` is when they were made.
    """

    statuses: Sequence[DeliveryStatus] = ()
    kind: DeliveryKind | None = None
    digest_id: int | None = None
    edition_id: int | None = None
    subscriber_id: int | None = None
    recipient: str | None = None
    since: datetime | None = None
    relay: str | None = None
    code: int | None = None
    enhanced: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing narrows it."""
        return all(getattr(self, field.name) in (None, ()) for field in fields(self))


async def listing(tx: Transaction, wanted: Wanted, *, limit: int) -> list[Delivery]:
    """The deliveries that are wanted, newest first."""
    return await many(tx, Delivery, *_where(wanted), order=DELIVERY.c.id.desc(), limit=limit)


async def lost(tx: Transaction, wanted: Wanted) -> tuple[list[int], int]:
    """The numbers of those that could be sent again, and how many more could, were their address not suppressed."""
    found = await tx.execute(sa.select(DELIVERY.c.id, is_suppressed).where(*_where(wanted)).order_by(DELIVERY.c.id))
    rows = [(row[0], bool(row[1])) for row in found]
    return [number for number, is_barred in rows if not is_barred], sum(is_barred for _, is_barred in rows)


async def of(tx: Transaction, delivery: Delivery) -> tuple[list[Attempt], list[Event], list[Suppression]]:
    """What was tried, what came back later, and what stands against the address now."""
    barred = SUPPRESSION.c.address_hash == delivery.address_hash
    return (
        await many(tx, Attempt, ATTEMPT.c.delivery_id == delivery.id),
        await many(tx, Event, EVENT.c.delivery_id == delivery.id),
        await many(tx, Suppression, barred) if delivery.address_hash else [],
    )


def _where(wanted: Wanted) -> list[Any]:
    same = {name: getattr(wanted, name) for name in ("kind", "digest_id", "subscriber_id", "recipient", "code")}
    where: list[Any] = [DELIVERY.c[name] == value for name, value in same.items() if value is not None]
    if wanted.statuses:
        where.append(DELIVERY.c.status.in_(wanted.statuses))
    if wanted.edition_id is not None:
        where.append(editions.is_of(wanted.edition_id))
    if wanted.since is not None:
        where.append(DELIVERY.c.created_at >= wanted.since)
    tried = {"relay": wanted.relay, "enhanced": wanted.enhanced}
    said = [ATTEMPT.c[name] == value for name, value in tried.items() if value is not None]
    if said:
        where.append(sa.exists().where(ATTEMPT.c.delivery_id == DELIVERY.c.id, *said))
    return where
