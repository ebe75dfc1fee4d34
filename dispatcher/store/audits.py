"""The audit log: rows are added and read, never changed; after their retention they are pruned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.access import Audit
from dispatcher.store.engine import Transaction, add, many, one, table

_AUDIT = table(Audit)


async def append(
    tx: Transaction, at: datetime, actor: str, action: str, subject: str, *, detail: dict[str, Any], ip: str
) -> int:
    """Write one line of the log; returns its number."""
    return await add(tx, Audit(at=at, actor=actor, action=action, subject=subject, detail=detail, ip=ip))


async def get(tx: Transaction, audit_id: int) -> Audit | None:
    """One line, or None."""
    return await one(tx, Audit, _AUDIT.c.id == audit_id)


async def latest(tx: Transaction, limit: int, *, before_id: int | None = None) -> list[Audit]:
    """The newest lines, newest first; `before_id` asks for those older than one that is known."""
    older = [] if before_id is None else [_AUDIT.c.id < before_id]
    return await many(tx, Audit, *older, order=_AUDIT.c.id.desc(), limit=limit)


async def prune(tx: Transaction, before: datetime) -> int:
    """Forget lines older than an instant. Returns how many."""
    return int((await tx.execute(sa.delete(_AUDIT).where(_AUDIT.c.at < before))).rowcount)
