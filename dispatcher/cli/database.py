"""`db`: the schema and its copies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.options import Json
from dispatcher.cli.session import load_file, run

if TYPE_CHECKING:
    from dispatcher.store import Store

app = typer.Typer(name="db", help="The database's schema and copies.", no_args_is_help=True)


@asynccontextmanager
async def _opened() -> AsyncIterator[Store]:
    """The database as it stands, whatever its schema."""
    from dispatcher.store import Store

    store = Store(load_file().database_url)
    try:
        yield store
    finally:
        await store.close()


@app.command()
def upgrade() -> None:
    """Bring the schema up to date; a SQLite file is copied first."""

    async def work() -> None:
        from dispatcher import clock
        from dispatcher.cli import show
        from dispatcher.store import schema

        async with _opened() as store:
            copy = await schema.upgrade(store, clock.now())
        show.say(f"the schema is at {schema.HEAD}" + (f"; the copy from before is {copy}" if copy else ""))

    run(work())


@app.command()
def current(json: Json = False) -> None:
    """Show the revision that the database is at."""

    async def work() -> None:
        from dispatcher.cli import show
        from dispatcher.store import schema

        async with _opened() as store:
            is_there = store.path is None or store.path.exists()  # looking must not make a file
            revision = await schema.current(store) if is_there else None
        if json:
            show.as_json({"revision": revision, "newest": schema.HEAD})
            return
        fresh = "up to date" if revision == schema.HEAD else f"this version's is {schema.HEAD}"
        show.say(f"{revision or 'empty'} ({fresh})")

    run(work())


@app.command()
def backup(
    target: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The copy; beside the database by default.")
    ] = None,
) -> None:
    """Copy a SQLite database, while it is in use if need be."""

    async def work() -> None:
        from dispatcher import clock
        from dispatcher.cli import show
        from dispatcher.errors import StoreError
        from dispatcher.store import schema

        async with _opened() as store:
            if store.path is None or not store.path.exists():
                raise StoreError("there is no SQLite file to copy (on PostgreSQL use pg_dump)")
            chosen = target or store.path.with_name(f"{store.path.name}.{clock.now():%Y%m%dT%H%M%S}.backup")
            show.say(f"wrote {schema.backup(store, chosen)}")

    run(work())
