"""Sources: which are due, who polls them, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dispatcher.model.content import Article, Sighting, Source
from dispatcher.store.engine import Transaction, add, many, one, table

SOURCE = table(Source)
PUSHED = "api:"  # the url of a source that nobody polls: programs publish to it
POLL_LEASE = timedelta(minutes=3)  # longer than any poll may take; a crashed poll is taken up again after it
_polled = SOURCE.c.is_paused.is_(False) & (SOURCE.c.url != PUSHED)


async def every(tx: Transaction) -> list[Source]:
    """All sources by name."""
    return await many(tx, Source, order=SOURCE.c.name)


async def get(tx: Transaction, source_id: int) -> Source | None:
    """One source, or None."""
    return await one(tx, Source, SOURCE.c.id == source_id)


async def by_name(tx: Transaction, name: str) -> Source | None:
    """One source, or None."""
    return await one(tx, Source, SOURCE.c.name == name)


async def due(tx: Transaction, now: datetime, *, limit: int = 100) -> list[Source]:
    """Sources whose time has come, the longest waiting first."""
    where = _polled & (SOURCE.c.next_poll_at <= now)
    return await many(tx, Source, where, order=SOURCE.c.next_poll_at, limit=limit)


async def pollable(tx: Transaction, now: datetime) -> list[Source]:
    """Every enabled source, due or not, but for those that asked us to come back later."""
    asked = SOURCE.c.retry_after_at.is_(None) | (SOURCE.c.retry_after_at <= now)
    return await many(tx, Source, _polled & asked)


async def claim(tx: Transaction, source: Source, now: datetime) -> bool:
    """Take one poll of a source; False if another process was quicker."""
    read = (SOURCE.c.id == source.id) & (SOURCE.c.next_poll_at == source.next_poll_at) & SOURCE.c.is_paused.is_(False)
    result = await tx.execute(sa.update(SOURCE).where(read).values(next_poll_at=now + POLL_LEASE))
    return bool(result.rowcount)


async def finish(tx: Transaction, source: Source, claimed_at: datetime, next_poll_at: datetime, **changes: Any) -> None:
    """Write what came of a poll claimed at an instant. Whoever woke the source meanwhile has the last word on when."""
    is_ours = SOURCE.c.next_poll_at == claimed_at + POLL_LEASE
    when = sa.case((is_ours, sa.literal(next_poll_at, SOURCE.c.next_poll_at.type)), else_=SOURCE.c.next_poll_at)
    await tx.execute(sa.update(SOURCE).where(SOURCE.c.id == source.id).values(**changes, next_poll_at=when))


async def insert(tx: Transaction, source: Source) -> int:
    """Store a new source."""
    return await add(tx, source)


async def write(tx: Transaction, source_id: int, **changes: Any) -> None:
    """Change the named columns of a source."""
    await tx.execute(sa.update(SOURCE).where(SOURCE.c.id == source_id).values(**changes))


async def wake(tx: Transaction, names: Sequence[str], now: datetime) -> None:
    """Make sources due at once, but for those that asked us to wait."""
    asked = SOURCE.c.retry_after_at.is_(None) | (SOURCE.c.retry_after_at <= now)
    await tx.execute(sa.update(SOURCE).where(SOURCE.c.name.in_(list(names)) & asked).values(next_poll_at=now))


async def remove(tx: Transaction, source_id: int) -> None:
    """Forget a source that brought nothing; one whose articles we keep is only paused by the caller."""
    await tx.execute(sa.delete(SOURCE).where(SOURCE.c.id == source_id))


async def article_counts(tx: Transaction) -> dict[int, int]:
    """How many articles each source has shown us."""
    sighting = table(Sighting)
    rows = await tx.execute(sa.select(sighting.c.source_id, sa.func.count()).group_by(sighting.c.source_id))
    return {row[0]: row[1] for row in rows}


async def fresh_counts(tx: Transaction, since: datetime) -> dict[int, int]:
    """How many articles each source has shown us since an instant, without what its first poll brought."""
    article, sighting = table(Article), table(Sighting)
    met = sa.select(sighting.c.source_id, sa.func.count()).join(article, article.c.id == sighting.c.article_id)
    where = (sighting.c.seen_at >= since) & article.c.is_backlog.is_(False)
    rows = await tx.execute(met.where(where).group_by(sighting.c.source_id))
    return {row[0]: row[1] for row in rows}


async def has_articles(tx: Transaction, source_id: int) -> bool:
    """Whether any article or sighting still points at the source."""
    article, sighting = table(Article), table(Sighting)
    for column in (article.c.source_id, sighting.c.source_id):
        if (await tx.execute(sa.select(column).where(column == source_id).limit(1))).first():
            return True
    return False
