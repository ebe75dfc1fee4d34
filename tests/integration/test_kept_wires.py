"""Wires composed, kept and loaded, on both databases: the same bytes whatever happens, and each piece kept once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import settings, world

from benchmarks import outbox as bench
from dispatcher.digest import kept
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.wire import Wire
from dispatcher.errors import DispatcherError, TemplateError
from dispatcher.model.outbound import Digest, Piece
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.wires import load
from dispatcher.store import articles, outbox, pieces
from dispatcher.store.engine import table

DIGEST, PIECE = table(Digest), table(Piece)
COUNT = 8
IDS = range(1, COUNT + 1)


@asynccontextmanager
async def opened(folder: Path, url: str, now: datetime, **sections: Any) -> AsyncIterator[Context]:
    """A process on the database."""
    async with world(settings(folder, url, **sections), now) as ctx:
        yield ctx


@pytest.fixture
async def ctx(tmp_path: Path, now: datetime, database_url: str) -> AsyncIterator[Context]:
    """A process with eight digests of twenty stories to compose."""
    async with opened(tmp_path, database_url, now) as made:
        await bench.furnish(made, COUNT, now)
        yield made


def restarted(ctx: Context) -> Context:
    """The same, with nothing in memory."""
    ctx._kept.clear()
    return ctx


async def wires(ctx: Context, ids: Sequence[int] = IDS) -> dict[int, Wire]:
    """Wires of digests with which nothing is wrong."""
    found = await load(ctx, ids)
    assert all(isinstance(wire, Wire) for wire in found.values()), found
    return found  # type: ignore[return-value]


async def rows(ctx: Context, query: Any) -> list[Any]:
    """What a query finds."""
    async with ctx.store.read() as tx:
        return list((await tx.execute(query)).all())


def shouting(folder: Path) -> Templates:
    """Templates that somebody has edited."""
    (folder / "email").mkdir(exist_ok=True)
    (folder / "email" / "digest.txt.j2").write_text(
        "{% for story in stories %}{{ story.title|upper }}!\n{% endfor %}\nBye"
    )
    return Templates([folder, builtin_folder()])


async def test_what_was_kept_stands_whatever_becomes_of_templates_settings_and_process(
    ctx: Context, tmp_path: Path
) -> None:
    before = await wires(ctx)
    assert await wires(ctx) == before
    ctx.templates = shouting(tmp_path)
    ctx.letter(ctx.newsletter.id).name = "Another name"
    assert await wires(restarted(ctx)) == before
    async with ctx.store.write() as tx:
        await tx.execute(sa.update(DIGEST).where(DIGEST.c.id == 1).values(wire=None))
    after = await wires(ctx)
    assert after[1] != before[1]
    assert after[1].letterhead.name == "Another name"
    assert {i: wire for i, wire in after.items() if i > 1} == {i: wire for i, wire in before.items() if i > 1}


async def test_pieces_are_shared_and_each_is_kept_once(ctx: Context) -> None:
    await wires(ctx)
    found = await rows(ctx, sa.select(PIECE.c.hash, PIECE.c.body))
    referred = [set(kept.numbers_of(row[0])) for row in await rows(ctx, sa.select(DIGEST.c.wire))]
    assert len(set(found)) == len(found)
    assert any(one & other for one, other in pairwise(referred))
    assert max(len(row[0]) for row in await rows(ctx, sa.select(DIGEST.c.wire))) < 1_000


async def test_of_two_processes_the_first_to_keep_a_wire_wins(
    ctx: Context, tmp_path: Path, now: datetime, database_url: str
) -> None:
    async with opened(tmp_path, database_url, now) as other:
        other.templates = shouting(tmp_path)
        ours, theirs = await asyncio.gather(wires(ctx), wires(other))
    assert ours == theirs == await wires(restarted(ctx))


async def test_pruning_takes_the_pieces_that_no_wire_refers_to_and_no_other(ctx: Context) -> None:
    before = await wires(ctx)
    async with ctx.store.write() as tx:
        assert await pieces.prune(tx, kept.numbers_of) == 0
        await tx.execute(sa.update(DIGEST).where(DIGEST.c.id > 2).values(wire=None))
        gone = await pieces.prune(tx, kept.numbers_of)
    assert gone > 0
    referred = {
        n for row in await rows(ctx, sa.select(DIGEST.c.wire).where(DIGEST.c.id <= 2)) for n in kept.numbers_of(row[0])
    }
    assert {row[0] for row in await rows(ctx, sa.select(PIECE.c.id))} == referred
    assert await wires(restarted(ctx), [1, 2]) == {1: before[1], 2: before[2]}


async def test_a_process_that_relies_on_a_piece_which_was_pruned_keeps_it_again(ctx: Context) -> None:
    before = await wires(ctx)
    async with ctx.store.write() as tx:
        await tx.execute(sa.update(DIGEST).values(wire=None))
        await pieces.prune(tx, kept.numbers_of)
    assert await rows(ctx, sa.select(PIECE.c.id)) == []
    again = await wires(ctx)
    assert {i: wire.html for i, wire in again.items() if i > 1}.keys() == {i for i in before if i > 1}
    assert await wires(restarted(ctx)) == again


async def test_pruning_and_composing_at_the_same_time_lose_no_piece(
    ctx: Context, tmp_path: Path, now: datetime, database_url: str
) -> None:
    async def pruning(other: Context) -> None:
        for _ in range(10):
            async with other.store.write() as tx:
                await pieces.prune(tx, kept.numbers_of)
            await asyncio.sleep(0.005)

    async def composing() -> None:
        for _ in range(10):
            async with ctx.store.write() as tx:
                await tx.execute(sa.update(DIGEST).values(wire=None))
            made = await wires(ctx)
            async with other.store.read() as tx:
                numbers = [n for row in await tx.execute(sa.select(DIGEST.c.wire)) for n in kept.numbers_of(row[0])]
                assert len(await pieces.bodies(tx, numbers)) == len(set(numbers))
            assert made

    async with opened(tmp_path, database_url, now) as other:
        await asyncio.gather(pruning(other), composing())


async def test_a_wire_of_the_version_before_is_sent_as_it_was(ctx: Context) -> None:
    made = (await wires(ctx, [1]))[1]
    old = replace(made, boundary="=_old")
    async with ctx.store.write() as tx:
        text = json.dumps({"format": 1, **asdict(old)})
        await tx.execute(sa.update(DIGEST).where(DIGEST.c.id == 1).values(wire=text))
        await pieces.prune(tx, kept.numbers_of)
    assert await wires(restarted(ctx), [1]) == {1: old}


async def test_a_digest_that_cannot_be_composed_stops_no_other(ctx: Context, tmp_path: Path) -> None:
    async with ctx.store.write() as tx:
        await tx.execute(sa.update(DIGEST).where(DIGEST.c.id == 2).values(items=[]))
        await tx.execute(sa.update(DIGEST).where(DIGEST.c.id == 3).values(wire="no wire"))
        await tx.execute(sa.update(DIGEST).where(DIGEST.c.id == 4).values(locale="en", timezone="Nowhere/Land"))
    found = await load(ctx, [*IDS, 99])
    assert {i for i, wire in found.items() if isinstance(wire, Exception)} == {2, 3, 4}
    assert isinstance(found[2], DispatcherError)
    assert 99 not in found
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "digest.html.j2").write_text("{% for story in stories %}{{ story.titel }}{% endfor %}")
    ctx.templates = Templates([tmp_path, builtin_folder()])
    async with ctx.store.write() as tx:
        await tx.execute(sa.update(DIGEST).where(DIGEST.c.id == 5).values(wire=None))
    broken = await load(ctx, IDS)
    assert isinstance(broken[5], TemplateError)
    assert "did you mean 'title'" in str(broken[5])
    assert isinstance(broken[6], Wire)


async def test_an_article_is_told_as_it_is_when_its_digest_is_composed(ctx: Context, now: datetime) -> None:
    async with ctx.store.read() as tx:
        digest = (await outbox.digests(tx, [1]))[1]
    first, second = digest.items[0][0], digest.items[1][0]
    await wires(ctx, list(IDS)[1:])
    async with ctx.store.write() as tx:
        stored = await articles.get(tx, first)
        assert stored is not None
        fresh = stored.model_copy(update={"title": "Quite another title"})
        await articles.edit(tx, [(stored, fresh)])
        await articles.withdraw(tx, second, now)
    text = "".join(str(piece) for piece in (await wires(ctx, [1]))[1].text.pieces)
    assert "Quite another title" in text
    assert stored.title[:30] not in text


async def test_renaming_a_source_renames_it_in_what_is_composed_from_then_on(ctx: Context) -> None:
    await wires(ctx, [1, 2, 3])
    async with ctx.store.write() as tx:
        await tx.execute(sa.text("UPDATE source SET name = 'The New Gazette'"))
    text = "".join(str(piece) for piece in (await wires(ctx, [4]))[4].text.pieces)
    assert "The New Gazette" in text
    assert "The Bench Gazette" not in text
