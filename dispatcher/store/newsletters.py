"""Newsletters: the publications that mails belong to."""

from __future__ import annotations

import sqlalchemy as sa

from dispatcher.model.outbound import Newsletter
from dispatcher.store.engine import Transaction, add, one, table

NEWSLETTER = table(Newsletter)


async def keep(tx: Transaction, wanted: Newsletter) -> Newsletter:
    """Make the newsletter with this slug say what is wanted; returns it with its id."""
    stored = await one(tx, Newsletter, NEWSLETTER.c.slug == wanted.slug)
    if stored is None:
        await add(tx, wanted)
        return wanted
    values = wanted.model_dump(exclude={"id"})
    if values != stored.model_dump(exclude={"id"}):
        await tx.execute(sa.update(NEWSLETTER).where(NEWSLETTER.c.id == stored.id).values(values))
    return Newsletter(id=stored.id, **values)
