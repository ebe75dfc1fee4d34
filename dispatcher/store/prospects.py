"""Whether there is anything to send: a look so cheap that it can be taken every second by every process."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from dispatcher.store.engine import Transaction
from dispatcher.store.lanes import DELIVERY, MAIL, WAITING, Lane


async def are_due(tx: Transaction, now: datetime, lane: Lane = MAIL) -> bool:
    """Whether anything of a lane waits that is due."""
    for status in WAITING:  # apart, because the index begins with it
        due = lane.where & (DELIVERY.c.status == status) & (DELIVERY.c.due_at <= now)
        if (await tx.execute(sa.select(DELIVERY.c.id).where(due).limit(1))).first() is not None:
            return True
    return False
