"""The buckets: rates that all processes share, and how much they were slowed down.

Whoever holds buckets locks all of them at once and in one order, so that nobody waits in a ring; SQLite has one writer
anyway. Called with a connection, within somebody else's write transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dispatcher.model.outbound import Bucket
from dispatcher.store.engine import chunks, now_of, table

BUCKET = table(Bucket)
LONG_AGO = datetime.fromtimestamp(0, UTC)
IDLE = timedelta(days=2)
"""After so long, no rate remembers anything: the longest is one by the day."""


class Kept(NamedTuple):
    """What is kept of a rate; see Bucket."""

    next_at: datetime = LONG_AGO
    spent: Sequence[Sequence[int]] = ()
    booked_until: datetime = LONG_AGO
    slowed: float = 1.0
    pace: float = 0.0
    changed_at: datetime | None = None


def hold(connection: sa.Connection, names: Iterable[str]) -> tuple[datetime, dict[str, Kept]]:
    """Lock these buckets until the transaction ends, new ones made where there are none; with the database's time."""
    found: dict[str, Kept] = {}
    for part in chunks(sorted(names)):
        connection.execute(_make[connection.dialect.name], [{"name": name, **Kept()._asdict()} for name in part])
        found |= {row.name: Kept(*row[1:]) for row in connection.execute(_hold, {"names": part})}
    return now_of(connection), found  # asked when they are ours: others took their time


def save(connection: sa.Connection, kept: Mapping[str, Kept]) -> None:
    """Write what became of buckets that are held."""
    if kept:
        connection.execute(_save, [{"name_": name, **one._asdict()} for name, one in kept.items()])


def slowed(connection: sa.Connection, within: timedelta) -> tuple[datetime, dict[str, Kept]]:
    """The buckets that were slowed down within so long, and the database's time."""
    now = now_of(connection)
    return now, {row.name: Kept(*row[1:]) for row in connection.execute(_slowed, {"since": now - within})}


def forget(connection: sa.Connection) -> None:
    """Take away what nobody has used for long: each domain may have had a bucket of its own."""
    connection.execute(_forget, {"before": now_of(connection) - IDLE})


_columns = [BUCKET.c[name] for name in ("name", *Kept._fields)]
_instant = BUCKET.c.next_at.type
_make = {
    "sqlite": sqlite.insert(BUCKET).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(BUCKET).on_conflict_do_nothing(),
}
_hold = (
    sa.select(*_columns)
    .where(BUCKET.c.name.in_(sa.bindparam("names", expanding=True)))
    .order_by(BUCKET.c.name)
    .with_for_update()
)
_save = (
    sa.update(BUCKET)
    .where(BUCKET.c.name == sa.bindparam("name_"))
    .values({name: sa.bindparam(name, type_=BUCKET.c[name].type) for name in Kept._fields})
)
_slowed = sa.select(*_columns).where(BUCKET.c.changed_at > sa.bindparam("since", type_=_instant))
_before = sa.bindparam("before", type_=_instant)
_forget = sa.delete(BUCKET).where(
    (BUCKET.c.next_at < _before) & ((BUCKET.c.changed_at < _before) | BUCKET.c.changed_at.is_(None))
)
