"""Newsletters: the publications that mails belong to."""

from __future__ import annotations

import sqlalchemy as sa

from dispatcher.model.outbound import Newsletter
from dispatcher.store.engine import Transaction, add_new, one, table

NEWSLETTER = table(Newsletter)


async def keep(tx: Transaction, wanted: Newsletter) -> Newsletter:
    """Make the newsletter with this slug say what is wanted; returns it with its id."""
    values = wanted.model_dump(exclude={"id"})
    await add_new(tx, Newsletter, [values])
    stored = await one(tx, Newsletter, NEWSLETTER.c.slug == wanted.slug)
    assert stored is not None
    if values != stored.model_dump(exclude={"id"}):
        await tx.execute(sa.update(NEWSLETTER).where(NEWSLETTER.c.id == stored.id).values(values))
    return Newsletter(id=stored.id, **values)
