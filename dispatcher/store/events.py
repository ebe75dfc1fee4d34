"""Events that came back, until the settle step has applied them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.feedback import Event
from dispatcher.store.engine import Transaction, many, table

EVENT = table(Event)


async def record(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Note what happened: rows of type, at, raw, and subscriber_id or delivery_id."""
    if rows:
        await tx.execute(sa.insert(EVENT), list(rows))


async def unapplied(tx: Transaction, *, limit: int = 500) -> list[Event]:
    """Events still to be decided about, oldest first."""
    return await many(tx, Event, EVENT.c.applied_at.is_(None), limit=limit)


async def mark_applied(tx: Transaction, event_id: int, now: datetime) -> bool:
    """Take an event; False if another process has."""
    where = (EVENT.c.id == event_id) & EVENT.c.applied_at.is_(None)
    return bool((await tx.execute(sa.update(EVENT).where(where).values(applied_at=now))).rowcount)


async def forget_person(tx: Transaction, subscriber_id: int) -> None:
    """Take the words that came back about a person out of their events: servers like to name the address."""
    await tx.execute(sa.update(EVENT).where(EVENT.c.subscriber_id == subscriber_id).values(raw={}))


async def of(tx: Transaction, subscriber_id: int, *, limit: int) -> list[Event]:
    """What came back about a person, newest first."""
    return await many(tx, Event, EVENT.c.subscriber_id == subscriber_id, order=EVENT.c.id.desc(), limit=limit)
