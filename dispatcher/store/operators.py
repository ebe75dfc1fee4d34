"""Operators and their visits: who may use the admin pages, and in which browsers they are signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.access import Operator, Visit
from dispatcher.model.values import Role
from dispatcher.store.engine import Transaction, add, in_turn, many, one, table

OPERATOR, VISIT = table(Operator), table(Visit)


async def every(tx: Transaction) -> list[Operator]:
    """All operators by name."""
    return await many(tx, Operator, order=OPERATOR.c.name)


async def exist(tx: Transaction) -> bool:
    """Whether there is any operator at all."""
    return (await tx.execute(sa.select(OPERATOR.c.id).limit(1))).first() is not None


async def get(tx: Transaction, operator_id: int) -> Operator | None:
    """One operator, or None."""
    return await one(tx, Operator, OPERATOR.c.id == operator_id)


async def by_name(tx: Transaction, name: str) -> Operator | None:
    """One operator, or None."""
    return await one(tx, Operator, OPERATOR.c.name == name)


async def insert(tx: Transaction, operator: Operator) -> int:
    """Store a new operator."""
    return await add(tx, operator)


async def write(tx: Transaction, operator_id: int, **changes: Any) -> None:
    """Change the named columns of an operator."""
    await tx.execute(sa.update(OPERATOR).where(OPERATOR.c.id == operator_id).values(**changes))


async def remove(tx: Transaction, operator_id: int) -> None:
    """Forget an operator, and end their visits."""
    await end_visits(tx, operator_id)
    await tx.execute(sa.delete(OPERATOR).where(OPERATOR.c.id == operator_id))


async def other_owners(tx: Transaction, operator_id: int) -> int:
    """How many active owners there are beside this operator; none is taken away while this transaction lasts."""
    await in_turn(tx, "operators")
    owners = (OPERATOR.c.role == Role.OWNER) & OPERATOR.c.is_active.is_(True) & (OPERATOR.c.id != operator_id)
    return int((await tx.execute(sa.select(sa.func.count()).select_from(OPERATOR).where(owners))).scalar_one())


async def begin_visit(tx: Transaction, visit: Visit) -> int:
    """Store a new visit; visits that have lapsed are forgotten."""
    await tx.execute(sa.delete(VISIT).where(VISIT.c.expires_at <= visit.created_at))
    return await add(tx, visit)


async def visit(tx: Transaction, token_hash: str, now: datetime) -> tuple[Visit, Operator] | None:
    """The visit with this cookie and its operator, if neither has lapsed nor been disabled."""
    found = await one(tx, Visit, VISIT.c.token_hash == token_hash, VISIT.c.expires_at > now)
    operator = await get(tx, found.operator_id) if found else None
    return (found, operator) if found and operator and operator.is_active else None


async def visits(tx: Transaction, operator_id: int, now: datetime) -> list[Visit]:
    """An operator's visits that have not lapsed, the latest first."""
    mine = (VISIT.c.operator_id == operator_id) & (VISIT.c.expires_at > now)
    return await many(tx, Visit, mine, order=VISIT.c.seen_at.desc())


async def see(tx: Transaction, visit_id: int, now: datetime, expires_at: datetime) -> None:
    """Note that a visit goes on."""
    await tx.execute(sa.update(VISIT).where(VISIT.c.id == visit_id).values(seen_at=now, expires_at=expires_at))


async def end_visit(tx: Transaction, operator_id: int, visit_id: int) -> bool:
    """End one of an operator's visits; False if it is not theirs or has ended."""
    mine = (VISIT.c.id == visit_id) & (VISIT.c.operator_id == operator_id)
    return bool((await tx.execute(sa.delete(VISIT).where(mine))).rowcount)


async def end_visits(tx: Transaction, operator_id: int, *, but: int = 0) -> int:
    """End an operator's visits, perhaps but one. Returns how many."""
    theirs = (VISIT.c.operator_id == operator_id) & (VISIT.c.id != but)
    return int((await tx.execute(sa.delete(VISIT).where(theirs))).rowcount)


async def prune(tx: Transaction, now: datetime) -> int:
    """Forget visits that have lapsed. Returns how many."""
    return int((await tx.execute(sa.delete(VISIT).where(VISIT.c.expires_at <= now))).rowcount)
