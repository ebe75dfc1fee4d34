"""Engines: how connections to either database are opened and behave."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from dispatcher.errors import StoreError

BUSY_TIMEOUT = 15.0
"""Seconds that a transaction on SQLite waits for another process's write."""

KNOCK, PAUSE = 0.002, 0.004
"""Seconds: of waiting at one knock, and at most between two. We knock often and briefly: SQLite's own waiting sleeps
longer and longer, and beside a process that commits all the time it would be passed over for seconds."""

PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-16000")
POOL = {"pool_size": 8, "max_overflow": 24}


def sqlite(url: sa.URL, patience: float | None = None) -> AsyncEngine:
    """An engine for coroutines; a statement waits `patience` seconds for another process's write, or BUSY_TIMEOUT."""
    timeout = BUSY_TIMEOUT if patience is None else patience
    engine = create_async_engine(url, connect_args={"timeout": timeout}, **POOL)
    _behave(engine.sync_engine)
    return engine


def postgresql(url: sa.URL) -> AsyncEngine:
    """An engine for coroutines. StoreError if the driver is not installed."""
    try:
        return create_async_engine(url, pool_pre_ping=True, **POOL)
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs the extra: pip install 'dispatcher[postgres]'") from error


def in_a_thread(url: sa.URL, most: int) -> sa.Engine:
    """An engine for functions that run in threads of their own, on up to so many connections."""
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, pool_size=most, max_overflow=0)
    connect_args = {"timeout": KNOCK, "check_same_thread": False}
    engine = sa.create_engine(url.set(drivername="sqlite"), connect_args=connect_args, pool_size=most, max_overflow=0)
    _behave(engine)
    return engine


def is_locked(error: sa.exc.OperationalError) -> bool:
    """Whether another process is writing to SQLite."""
    return "locked" in str(error.orig)


def _behave(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        immediate = connection.get_execution_options().get("begin_immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
