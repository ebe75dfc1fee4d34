"""Telling the owner of a source that broke, and of its recovery: each once, and never of a blip."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dispatcher.model.content import Source
from dispatcher.model.values import AlarmName
from dispatcher.pipeline.alarms import Notice, raise_alarm
from dispatcher.sources.health import News, examine
from dispatcher.sources.http import Failure

if TYPE_CHECKING:
    from dispatcher.pipeline.context import Context
    from dispatcher.store import Transaction


async def account(
    ctx: Context, tx: Transaction, source: Source, failure: Failure | None, now: datetime
) -> dict[str, Any]:
    """Tell what there is to tell after a poll; the columns of the source to write in the same transaction."""
    health = examine(source, failure, now)
    since = health.broken_since or source.broken_since or now
    key = f"{source.id}:{since.isoformat()}"
    if health.news is News.BROKE and failure is not None:
        await raise_alarm(ctx, tx, AlarmName.SOURCE, _broke(source, failure, since), key=key, now=now)
    elif health.news is News.RECOVERED:
        notice = _recovered(source, since, now)
        await raise_alarm(ctx, tx, AlarmName.SOURCE, notice, key=f"{key}:recovered", now=now)
    return {"broken_since": health.broken_since, "told_broken_at": health.told_broken_at}


def _broke(source: Source, failure: Failure, since: datetime) -> Notice:
    return Notice(
        title=f"A source cannot be read: {source.name}",
        since=since,
        paragraphs=(
            " ".join(failure.reason.split()),
            "Its articles are missing from digests meanwhile; all other sources are read as before. It is tried again, "
            "more and more seldom, at least once a day, and you are told when it can be read again.",
            "See what happens step by step, and how the others fare:",
        ),
        commands=(f"dispatcher sources check {shlex.quote(source.url)}", "dispatcher sources"),
    )


def _recovered(source: Source, since: datetime, now: datetime) -> Notice:
    return Notice(
        title=f"A source can be read again: {source.name}",
        since=now,
        paragraphs=(f"It could not be read since {since:%Y-%m-%d %H:%M} UTC: {' '.join(source.last_error.split())}",),
    )
