"""Pauses: what keeps mail back, since when, and until when it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.outbound import Pause
from dispatcher.model.values import PauseCause, PauseScope
from dispatcher.store.engine import Transaction, add, in_turn, many, table

PAUSE = table(Pause)
IN_FORCE = PAUSE.c.lifted_at.is_(None)


async def scopes(tx: Transaction) -> list[PauseScope]:
    """The scopes of the pauses in force: what senders ask all the time."""
    return list((await tx.execute(_scopes)).scalars())


async def in_force(tx: Transaction) -> list[Pause]:
    """The pauses in force, the oldest first."""
    return await many(tx, Pause, IN_FORCE)


async def begin(
    tx: Transaction, scope: PauseScope, cause: PauseCause, now: datetime, *, by: str, reason: str = ""
) -> int | None:
    """Keep mail back; None if it is already, for the same cause and as much of it."""
    await in_turn(tx, "pause")
    same = [PauseScope.ALL] if scope is PauseScope.ALL else list(PauseScope)
    standing = sa.select(PAUSE.c.id).where(IN_FORCE & (PAUSE.c.cause == cause) & PAUSE.c.scope.in_(same))
    if (await tx.execute(standing)).first() is not None:
        return None
    return await add(tx, Pause(scope=scope, cause=cause, reason=reason, by=by, since=now, known={}))


async def lift(
    tx: Transaction, causes: Sequence[PauseCause], now: datetime, *, by: str, known: Mapping[str, Any]
) -> list[Pause]:
    """End the pauses of these causes; returns them. `known` is kept with them."""
    await in_turn(tx, "pause")
    lifted = await many(tx, Pause, IN_FORCE, PAUSE.c.cause.in_(causes))
    these = PAUSE.c.id.in_([pause.id for pause in lifted])
    await tx.execute(sa.update(PAUSE).where(these).values(lifted_at=now, lifted_by=by, known=dict(known)))
    return lifted


async def last_lifted(tx: Transaction, cause: PauseCause) -> Pause | None:
    """The pause of a cause that was lifted last, if there was one."""
    found = await many(
        tx, Pause, PAUSE.c.lifted_at.is_not(None), PAUSE.c.cause == cause, order=PAUSE.c.lifted_at.desc(), limit=1
    )
    return found[0] if found else None


async def prune(tx: Transaction, before: datetime) -> int:
    """Forget the pauses that were lifted before an instant."""
    return int((await tx.execute(sa.delete(PAUSE).where(PAUSE.c.lifted_at < before))).rowcount)


_scopes = sa.select(PAUSE.c.scope).where(IN_FORCE)
