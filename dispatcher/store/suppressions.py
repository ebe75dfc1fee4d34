"""Suppressions: who must not be written to, recognised by a keyed hash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from dispatcher.model.feedback import Suppression
from dispatcher.model.values import SuppressionReason, SuppressionScope
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


async def of(tx: Transaction, address_hashes: Sequence[str]) -> dict[str, list[Suppression]]:
    """Suppressions by address hash."""
    found: dict[str, list[Suppression]] = {}
    for suppression in await among(tx, Suppression, SUPPRESSION.c.address_hash, address_hashes):
        found.setdefault(suppression.address_hash, []).append(suppression)
    return found


async def every(tx: Transaction) -> list[Suppression]:
    """All suppressions, oldest first."""
    return await many(tx, Suppression)


async def lift(tx: Transaction, address_hash: str, newsletter_id: int) -> None:
    """Lift an unsubscription after a new, proven consent. Bounces, complaints and erasures stay."""
    where = (SUPPRESSION.c.address_hash == address_hash) & (SUPPRESSION.c.newsletter_id == newsletter_id)
    await tx.execute(sa.delete(SUPPRESSION).where(where & (SUPPRESSION.c.scope == SuppressionScope.NEWSLETTER)))


async def forget_address(tx: Transaction, address_hash: str) -> None:
    """Keep the hash, lose the address: what an erasure leaves behind."""
    await tx.execute(sa.update(SUPPRESSION).where(SUPPRESSION.c.address_hash == address_hash).values(address=""))
