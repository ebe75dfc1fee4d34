"""The tallies: how much mail ended in each hour, and what came back of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dispatcher.model.outbound import Tally
from dispatcher.model.values import DeliveryKind
from dispatcher.store.engine import Transaction, table

TALLY = table(Tally)
PARTS = 16
KEY = ("hour_at", "newsletter_id", "kind", "part")
COUNTED = ("sent", "failed", "bounced", "complained")

Key = tuple[datetime, int, DeliveryKind]
"""The hour, the newsletter, the kind."""


def add(connection: sa.Connection, instance_id: int, counts: Mapping[Key, Mapping[str, int]]) -> None:
    """Add to what is counted, in this process's part. Rows are locked in one order, so that nobody waits in a ring."""
    nothing = dict.fromkeys(COUNTED, 0)
    rows = [
        {"hour_at": hour, "newsletter_id": newsletter_id, "kind": kind, "part": instance_id % PARTS, **nothing, **of}
        for (hour, newsletter_id, kind), of in sorted(counts.items())
    ]
    if rows:
        connection.execute(_add[connection.dialect.name], rows)


def totals(connection: sa.Connection, *where: Any) -> dict[int, dict[str, int]]:
    """Everything counted in the rows that fit, by newsletter."""
    sums = [sa.func.sum(TALLY.c[name]) for name in COUNTED]
    rows = connection.execute(sa.select(TALLY.c.newsletter_id, *sums).where(*where).group_by(TALLY.c.newsletter_id))
    return {row[0]: dict(zip(COUNTED, map(int, row[1:]), strict=True)) for row in rows}


async def prune(tx: Transaction, before: datetime) -> int:
    """Forget what was counted before an instant."""
    return int((await tx.execute(sa.delete(TALLY).where(TALLY.c.hour_at < before))).rowcount)


def _upsert(dialect: Any) -> Any:
    fresh = dialect.insert(TALLY)
    more = {name: TALLY.c[name] + fresh.excluded[name] for name in COUNTED}
    return fresh.on_conflict_do_update(index_elements=list(KEY), set_=more)


_add = {"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}
