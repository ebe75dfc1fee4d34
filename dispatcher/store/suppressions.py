"""Suppressions: who must not be written to, recognised by a keyed hash."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.feedback import Suppression
from dispatcher.model.values import SuppressionReason, SuppressionScope
from dispatcher.store import bulk
from dispatcher.store.engine import Transaction, add_new, among, many, table

SUPPRESSION = table(Suppression)


async def add(
    tx: Transaction, address_hash: str, reason: SuppressionReason, now: datetime, *, address: str = "",
    newsletter_id: int = 0,
) -> bool:  # fmt: skip
    """Suppress an address for one newsletter, or (0) for every mail. True if it was not suppressed so before."""
    scope = SuppressionScope.NEWSLETTER if newsletter_id else SuppressionScope.ADDRESS
    row = {
        "address_hash": address_hash,
        "address": address,
        "scope": scope,
        "newsletter_id": newsletter_id,
        "reason": reason,
        "since": now,
    }
    return bool(await add_new(tx, Suppression, [row]))


async def add_many(tx: Transaction, rows: Sequence[dict[str, Any]]) -> int:
    """Suppress many: rows of address_hash, address, scope, newsletter_id, reason, since. Returns how many were new."""
    return await add_new(tx, Suppression, rows)


async def of(tx: Transaction, address_hashes: Sequence[str]) -> dict[str, list[Suppression]]:
    """Suppressions by address hash."""
    found: dict[str, list[Suppression]] = {}
    for suppression in await among(tx, Suppression, SUPPRESSION.c.address_hash, address_hashes):
        found.setdefault(suppression.address_hash, []).append(suppression)
    return found


async def known_hashes(tx: Transaction, address_hashes: Sequence[str]) -> set[str]:
    """Those of these address hashes that are suppressed in any way."""
    return await bulk.present(tx, SUPPRESSION.c.address_hash, address_hashes)


async def every(tx: Transaction) -> list[Suppression]:
    """All suppressions, oldest first."""
    return await many(tx, Suppression)


async def pages(tx: Transaction, *, size: int = 1000) -> AsyncIterator[list[Suppression]]:
    """All suppressions, oldest first, a page at a time."""
    last = 0
    while page := await many(tx, Suppression, SUPPRESSION.c.id > last, limit=size):
        yield page
        last = page[-1].id or 0


async def remove(tx: Transaction, address_hash: str, *, newsletter_id: int | None = None) -> int:
    """Take back what suppresses an address, or only what does so for one newsletter, at an operator's word."""
    where = SUPPRESSION.c.address_hash == address_hash
    if newsletter_id is not None:
        where &= SUPPRESSION.c.newsletter_id == newsletter_id
    return int((await tx.execute(sa.delete(SUPPRESSION).where(where))).rowcount)


async def lift(tx: Transaction, address_hash: str, newsletter_id: int) -> None:
    """Lift an unsubscription after a new, proven consent. Bounces, complaints and erasures stay."""
    where = (SUPPRESSION.c.address_hash == address_hash) & (SUPPRESSION.c.newsletter_id == newsletter_id)
    await tx.execute(sa.delete(SUPPRESSION).where(where & (SUPPRESSION.c.scope == SuppressionScope.NEWSLETTER)))


async def unsubscribed(tx: Transaction, address_hash: str, newsletter_ids: Collection[int]) -> list[int]:
    """Those of these newsletters that the reader at an address has left by themselves."""
    left = (await of(tx, [address_hash])).get(address_hash, ())
    mine = [one.newsletter_id for one in left if one.reason == SuppressionReason.UNSUBSCRIBED]
    return sorted(set(mine) & set(newsletter_ids))


async def forget_address(tx: Transaction, address_hash: str) -> None:
    """Keep the hash, lose the address: what an erasure leaves behind."""
    await tx.execute(sa.update(SUPPRESSION).where(SUPPRESSION.c.address_hash == address_hash).values(address=""))
