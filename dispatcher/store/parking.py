"""Parking: mail that is due and cannot leave for a while, put off by the thousand, before anybody claims it.

Else, with half a million mails to one slow provider in front, nobody would find the others behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from dispatcher.model.values import Priority
from dispatcher.store.engine import for_update
from dispatcher.store.lanes import DELIVERY, MAIL, WAITING


def bulk_due(connection: sa.Connection, now: datetime, limit: int) -> list[tuple[int, str, int]]:
    """The first due mails that are not urgent: id, recipient, newsletter; held until the transaction ends."""
    found: list[tuple[int, str, int]] = []
    for status in WAITING:
        due = MAIL.where & (DELIVERY.c.priority >= int(Priority.DIGEST)) & (DELIVERY.c.due_at <= now)
        query = sa.select(DELIVERY.c.id, DELIVERY.c.recipient, DELIVERY.c.newsletter_id).where(
            due & (DELIVERY.c.status == status)
        )
        query = query.order_by(*MAIL.order).limit(limit - len(found))
        found += [tuple(row) for row in connection.execute(for_update(connection, query))]
    return found


def put_off(connection: sa.Connection, later: Sequence[tuple[int, datetime]]) -> None:
    """Let nobody claim these, which are held, before their instants."""
    if later:
        connection.execute(_put_off, [{"id_": one, "at": at} for one, at in later])


_put_off = (
    sa.update(DELIVERY)
    .where((DELIVERY.c.id == sa.bindparam("id_")) & sa.or_(*(DELIVERY.c.status == status for status in WAITING)))
    .values(due_at=sa.bindparam("at", type_=DELIVERY.c.due_at.type))
)
