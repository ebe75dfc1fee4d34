"""Transactions, instants, counters and bulk inserts: what every other function of the store stands on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders import settings, source

from dispatcher.errors import StoreError
from dispatcher.model.content import Query, Source
from dispatcher.store import Store, connections, schema, sources
from dispatcher.store.engine import (
    CHUNK,
    add,
    add_all,
    add_new,
    among,
    counter,
    database_now,
    in_turn,
    many,
    move_counter,
    raise_counter,
    table,
)


def query_row(text: str, now: datetime) -> dict[str, object]:
    return {"digest": text, "text": text, "language": "en", "created_at": now}


async def test_an_instant_comes_back_as_it_was_whatever_zone_it_was_written_in(store: Store, now: datetime) -> None:
    auckland = timezone(timedelta(hours=13))
    precise = now.replace(microsecond=123456)
    async with store.write() as tx:
        await sources.insert(tx, source(now, name="utc", next_poll_at=precise))
        await sources.insert(tx, source(now, name="nz", next_poll_at=precise.astimezone(auckland)))
        await sources.insert(tx, source(now, name="old", next_poll_at=datetime(1, 1, 1, tzinfo=UTC)))
    async with store.read() as tx:
        found = {s.name: s.next_poll_at for s in await sources.every(tx)}
        due = await sources.due(tx, precise)
    assert found["utc"] == found["nz"] == precise
    assert all(moment.tzinfo is UTC for moment in found.values())
    assert due[0].name == "old"
    assert len(due) == 3


async def test_a_naive_instant_is_refused_on_its_way_in_and_in_a_question(store: Store, now: datetime) -> None:
    naive = now.replace(tzinfo=None)
    with pytest.raises(sa.exc.StatementError, match="naive instant"):
        async with store.write() as tx:
            await sources.insert(tx, source(now, next_poll_at=naive))
    with pytest.raises(sa.exc.StatementError, match="naive instant"):
        async with store.read() as tx:
            await sources.due(tx, naive)
    async with store.read() as tx:
        assert await sources.every(tx) == []


async def test_what_fails_is_rolled_back_whole(store: Store, now: datetime) -> None:
    async def fail() -> None:
        async with store.write() as tx:
            await sources.insert(tx, source(now))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with store.read() as tx:
        assert await sources.every(tx) == []


async def test_add_new_counts_only_what_was_not_there(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        assert await add_new(tx, Query, [query_row("a", now), query_row("b", now)]) == 2
        assert await add_new(tx, Query, [query_row("b", now), query_row("c", now), query_row("c", now)]) == 1
        assert await add_new(tx, Query, [query_row("a", now)]) == 0
        assert await add_new(tx, Query, []) == 0
        many_rows = [query_row(f"q{n}", now) for n in range(2 * CHUNK + 7)]
        assert await add_new(tx, Query, many_rows) == len(many_rows)
        assert await add_new(tx, Query, [*many_rows, query_row("last", now)]) == 1


async def test_add_all_gives_ids_in_the_order_of_the_rows(store: Store, now: datetime) -> None:
    texts = [f"q{n * 7919 % 1201}" for n in range(1201)]
    async with store.write() as tx:
        ids = await add_all(tx, Query, [query_row(text, now) for text in texts])
        assert await add_all(tx, Query, []) == []
        stored = {query.id: query.text for query in await many(tx, Query)}
    assert [stored[i] for i in ids] == texts


async def test_among_finds_more_values_than_fit_into_one_statement(store: Store, now: datetime) -> None:
    texts = [f"q{n:05}" for n in range(3 * CHUNK)]
    async with store.write() as tx:
        await add_all(tx, Query, [query_row(text, now) for text in texts])
    async with store.read() as tx:
        found = await among(tx, Query, table(Query).c.text, [*texts, *texts, "absent"])
        assert await among(tx, Query, table(Query).c.text, []) == []
    assert sorted(query.text for query in found) == texts


async def test_nouns_come_as_plain_objects_that_outlive_their_transaction(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        await add(tx, source(now, tags=["local"]))
        (found,) = await many(tx, Source)
        found.name = "changed in memory only"
    async with store.read() as tx:
        (again,) = await many(tx, Source)
    assert (again.name, again.tags, found.tags) == ("Gazette", ["local"], ["local"])


async def test_counters_follow_the_order_of_commits(store: Store) -> None:
    """Of two transactions that raise a counter, the second waits for the first: no number becomes visible early."""
    order: list[str] = []
    raised = asyncio.Event()

    async def slow() -> int:
        async with store.write() as tx:
            number = await raise_counter(tx, "release")
            raised.set()
            await asyncio.sleep(0.1)
            async with store.read() as other:
                assert await counter(other, "release") == 0
            order.append("slow")
        return number

    async def fast() -> int:
        await raised.wait()
        async with store.write() as tx:
            number = await raise_counter(tx, "release")
            order.append("fast")
        return number

    assert await asyncio.gather(slow(), fast()) == [1, 2]
    assert order == ["slow", "fast"]


async def test_a_counter_that_is_held_cannot_be_raised_before_we_commit(store: Store) -> None:
    order: list[str] = []
    held = asyncio.Event()

    async def holder() -> None:
        async with store.write() as tx:
            assert await counter(tx, "topics", hold=True) == 0
            held.set()
            await asyncio.sleep(0.1)
            order.append("held")

    async def raiser() -> None:
        await held.wait()
        async with store.write() as tx:
            await raise_counter(tx, "topics")
            order.append("raised")

    await asyncio.gather(holder(), raiser())
    assert order == ["held", "raised"]


async def test_a_rolled_back_number_is_given_again(store: Store) -> None:
    async def fail() -> None:
        async with store.write() as tx:
            assert await raise_counter(tx, "release", by=5) == 5
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with store.write() as tx:
        assert await raise_counter(tx, "release") == 1


async def test_a_cursor_is_moved_by_one_of_two(store: Store) -> None:
    async def move() -> bool:
        async with store.write() as tx:
            return await move_counter(tx, "instant", 0, 9)

    assert sorted(await asyncio.gather(move(), move())) == [False, True]


async def test_a_read_sees_one_view_whatever_others_commit_meanwhile(store: Store, now: datetime) -> None:
    async with store.read() as view:
        assert await sources.every(view) == []
        async with store.write() as tx:
            await sources.insert(tx, source(now))
        assert await sources.every(view) == []
    async with store.read() as tx:
        assert len(await sources.every(tx)) == 1


async def test_transactions_of_one_name_take_turns(store: Store) -> None:
    inside = 0

    async def take_turn() -> None:
        nonlocal inside
        async with store.write() as tx:
            await in_turn(tx, "declare")
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(take_turn() for _ in range(5)))


async def test_the_databases_clock_is_aware_and_ours(store: Store) -> None:
    async with store.read() as tx:
        moment = await database_now(tx)
    assert moment.tzinfo is UTC
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear reader, " * 1000)
    opened = Store(settings(tmp_path, f"sqlite:///{tmp_path}/letter.db").database_url)
    with pytest.raises(StoreError, match="not a database"):
        async with opened.read() as tx:
            await sources.every(tx)
    await opened.close()
    assert (tmp_path / "letter.db").read_text().startswith("Dear reader")


async def test_a_database_that_another_process_keeps_locked_is_told_in_words(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Store(settings(tmp_path).database_url)
    await schema.upgrade(opened, now)
    await opened.close()
    other = sqlite3.connect(tmp_path / "subscribers.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.1)
        impatient = Store(settings(tmp_path).database_url)
        with pytest.raises(StoreError, match="locked"):
            async with impatient.write() as tx:
                await sources.insert(tx, source(now))
        async with impatient.read() as tx:  # who only reads is not kept out
            assert await sources.every(tx) == []
        await impatient.close()
    finally:
        other.close()


async def test_a_server_that_is_not_there_is_told_in_words(tmp_path: Path, free_port: Callable[[], int]) -> None:
    pytest.importorskip("psycopg")
    opened = Store(settings(tmp_path, f"postgresql://nobody@127.0.0.1:{free_port()}/none").database_url)
    with pytest.raises(StoreError, match="refused"):
        async with opened.read() as tx:
            await sources.every(tx)
    await opened.close()
