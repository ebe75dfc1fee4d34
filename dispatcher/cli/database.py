"""`db`: the schema and its copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.session import load, need_config, run

if TYPE_CHECKING:
    from dispatcher.store import Store

app = typer.Typer(name="db", help="The database's schema and copies.", no_args_is_help=True)


def _open() -> Store:
    from dispatcher.store import Store

    settings = load()
    need_config(settings)
    return Store(settings.database_url)


@app.command()
def upgrade() -> None:
    """Bring the schema up to date; a SQLite file is copied first."""

    async def work() -> None:
        from dispatcher import clock
        from dispatcher.cli import show
        from dispatcher.store import schema

        store = _open()
        try:
            copy = await schema.upgrade(store, clock.now())
        finally:
            await store.close()
        show.say(f"the schema is at {schema.HEAD}" + (f"; the copy from before is {copy}" if copy else ""))

    run(work())


@app.command()
def current() -> None:
    """The revision the database is at."""

    async def work() -> None:
        from dispatcher.cli import show
        from dispatcher.store import schema

        store = _open()
        try:
            revision = await schema.current(store)
        finally:
            await store.close()
        fresh = "up to date" if revision == schema.HEAD else f"this version's is {schema.HEAD}"
        show.say(f"{revision or 'empty'} ({fresh})")

    run(work())


@app.command()
def backup(
    target: Annotated[Path | None, typer.Argument(help="The copy; beside the database by default.")] = None,
) -> None:
    """Copy a SQLite database, while it is in use if need be."""
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.store import schema

    store = _open()
    if store.path is None or not store.path.exists():
        raise StoreError("there is no SQLite file to copy (on PostgreSQL use pg_dump)")
    chosen = target or store.path.with_name(f"{store.path.name}.{clock.now():%Y%m%dT%H%M%S}.backup")
    show.say(f"wrote {schema.backup(store, chosen)}")
