"""The schema's version: created and upgraded on its own on SQLite (with a copy first), on command on PostgreSQL."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from dispatcher.errors import StoreError
from dispatcher.store.engine import Store, Transaction, in_turn

HEAD = "0004"
"""The newest revision in `migrations/versions` (a test keeps them equal): spares a start Alembic's import."""

MIGRATIONS = Path(__file__).parent / "migrations"
COUNTERS = ("release", "instant", "topics", "archive")
KEYS = ("suppression", "site")


async def current(store: Store) -> str | None:
    """The revision the database is at; None for an empty one."""
    async with store.read() as tx:
        return await _revision(tx)


async def prepare(store: Store, now: datetime) -> None:
    """Make sure that the schema is ours. StoreError says what to do when it is not and we may not change it."""
    if store.path is not None and not store.path.parent.is_dir():
        raise StoreError(f"{store.path.parent}: no such folder for the database {store.path.name}; create it first")
    revision = await current(store)
    if revision == HEAD:
        return
    _refuse_newer(revision)
    if not store.is_sqlite:
        raise StoreError("the database's schema is not up to date: run `dispatcher db upgrade`")
    await upgrade(store, now)


async def upgrade(store: Store, now: datetime) -> str | None:
    """Bring the schema to HEAD, with a copy of a SQLite file first. Returns the copy's path if there is one.

    All of it happens in one transaction, so that of two processes that try at once the second finds it done.
    """
    _refuse_newer(await current(store))
    copy = None
    async with store.write() as tx:
        await in_turn(tx, "schema")
        revision = await _revision(tx)
        _refuse_newer(revision)
        if revision not in (None, HEAD) and store.path is not None:
            name = f"{store.path.name}.{revision}-{now:%Y%m%dT%H%M%S}.backup"
            copy = str(backup(store, store.path.with_name(name)))
        await tx.run_sync(_migrate)
        await _furnish(tx, now)
    return copy


def backup(store: Store, target: Path) -> Path:
    """Copy a SQLite database while it is in use. StoreError on PostgreSQL, which brings `pg_dump` for that."""
    if store.path is None:
        raise StoreError("`db backup` copies SQLite files; use pg_dump for PostgreSQL")
    if target.exists():
        raise StoreError(f"{target}: already there; choose another name")
    try:
        with closing(sqlite3.connect(store.path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise StoreError(f"{target}: the copy failed: {error}") from error
    return target


async def _revision(tx: Transaction) -> str | None:
    there = await tx.run_sync(lambda connection: sa.inspect(connection).has_table("alembic_version"))
    if not there:
        return None
    return (await tx.execute(sa.text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision not in known():
        raise StoreError(
            f"the database is at revision {revision}, which this version does not know: a newer dispatcher "
            "has used it. Nothing was changed. Install that version again, or point database.url elsewhere."
        )


def known() -> set[str]:
    """Every revision this version can upgrade from."""
    return {path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _furnish(tx: Transaction, now: datetime) -> None:
    """The rows that must exist: counters at zero and the database's own keys."""
    from dispatcher.model.runtime import Counter, Key
    from dispatcher.store.engine import add_new

    await add_new(tx, Counter, [{"name": name, "value": 0} for name in COUNTERS])
    await add_new(tx, Key, [{"name": name, "value": secrets.token_hex(32), "created_at": now} for name in KEYS])
