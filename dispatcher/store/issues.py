"""Issues: the digests of public topics that the archive shows, by topic and day; and the editions that were sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from dispatcher.model.archive import Issue
from dispatcher.model.content import Topic
from dispatcher.model.edition import Edition, EditionStatus
from dispatcher.model.outbound import Digest
from dispatcher.store.engine import Transaction, add_new, among, chunks, load, many, one, table

LOOK, LOOKED_AT = 200, 5_000

ISSUE, DIGEST, TOPIC, EDITION = table(Issue), table(Digest), table(Topic), table(Edition)


async def latest(tx: Transaction, topic_ids: Sequence[int]) -> dict[int, Issue]:
    """The newest issue of each of these topics."""
    mine = sa.select(ISSUE.c.id).where(ISSUE.c.topic_id == TOPIC.c.id)
    last = mine.order_by(ISSUE.c.issued_on.desc()).limit(1).scalar_subquery()  # one step in an index for each topic
    ids: list[int] = []
    for part in chunks(sorted(topic_ids)):
        ids += [row[0] for row in await tx.execute(sa.select(last).where(TOPIC.c.id.in_(part))) if row[0] is not None]
    return {issue.topic_id: issue for issue in await among(tx, Issue, ISSUE.c.id, ids)}


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


async def newest(tx: Transaction, topic_ids: Collection[int], limit: int) -> list[Issue]:
    """The newest issues of any of these topics, the newest first, as far as they are among the last LOOKED_AT of all.

    Asked for by topic, a database would sort all the issues that they ever had.
    """
    found: list[Issue] = []
    last: int | None = None
    for _ in range(0, LOOKED_AT, LOOK):
        some = await many(
            tx, Issue, *([] if last is None else [ISSUE.c.id < last]), order=ISSUE.c.id.desc(), limit=LOOK
        )
        found += [issue for issue in some if issue.topic_id in topic_ids]
        if len(found) >= limit or len(some) < LOOK:
            break
        last = some[-1].id
    return found[:limit]


async def digests(tx: Transaction, issues: Sequence[Issue]) -> dict[int, Digest]:
    """The digests of issues, by their ids."""
    return {digest.id or 0: digest for digest in await among(tx, Digest, DIGEST.c.id, {i.digest_id for i in issues})}


async def editions(tx: Transaction, limit: int) -> list[Edition]:
    """The newest editions that were sent."""
    return await many(tx, Edition, EDITION.c.status == EditionStatus.SENT, order=EDITION.c.id.desc(), limit=limit)


async def edition(tx: Transaction, slug: str) -> Edition | None:
    """An edition that was sent."""
    return await one(tx, Edition, EDITION.c.slug == slug, EDITION.c.status == EditionStatus.SENT)


async def digest_of(tx: Transaction, edition_id: int, locale: str) -> Digest | None:
    """An edition as it was sent in a language, or else as it was sent first."""
    first = sa.case((DIGEST.c.locale == locale, 0), else_=1)
    query = sa.select(Digest).where(DIGEST.c.edition_id == edition_id).order_by(first, DIGEST.c.id).limit(1)
    return next(iter(await load(tx, query)), None)


async def prune(tx: Transaction, before: datetime) -> int:
    """Forget the issues made before an instant; their digests go as all others do. Returns how many."""
    return int((await tx.execute(sa.delete(ISSUE).where(ISSUE.c.created_at < before))).rowcount)


async def forget(tx: Transaction, topic_id: int) -> None:
    """Forget a topic's issues."""
    await tx.execute(sa.delete(ISSUE).where(ISSUE.c.topic_id == topic_id))
