"""One database, two engines: transactions on SQLite (WAL) and PostgreSQL, and the few words of SQL that differ.

Every function of this room takes a `Transaction` first. A write transaction on SQLite begins IMMEDIATE, so that
what it reads cannot change before it writes; on PostgreSQL the functions lock the rows they decide about.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from dispatcher.errors import StoreError
from dispatcher.store import connections
from dispatcher.store.clerk import Clerk

Transaction = AsyncConnection
Connection = sa.Connection
Noun = TypeVar("Noun", bound=SQLModel)
Result = TypeVar("Result")

TURNS = 0x7475_726E  # "turn": the first half of the advisory locks of `in_turn`, apart from those of instances
CHUNK = 500  # bound values in one IN (...), well below every engine's limit


class Store:
    """The database behind a URL. Close it when done."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = connections.sqlite(self.url) if self.is_sqlite else connections.postgresql(self.url)
        self.writer = connections.sqlite(self.url, connections.KNOCK) if self.is_sqlite else self.engine
        isolation = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._views = self.engine.execution_options(**isolation)
        self._writing = asyncio.Lock()
        self._clerk: Clerk | None = None

    @property
    def path(self) -> Path | None:
        """The database file, on SQLite."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A transaction that only reads: one consistent view."""
        with _spoken():
            async with self._views.begin() as tx:
                yield tx

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that writes; committed at the end, rolled back on any exception."""
        if not self.is_sqlite:
            with _spoken():
                async with self.engine.begin() as tx:
                    yield tx
            return
        async with self._writing:  # queue here, in order, rather than in SQLite's busy loop
            with _spoken():
                async with self.writer.connect() as tx:
                    await tx.execution_options(begin_immediate=True)
                    await _begin(tx)
                    try:
                        yield tx
                    except BaseException:
                        await tx.rollback()
                        raise
                    await tx.commit()

    async def at_once(self, work: Callable[[sa.Connection], Result]) -> Result:
        """A write transaction made by a function of its own, in a thread, in one go: for what is done all the time.

        Each statement of `write` is a journey to another thread and back, which costs ten times the statement. Work
        that has begun is not cancelled: it is waited for.
        """
        if self._clerk is None:
            self._clerk = Clerk(self.url)
        with _spoken():
            if not self.is_sqlite:
                return await self._clerk.do(work)
            async with self._writing:
                return await self._clerk.do(work)

    async def close(self) -> None:
        """Close every connection."""
        if self._clerk is not None:
            await self._clerk.close()
        await self.engine.dispose()
        await self.writer.dispose()


class _spoken:  # noqa: N801 - reads as a word at the call
    """Turn the driver's complaint about the outside world (locked, full, gone) into a StoreError that can be read."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sa.exc.DBAPIError) and _is_about_the_world(error):
            raise StoreError(f"the database refused: {error.orig}") from error
        if isinstance(error, sqlite3.DatabaseError):  # while connecting, before SQLAlchemy gives errors its names
            raise StoreError(f"the database refused: {error}") from error


def _is_about_the_world(error: sa.exc.DBAPIError) -> bool:
    """Whether the database could not, rather than would not; a connection that was cut may be told of by any kind."""
    kind = type(error)
    return issubclass(kind, sa.exc.OperationalError) or kind is sa.exc.DatabaseError or error.connection_invalidated


async def _begin(tx: AsyncConnection) -> None:
    """BEGIN IMMEDIATE, once no other process writes; see `connections.KNOCK`."""
    until = time.monotonic() + connections.BUSY_TIMEOUT
    while True:
        try:
            await tx.begin()
            return
        except sa.exc.OperationalError as error:
            if not connections.is_locked(error) or time.monotonic() > until:
                raise
            await asyncio.sleep(random.uniform(0, connections.PAUSE))


async def database_now(tx: Transaction) -> datetime:
    """The database's own clock, aware UTC: what leases are measured with, whatever the machines' clocks say."""
    return await tx.run_sync(now_of)


def now_of(connection: sa.Connection) -> datetime:
    """The same, for functions that are given a connection."""
    if connection.dialect.name == "sqlite":
        text: str = connection.execute(_SQLITE_NOW).scalar_one()
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    moment: datetime = connection.execute(_POSTGRESQL_NOW).scalar_one()
    return moment.astimezone(UTC)


_SQLITE_NOW = sa.text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")
_POSTGRESQL_NOW = sa.text("SELECT clock_timestamp()")


def table(noun: type[SQLModel]) -> sa.Table:
    """The table of a noun, for SQL that never makes objects."""
    found: sa.Table = noun.__table__  # type: ignore[attr-defined]
    return found


async def many(
    tx: Transaction, noun: type[Noun], *where: Any, order: Any = None, limit: int | None = None
) -> list[Noun]:
    """The nouns that fit, as plain objects that no session watches."""
    query = sa.select(noun).where(*where).order_by(order if order is not None else table(noun).c[0])
    return await load(tx, query.limit(limit) if limit is not None else query)


async def load(tx: Transaction, query: sa.Select[Noun]) -> list[Noun]:
    """The nouns of a query. The ORM's loader makes them four times as fast as their constructor, and is let go."""

    def fetch(connection: sa.Connection) -> list[Noun]:
        with Session(connection, expire_on_commit=False) as session:
            return list(session.scalars(query))

    return await tx.run_sync(fetch)


async def one(tx: Transaction, noun: type[Noun], *where: Any) -> Noun | None:
    """The first noun that fits, or None."""
    found = await many(tx, noun, *where, limit=1)
    return found[0] if found else None


async def among(
    tx: Transaction, noun: type[Noun], column: sa.Column[Any], values: Iterable[Any], *where: Any
) -> list[Noun]:
    """The nouns whose column is one of many values, asked for in chunks."""
    found: list[Noun] = []
    for part in chunks(sorted(set(values))):
        found += await many(tx, noun, column.in_(part), *where)
    return found


async def add(tx: Transaction, noun: SQLModel) -> int:
    """Insert one noun and give it its id."""
    values = {k: v for k, v in noun.model_dump().items() if not (k == "id" and v is None)}
    result = await tx.execute(sa.insert(table(type(noun))).values(values).returning(table(type(noun)).c.id))
    noun.id = result.scalar_one()
    return int(noun.id)  # type: ignore[attr-defined]


async def add_all(tx: Transaction, noun: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert many rows at once; returns their ids in the order of the rows."""
    if not rows:
        return []
    ids = table(noun).c.id
    statement = sa.insert(table(noun)).returning(ids, sort_by_parameter_order=True)
    return [row[0] for row in await tx.execute(statement, [dict(row) for row in rows])]


async def add_new(tx: Transaction, noun: type[SQLModel], rows: Sequence[dict[str, Any]]) -> int:
    """Insert rows of the same columns, but for those that a unique key says are there. Returns how many were new."""
    if not rows:
        return 0
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table(noun)).on_conflict_do_nothing()
    if dialect is postgresql:
        key = table(noun).primary_key.columns[0]
        return len((await tx.execute(statement.returning(key), list(rows))).all())
    before = await _changes(tx)
    await tx.execute(statement, list(rows))
    return await _changes(tx) - before


async def _changes(tx: Transaction) -> int:
    """SQLite's own count of changed rows: its driver reports none for many rows at once."""
    return int((await tx.execute(sa.text("SELECT total_changes()"))).scalar_one())


async def raise_counter(tx: Transaction, name: str, by: int = 1) -> int:
    """Raise a counter and return its new value. Its row stays locked until commit: numbers follow commit order."""
    result = await tx.execute(
        sa.text("UPDATE counter SET value = value + :by WHERE name = :name RETURNING value"), {"name": name, "by": by}
    )
    return int(result.scalar_one())


async def counter(tx: Transaction, name: str, *, hold: bool = False) -> int:
    """A counter's value. `hold` keeps others from raising it before we commit."""
    lock = " FOR SHARE" if hold and tx.dialect.name == "postgresql" else ""
    query = sa.text(f"SELECT value FROM counter WHERE name = :name{lock}")
    return int((await tx.execute(query, {"name": name})).scalar_one())


async def move_counter(tx: Transaction, name: str, before: int, after: int) -> bool:
    """Move a cursor if nobody else has moved it."""
    result = await tx.execute(
        sa.text("UPDATE counter SET value = :after WHERE name = :name AND value = :before"),
        {"name": name, "before": before, "after": after},
    )
    return bool(result.rowcount)


async def in_turn(tx: Transaction, name: str) -> None:
    """Let only one transaction of this name run at a time, until it ends. SQLite writes one at a time anyway."""
    if tx.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))")
        await tx.execute(lock, {"space": TURNS, "name": name})


def chunks(values: Sequence[Any], size: int = CHUNK) -> Iterable[Sequence[Any]]:
    """A sequence in parts that fit into one statement."""
    return (values[start : start + size] for start in range(0, len(values), size))


def for_update(tx: Transaction | sa.Connection, query: Any) -> Any:
    """Lock the selected rows, passing over those that another process has (PostgreSQL; SQLite locks the file)."""
    return query.with_for_update(skip_locked=True) if tx.dialect.name == "postgresql" else query


def sqlite_version() -> str:
    """The SQLite library in use."""
    return sqlite3.sqlite_version
