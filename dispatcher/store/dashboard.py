"""The figures of the admin's first page. Each is read from an index alone, so that a million rows are no burden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dispatcher.model.audience import Schedule, Subscriber
from dispatcher.model.consent import OptIn
from dispatcher.model.content import Article, Match, Source
from dispatcher.model.feedback import Event
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryStatus as Status
from dispatcher.store.engine import Transaction, many, table

SUBSCRIBER, SCHEDULE, OPT_IN, SOURCE = table(Subscriber), table(Schedule), table(OptIn), table(Source)
ARTICLE, MATCH, EVENT, DELIVERY = table(Article), table(Match), table(Event), table(Delivery)

HOUR = timedelta(hours=1)
BACK, AHEAD = 24, 12  # hours that the charts show
WEEK = timedelta(days=7)
LATEST = 2_000  # failures that are looked through for their reasons
QUEUE = (Status.QUEUED, Status.SENDING, Status.DEFERRED, Status.HELD)
ENDED = (Status.SENT, Status.FAILED, Status.EXPIRED, Status.SUPPRESSED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Figures:
    """What flows through the pipe. Series are by the hour, `since` being the start of the first and `due_since` of
    the first hour to come; `ended` and `events` are of the last seven days, `reasons` the commonest of its failures."""

    since: datetime
    due_since: datetime
    articles: Sequence[int]
    matches: Sequence[int]
    sent: Sequence[int]
    due: Sequence[int]
    queue: dict[str, int]
    ended: dict[str, int]
    reasons: Sequence[tuple[int, str, int]]
    events: dict[str, int]
    subscribers: dict[str, int]
    opt_ins: int
    sources: Sequence[Source]


async def figures(tx: Transaction, now: datetime, *, confirm_within: timedelta) -> Figures:
    """Everything that the dashboard shows, as of now. `confirm_within` is how long a request waits to be confirmed."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    since = this_hour - HOUR * (BACK - 1)
    matched = sa.select(sa.func.count()).select_from(ARTICLE.join(MATCH, MATCH.c.article_id == ARTICLE.c.id))
    return Figures(
        since=since,
        due_since=this_hour,
        articles=await _hourly(tx, _count(ARTICLE), ARTICLE.c.seen_at, since, BACK),
        matches=await _hourly(tx, matched, ARTICLE.c.seen_at, since, BACK),
        sent=await _hourly(tx, _count(DELIVERY, DELIVERY.c.status == Status.SENT), DELIVERY.c.finished_at, since, BACK),
        due=await _hourly(tx, _count(SCHEDULE), SCHEDULE.c.next_due_at, this_hour, AHEAD, overdue=True),
        queue=await _standing(tx, QUEUE),
        ended=await _standing(tx, ENDED, DELIVERY.c.finished_at >= now - WEEK),
        reasons=await _reasons(tx, now - WEEK),
        events=await _grouped(tx, EVENT.c.type, EVENT.c.at >= now - WEEK),
        subscribers=await _grouped(tx, SUBSCRIBER.c.status),
        opt_ins=await _scalar(
            tx, _count(OPT_IN, OPT_IN.c.requested_at >= now - confirm_within, OPT_IN.c.confirmed_at.is_(None))
        ),
        sources=await many(tx, Source, order=SOURCE.c.name),
    )


def _count(of: sa.Table, *where: Any) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(of).where(*where)


async def _scalar(tx: Transaction, query: sa.Select[Any]) -> int:
    return int((await tx.execute(query)).scalar_one())


async def _hourly(
    tx: Transaction,
    query: sa.Select[Any],
    column: sa.Column[Any],
    since: datetime,
    hours: int,
    *,
    overdue: bool = False,
) -> list[int]:
    """Counts of so many hours in one statement. `overdue` counts what was before them with the first."""
    parts = []
    for number in range(hours):
        begins = since + HOUR * number
        inside = column < begins + HOUR
        if number or not overdue:
            inside &= column >= begins
        parts.append(query.where(inside).scalar_subquery().label(f"h{number}"))
    return list((await tx.execute(sa.select(*parts))).one())


async def _standing(tx: Transaction, statuses: Sequence[Status], *where: Any) -> dict[str, int]:
    """How many deliveries stand in each of these: one seek in the index for each, where grouping would read it all."""
    counts = [_count(DELIVERY, DELIVERY.c.status == status, *where) for status in statuses]
    row = (await tx.execute(sa.select(*(count.scalar_subquery() for count in counts)))).one()
    return {status.value: count for status, count in zip(statuses, row, strict=True)}


async def _grouped(tx: Transaction, column: sa.Column[Any], *where: Any) -> dict[str, int]:
    rows = await tx.execute(sa.select(column, sa.func.count()).where(*where).group_by(column))
    return {row[0].value: row[1] for row in rows}


async def _reasons(tx: Transaction, since: datetime) -> list[tuple[int, str, int]]:
    """(code, an example of the words, how many) of the latest failures, the commonest first."""
    failed = (DELIVERY.c.status == Status.FAILED) & (DELIVERY.c.finished_at >= since)
    latest = (
        sa.select(DELIVERY.c.code, DELIVERY.c.reason)
        .where(failed)
        .order_by(DELIVERY.c.finished_at.desc())
        .limit(LATEST)
        .subquery()
    )
    kind = sa.func.substr(latest.c.reason, 1, 9)  # the code and the enhanced code, as in "550 5.1.1"
    count = sa.func.count()
    query = sa.select(latest.c.code, sa.func.max(latest.c.reason), count).group_by(latest.c.code, kind)
    rows = await tx.execute(query.order_by(count.desc(), latest.c.code).limit(6))
    return [(row[0], row[1], row[2]) for row in rows]
