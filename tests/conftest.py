"""What tests share: a database of either engine, a context with a memory transport, free loopback ports.

PostgreSQL: TEST_POSTGRESQL names a server where databases may be made and dropped. Without it those tests
skip and say so; in CI (CI=true) a skip for a missing service is a failure.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

POSTGRESQL = os.environ.get("TEST_POSTGRESQL", "")
CI = os.environ.get("CI") == "true"
LONG = os.environ.get("ROUNDS") == "long"
NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)

settings.register_profile("short", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("long" if LONG else "short")


def missing(service: str, hint: str) -> None:
    """Skip, or in CI fail, because something from the outside is not there."""
    if CI:
        pytest.fail(f"{service} is missing in CI: {hint}")
    pytest.skip(f"{service} is missing: {hint}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each engine, as an operator would write its URL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/subscribers.db"
        return
    with fresh_postgresql() as url:
        yield url


@contextmanager
def fresh_postgresql() -> Iterator[str]:
    """An empty database on the server that TEST_POSTGRESQL names, dropped at the end."""
    if not POSTGRESQL:
        missing("PostgreSQL", "set TEST_POSTGRESQL to a server's URL, as .ci/run does")
    import psycopg

    name = f"dispatcher_{secrets.token_hex(6)}"
    with psycopg.connect(POSTGRESQL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    yield POSTGRESQL.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(POSTGRESQL, autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, Path], str]]:
    """A function (engine, folder) → the URL of a database with its schema in place and nothing in it.

    The schema is made once for each engine; SQLite files are copied, the one PostgreSQL database is emptied.
    """
    with ExitStack() as stack:
        made: dict[str, str] = {}

        def url(engine: str, folder: Path) -> str:
            if engine == "sqlite":
                if engine not in made:
                    made[engine] = furnish(f"sqlite:///{tmp_path_factory.mktemp('furnished')}/subscribers.db")
                shutil.copy(made[engine].removeprefix("sqlite:///"), folder / "subscribers.db")
                return f"sqlite:///{folder}/subscribers.db"
            if engine not in made:
                made[engine] = furnish(stack.enter_context(fresh_postgresql()))
            empty(made[engine])
            return made[engine]

        yield url


def furnish(url: str) -> str:
    """Create the schema in an empty database; in a thread, because some tests ask for it with a loop running."""
    import builders

    from dispatcher.store import Store, schema

    async def work() -> None:
        opened = Store(builders.settings(Path(), url).database_url)
        await schema.upgrade(opened, NOW)
        await opened.close()

    with ThreadPoolExecutor() as pool:
        pool.submit(asyncio.run, work()).result()
    return url


def empty(url: str) -> None:
    """Take everything out of a PostgreSQL database but its schema, counters and keys."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        names = server.execute(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('alembic_version', 'counter', 'key')"
        ).fetchone()
        assert names is not None
        server.execute(f"TRUNCATE {names[0]} RESTART IDENTITY")
        server.execute("UPDATE counter SET value = 0")


@pytest.fixture(params=["sqlite", "postgresql"])
def furnished_url(request: pytest.FixtureRequest, tmp_path: Path, furnished: Callable[[str, Path], str]) -> str:
    """A database of each engine with its schema in place and nothing in it, as an operator would write its URL."""
    return furnished(request.param, tmp_path)


@pytest.fixture
def now() -> datetime:
    """A Monday morning in winter, half an hour before London's breakfast."""
    return NOW


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that names a loopback port nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


@pytest.fixture
async def store(furnished_url: str, tmp_path: Path) -> AsyncIterator[object]:
    """An open store of each engine with its schema in place."""
    import builders

    from dispatcher.store import Store

    opened = Store(builders.settings(tmp_path, furnished_url).database_url)
    yield opened
    await opened.close()
