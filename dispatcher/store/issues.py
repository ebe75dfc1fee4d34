"""Issues: the digests of public topics that the archive shows, by topic and day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.archive import Issue
from dispatcher.model.content import Topic
from dispatcher.model.outbound import Digest
from dispatcher.store.engine import Transaction, add_new, among, chunks, load, many, one, table

ISSUE, DIGEST, TOPIC = table(Issue), table(Digest), table(Topic)


async def latest(tx: Transaction, topic_ids: Sequence[int]) -> dict[int, Issue]:
    """The newest issue of each of these topics."""
    one_of = ISSUE.alias()
    last_on = sa.select(sa.func.max(one_of.c.issued_on)).where(one_of.c.topic_id == TOPIC.c.id).scalar_subquery()
    query = sa.select(Issue).join(TOPIC, ISSUE.c.topic_id == TOPIC.c.id).where(ISSUE.c.issued_on == last_on)
    found: dict[int, Issue] = {}
    for part in chunks(sorted(topic_ids)):
        found.update({issue.topic_id: issue for issue in await load(tx, query.where(TOPIC.c.id.in_(part)))})
    return found


async def told(tx: Transaction, topic_ids: Sequence[int], since: date) -> dict[int, set[int]]:
    """The stories (clusters) that stood in these topics' issues of a day or later, by topic."""
    query = sa.select(ISSUE.c.topic_id, DIGEST.c["items"]).join(DIGEST, DIGEST.c.id == ISSUE.c.digest_id)
    found: dict[int, set[int]] = {}
    for part in chunks(sorted(topic_ids)):
        for row in await tx.execute(query.where(ISSUE.c.topic_id.in_(part) & (ISSUE.c.issued_on >= since))):
            found.setdefault(row[0], set()).update(item[2] for item in row[1])
    return found


async def save(tx: Transaction, rows: Sequence[dict[str, Any]]) -> int:
    """Keep issues; a topic that has one for that day keeps the one it has. Returns how many were new."""
    return await add_new(tx, Issue, sorted(rows, key=lambda row: (row["topic_id"], row["issued_on"])))


async def on(tx: Transaction, topic_id: int, day: date) -> Issue | None:
    """A topic's issue of a day."""
    return await one(tx, Issue, ISSUE.c.topic_id == topic_id, ISSUE.c.issued_on == day)


async def beside(tx: Transaction, topic_id: int, day: date) -> tuple[date | None, date | None]:
    """The days of the issues before and after a day's."""
    mine = ISSUE.c.topic_id == topic_id
    before = sa.select(sa.func.max(ISSUE.c.issued_on)).where(mine & (ISSUE.c.issued_on < day))
    after = sa.select(sa.func.min(ISSUE.c.issued_on)).where(mine & (ISSUE.c.issued_on > day))
    return (await tx.execute(before)).scalar(), (await tx.execute(after)).scalar()


async def page(tx: Transaction, topic_id: int, *, before: date | None, limit: int) -> list[Issue]:
    """A topic's issues from before a day, newest first."""
    older = [] if before is None else [ISSUE.c.issued_on < before]
    return await many(tx, Issue, ISSUE.c.topic_id == topic_id, *older, order=ISSUE.c.issued_on.desc(), limit=limit)


async def newest(tx: Transaction, topic_ids: Sequence[int], limit: int) -> list[Issue]:
    """The newest issues of any of these topics, the newest first."""
    mine = [ISSUE.c.topic_id.in_(part) for part in chunks(sorted(topic_ids))]
    return await many(tx, Issue, sa.or_(sa.false(), *mine), order=ISSUE.c.id.desc(), limit=limit)


async def digests(tx: Transaction, issues: Sequence[Issue]) -> dict[int, Digest]:
    """The digests of issues, by their ids."""
    return {digest.id or 0: digest for digest in await among(tx, Digest, DIGEST.c.id, {i.digest_id for i in issues})}


async def prune(tx: Transaction, before: datetime) -> int:
    """Forget the issues made before an instant; their digests go as all others do. Returns how many."""
    return int((await tx.execute(sa.delete(ISSUE).where(ISSUE.c.created_at < before))).rowcount)


async def forget(tx: Transaction, topic_id: int) -> None:
    """Forget a topic's issues."""
    await tx.execute(sa.delete(ISSUE).where(ISSUE.c.topic_id == topic_id))
