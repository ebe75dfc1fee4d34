"""What tests share: a database of either engine, a context with a memory transport, free loopback ports.

PostgreSQL: TEST_POSTGRESQL names a server where databases may be made and dropped. Without it those tests
skip and say so; in CI (CI=true) a skip for a missing service is a failure.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
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
    if not POSTGRESQL:
        missing("PostgreSQL", "set TEST_POSTGRESQL to a server's URL, as .ci/run does")
    import psycopg

    name = f"dispatcher_{secrets.token_hex(6)}"
    with psycopg.connect(POSTGRESQL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    yield POSTGRESQL.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(POSTGRESQL, autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


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
async def store(database_url: str, now: datetime) -> AsyncIterator[object]:
    """An open store of each engine with its schema in place."""
    from dispatcher.config.settings import Database, Settings
    from dispatcher.store import Store, schema

    settings = Settings(database=Database(url=database_url))
    opened = Store(settings.database_url)
    await schema.upgrade(opened, now)
    yield opened
    await opened.close()
