"""The schema: made from nothing, upgraded with a copy, refused when it is a newer version's; on both engines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders import settings, source
from sqlmodel import SQLModel

from dispatcher.errors import StoreError
from dispatcher.store import Store, schema, sources
from dispatcher.store.engine import counter
from dispatcher.store.keys import key

Furnish = Callable[[str, Path], str]
Act = Callable[[Store, datetime], Awaitable[object]]


def opened(tmp_path: Path, url: str) -> Store:
    return Store(settings(tmp_path, url).database_url)


async def stamp(store: Store, revision: str) -> None:
    """Make a database claim to be at a revision."""
    async with store.write() as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def is_other_default(
    _: object, __: object, column: sa.Column[object], found: str | None, *others: object
) -> bool | None:
    """Whether a column's default differs; None: let alembic see. PostgreSQL cannot compare JSON."""
    if not (isinstance(column.type, sa.JSON) and others[0]):
        return None
    return found is None or found.partition("::")[0] not in ("'{}'", "'[]'")


def differences(connection: sa.Connection) -> list[object]:
    """What alembic would have to do to make the database what the models say."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"compare_type": True, "compare_server_default": is_other_default, "render_as_batch": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata))


def test_head_is_the_newest_revision_and_there_is_one_line_of_them() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [schema.HEAD]
    assert {revision.revision for revision in script.walk_revisions()} == schema.known()


async def test_an_empty_database_is_brought_to_what_the_models_say(
    tmp_path: Path, database_url: str, now: datetime
) -> None:
    store = opened(tmp_path, database_url)
    assert await schema.current(store) is None
    assert await schema.upgrade(store, now) is None, "there was nothing to copy"
    assert await schema.current(store) == schema.HEAD
    async with store.read() as tx:
        assert await tx.run_sync(differences) == []
        assert [await counter(tx, name) for name in schema.COUNTERS] == [0] * len(schema.COUNTERS)
        assert all([await key(tx, name) for name in schema.KEYS])
    await schema.upgrade(store, now)
    await schema.prepare(store, now)
    await store.close()
    assert not list(tmp_path.glob("*.backup"))


async def test_sqlite_makes_its_own_schema_at_first_run(tmp_path: Path, now: datetime) -> None:
    store = opened(tmp_path, f"sqlite:///{tmp_path}/new.db")
    await schema.prepare(store, now)
    assert await schema.current(store) == schema.HEAD
    await store.close()


async def test_a_folder_that_is_not_there_is_told_in_words(tmp_path: Path, now: datetime) -> None:
    store = opened(tmp_path, f"sqlite:///{tmp_path}/absent/new.db")
    with pytest.raises(StoreError, match="no such folder"):
        await schema.prepare(store, now)
    await store.close()


async def test_postgresql_is_upgraded_only_on_command(tmp_path: Path, now: datetime, database_url: str) -> None:
    store = opened(tmp_path, database_url)
    if store.is_sqlite:
        await store.close()
        return
    with pytest.raises(StoreError, match="dispatcher db upgrade"):
        await schema.prepare(store, now)
    assert await schema.current(store) is None
    await schema.upgrade(store, now)
    await schema.prepare(store, now)
    await store.close()


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch, furnished: Furnish, tmp_path: Path) -> str:
    """A revision before the first, which this version is made to know and to leave by an empty step."""
    furnished("sqlite", tmp_path)  # while the migrations are still what they are
    monkeypatch.setattr(schema, "known", lambda: {"0000", schema.HEAD})
    monkeypatch.setattr(
        schema,
        "_migrate",
        lambda connection: connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{schema.HEAD}'")),
    )
    return "0000"


async def test_sqlite_is_upgraded_on_its_own_and_copied_first(
    tmp_path: Path, now: datetime, furnished: Furnish, older: str
) -> None:
    store = opened(tmp_path, furnished("sqlite", tmp_path))
    async with store.write() as tx:
        await sources.insert(tx, source(now))
    await stamp(store, older)
    await schema.prepare(store, now)
    assert await schema.current(store) == schema.HEAD
    (copy,) = tmp_path.glob("*.backup")
    assert copy.name == f"subscribers.db.{older}-20260302T070000.backup"
    before = opened(tmp_path, f"sqlite:///{copy}")
    assert await schema.current(before) == older
    async with before.read() as tx:
        assert [s.name for s in await sources.every(tx)] == ["Gazette"]
    await before.close()
    await store.close()


async def test_two_that_upgrade_at_once_copy_once(
    tmp_path: Path, now: datetime, furnished: Furnish, older: str
) -> None:
    url = furnished("sqlite", tmp_path)
    one, two = opened(tmp_path, url), opened(tmp_path, url)
    await stamp(one, older)
    copies = await asyncio.gather(schema.upgrade(one, now), schema.upgrade(two, now))
    assert sorted(copies, key=bool) == [None, str(tmp_path / "subscribers.db.0000-20260302T070000.backup")]
    await one.close()
    await two.close()


async def test_an_upgrade_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, now: datetime, furnished: Furnish, older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path, furnished("sqlite", tmp_path))
    await stamp(store, older)

    def stumble(connection: sa.Connection) -> None:
        connection.execute(sa.text("DROP TABLE match"))
        raise RuntimeError

    monkeypatch.setattr(schema, "_migrate", stumble)
    with pytest.raises(RuntimeError):
        await schema.upgrade(store, now)
    assert await schema.current(store) == older
    async with store.read() as tx:
        assert await tx.run_sync(differences) == []
    await store.close()


@pytest.mark.parametrize("act", [schema.prepare, schema.upgrade])
async def test_a_newer_database_is_refused_and_not_touched(
    tmp_path: Path, now: datetime, furnished_url: str, act: Act
) -> None:
    store = opened(tmp_path, furnished_url)
    await stamp(store, "9999")
    await store.close()
    file = tmp_path / "subscribers.db"
    before = (file.read_bytes(), file.stat().st_mtime_ns) if store.is_sqlite else None
    again = opened(tmp_path, furnished_url)
    try:
        with pytest.raises(StoreError, match=r"9999.*newer dispatcher.*Nothing was changed"):
            await act(again, now)
        assert await schema.current(again) == "9999"
    finally:
        await again.close()
        if store.is_sqlite:
            assert (file.read_bytes(), file.stat().st_mtime_ns) == before
            assert sorted(path.name for path in tmp_path.iterdir()) == ["subscribers.db"]
        else:
            restored = opened(tmp_path, furnished_url)
            await stamp(restored, schema.HEAD)
            await restored.close()


async def test_a_copy_is_made_while_the_database_is_in_use_and_never_over_another_file(
    tmp_path: Path, now: datetime, furnished: Furnish
) -> None:
    store = opened(tmp_path, furnished("sqlite", tmp_path))
    async with store.write() as tx:
        await sources.insert(tx, source(now))
    async with store.write() as tx:
        await sources.insert(tx, source(now, name="Herald"))
        copy = schema.backup(store, tmp_path / "copy.db")
    kept = opened(tmp_path, f"sqlite:///{copy}")
    async with kept.read() as tx:
        assert [s.name for s in await sources.every(tx)] == ["Gazette"], "only what was committed"
    await kept.close()
    with pytest.raises(StoreError, match="already there"):
        schema.backup(store, copy)
    with pytest.raises(StoreError, match="the copy failed"):
        schema.backup(store, tmp_path / "no" / "such" / "folder.db")
    await store.close()


async def test_postgresql_is_copied_by_its_own_tool(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    store = opened(tmp_path, "postgresql://nobody@127.0.0.1/none")
    with pytest.raises(StoreError, match="pg_dump"):
        schema.backup(store, tmp_path / "copy")
    await store.close()


CREATE = """
import asyncio, sys
from dispatcher import clock
from dispatcher.store import Store, schema

async def create():
    store = Store(sys.argv[1])
    await schema.upgrade(store, clock.now())
    print(await schema.current(store))
    await store.close()

asyncio.run(create())
"""


async def test_processes_that_create_one_database_at_once_all_find_it_made(tmp_path: Path, database_url: str) -> None:
    url = settings(tmp_path, database_url).database_url
    pipe = asyncio.subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", CREATE, url, stdout=pipe, stderr=pipe)
        for _ in range(3)
    ]
    for process in started:
        out, err = await process.communicate()
        assert (process.returncode, out.decode().strip()) == (0, schema.HEAD), err.decode()
    store = opened(tmp_path, database_url)
    async with store.read() as tx:
        assert await tx.run_sync(differences) == []
    await store.close()


OLD_MAIL = """
INSERT INTO newsletter (id, slug, name, sender, reply_to, list_id, url, language, postal_address)
    VALUES (1, 'default', 'Gazette', 'news@gazette.example', '', 'news.gazette.example', '', 'en', '');
INSERT INTO digest (id, key, newsletter_id, kind, locale, timezone, cadence, slot_at, items, more, wire, created_at)
    VALUES (1, 'k', 1, 'digest', 'en', 'UTC', 'hourly', '2026-03-02 07:00:00', '[]', 0, 'kept', '2026-03-02 07:00:00');
INSERT INTO delivery (id, key, kind, priority, status, newsletter_id, digest_id, channel, recipient, address_hash,
                      personal, slot_at, due_at, expires_at, created_at, message_id, attempts, code, reason)
    VALUES (1, 'd', 'digest', 30, 'queued', 1, 1, 'email', 'ann@reader.example', 'h', '{}', '2026-03-02 07:00:00',
            '2026-03-02 07:00:00', '2026-03-03 07:00:00', '2026-03-02 07:00:00', '<1@gazette.example>', 0, 0, '');
INSERT INTO attempt (id, delivery_id, at, outcome, code, enhanced, text, relay)
    VALUES (1, 1, '2026-03-02 07:00:00', 'deferred', 451, '', 'later', 'localhost')
"""


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
async def test_an_earlier_schema_with_mail_in_it_becomes_this_one_and_loses_nothing(
    tmp_path: Path, now: datetime, database_url: str, revision: str
) -> None:
    from alembic import command
    from alembic.config import Config

    from dispatcher.store import outbox

    def to_it(connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    store = opened(tmp_path, database_url)
    async with store.write() as tx:
        await tx.run_sync(to_it)
        for statement in OLD_MAIL.split(";"):
            await tx.execute(sa.text(statement.replace(":", "\\:")))
    await schema.upgrade(store, now)
    async with store.read() as tx:
        assert await tx.run_sync(differences) == []
        (delivery,), (attempt,) = await outbox.by_ids(tx, [1]), await outbox.attempts(tx, 1)
        assert (delivery.recipient, delivery.status, delivery.signature) == ("ann@reader.example", "queued", "")
        assert (attempt.code, attempt.blame) == (451, "")
        assert (await outbox.digests(tx, [1]))[1].wire == "kept"
    await store.close()
