"""The tallies: how much mail ended in each hour, and what came back of it; and how much waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dispatcher.model.outbound import Delivery, Tally
from dispatcher.model.values import DeliveryKind, Priority
from dispatcher.model.values import DeliveryStatus as Status
from dispatcher.store.engine import Transaction, in_turn, table
from dispatcher.store.prepared import Prepared

TALLY, DELIVERY = table(Tally), table(Delivery)
PARTS = 16
KEY = ("hour_at", "newsletter_id", "kind", "part")
COUNTED = ("sent", "failed", "bounced", "complained")

Key = tuple[datetime, int, DeliveryKind]
"""The hour, the newsletter, the kind."""


def count(connection: sa.Connection, instance_id: int, more: Mapping[Key, Mapping[str, int]]) -> None:
    """Add to what is counted, in this process's part. Rows are locked in one order, so that nobody waits in a ring."""
    nothing = dict.fromkeys(COUNTED, 0)
    rows = [
        {"hour_at": hour, "newsletter_id": newsletter_id, "kind": kind, "part": instance_id % PARTS, **nothing, **of}
        for (hour, newsletter_id, kind), of in sorted(more.items())
    ]
    if rows:
        _add[connection.dialect.name].run(connection, rows)


async def since(
    tx: Transaction, kinds: Sequence[DeliveryKind], moment: datetime, *, until: datetime | None = None
) -> dict[int, dict[str, int]]:
    """What was counted of these kinds from the hour of `moment` on, by newsletter; if given, before `until`."""
    where = (TALLY.c.hour_at >= moment) & TALLY.c.kind.in_(kinds)
    if until is not None:
        where &= TALLY.c.hour_at < until
    sums = [sa.func.sum(TALLY.c[name]) for name in COUNTED]
    rows = await tx.execute(sa.select(TALLY.c.newsletter_id, *sums).where(where).group_by(TALLY.c.newsletter_id))
    return {row[0]: dict(zip(COUNTED, map(int, row[1:]), strict=True)) for row in rows}


async def daily(tx: Transaction, kinds: Sequence[DeliveryKind], moment: datetime) -> dict[date, int]:
    """How many mails of these kinds ended on each day (UTC) since a moment."""
    ended = sa.func.sum(TALLY.c.sent + TALLY.c.failed)
    query = sa.select(TALLY.c.hour_at, ended).where((TALLY.c.hour_at >= moment) & TALLY.c.kind.in_(kinds))
    days: dict[date, int] = {}
    for hour, number in await tx.execute(query.group_by(TALLY.c.hour_at)):
        days[hour.date()] = days.get(hour.date(), 0) + int(number)
    return days


async def first_day(tx: Transaction, kinds: Sequence[DeliveryKind]) -> date | None:
    """The first day of which mail of these kinds is counted."""
    query = sa.select(TALLY.c.hour_at).where(TALLY.c.kind.in_(kinds)).order_by(TALLY.c.hour_at).limit(1)
    hour: datetime | None = (await tx.execute(query)).scalar()
    return hour.date() if hour else None


async def ended(tx: Transaction, moment: datetime) -> int:
    """How many mails of any kind ended since a moment."""
    query = sa.select(sa.func.sum(TALLY.c.sent + TALLY.c.failed)).where(TALLY.c.hour_at >= moment)
    return int((await tx.execute(query)).scalar() or 0)


async def under_way(tx: Transaction) -> int:
    """How many mails are claimed. In turn: what a claim before this one took is counted."""
    await in_turn(tx, "daily cap")
    mail = (DELIVERY.c.status == Status.SENDING) & (DELIVERY.c.priority < int(Priority.WEBHOOK))
    return int((await tx.execute(sa.select(sa.func.count()).select_from(DELIVERY).where(mail))).scalar_one())


async def waiting(tx: Transaction, *, most: int | None = None) -> int:
    """How much bulk mail is queued, due or not; counted up to `most`, from the index alone."""
    bulk = (DELIVERY.c.status == Status.QUEUED) & (DELIVERY.c.priority == int(Priority.DIGEST))
    some = sa.select(DELIVERY.c.priority).where(bulk).limit(most).subquery()
    return int((await tx.execute(sa.select(sa.func.count()).select_from(some))).scalar_one())


async def newest(tx: Transaction) -> int:
    """The highest number of a delivery: between two looks, no more can have come than it has grown by."""
    return int((await tx.execute(_newest)).scalar() or 0)


async def prune(tx: Transaction, before: datetime) -> int:
    """Forget what was counted before an instant."""
    return int((await tx.execute(sa.delete(TALLY).where(TALLY.c.hour_at < before))).rowcount)


def _upsert(fresh: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    more = {name: TALLY.c[name] + fresh.excluded[name] for name in COUNTED}
    return fresh.on_conflict_do_update(index_elements=list(KEY), set_=more)


_add = {
    "sqlite": Prepared(_upsert(sqlite.insert(TALLY))),
    "postgresql": Prepared(_upsert(postgresql.insert(TALLY))),
}
_newest = sa.select(sa.func.max(DELIVERY.c.id))
