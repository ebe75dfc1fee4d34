"""Composing: a digest of 20 known articles made from fragments, against rendering it whole."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import outbox
from benchmarks.report import Figure
from dispatcher.config.settings import Settings
from dispatcher.digest.compose import Outline
from dispatcher.digest.wire import Draft
from dispatcher.pipeline import wires
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.wires import Bindery
from dispatcher.store import pieces

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
WHOLE = 20  # digests rendered in full for one figure


def figures(rounds: int, count: int) -> Iterator[Figure]:
    """One digest's share of composing many, against a full render of it."""
    whole, first, known, kept, again = asyncio.run(_measured(rounds, count))
    yield Figure("a digest rendered in full and encoded", whole * 1e3, "ms CPU")
    yield Figure("the first digests of a slot, composed", first * 1e3, "ms CPU", whole * 1e3)
    yield Figure("a digest of known articles, composed", known * 1e3, "ms CPU", whole * 1e3, 1 / 30)
    yield Figure("the same, from its row until it is kept", kept * 1e3, "ms CPU", whole * 1e3, 1 / 30)
    yield Figure("a kept digest, read again", again * 1e3, "ms CPU", whole * 1e3)


async def _measured(rounds: int, count: int) -> tuple[float, ...]:
    found: list[tuple[float, ...]] = []
    for _ in range(rounds):
        async with _furnished(3 * count) as ctx:
            ids = list(range(1, 3 * count + 1))
            first = await _loading(ctx, ids[:count])
            outlined = await _outlines(ctx, ids[count : 2 * count])
            composer = ctx.kept(Bindery).composer(ctx.newsletter.id or 0)
            whole = _each(outlined[:WHOLE], composer.render)
            _each(outlined, composer.compose)  # so that all is known
            known = _each(outlined, composer.compose)
            kept = await _loading(ctx, ids[2 * count :])
            found.append((whole, first, known, kept, await _loading(ctx, ids[2 * count :])))
    return tuple(statistics.median(figure) for figure in zip(*found, strict=True))


@asynccontextmanager
async def _furnished(count: int) -> AsyncIterator[Context]:
    with tempfile.TemporaryDirectory() as folder:
        sections = {"site": {"name": "The Bench Gazette"}, "mail": {"from": "The Bench <digest@news.example>"}}
        settings = Settings.model_validate({"base": Path(folder), **sections})
        async with open_context(settings, now=NOW) as ctx:
            await outbox.furnish(ctx, count, NOW)
            yield ctx


async def _outlines(ctx: Context, ids: Sequence[int]) -> list[Outline]:
    async with ctx.store.read() as tx:
        outlines = await ctx.kept(Bindery).outlines(tx, await pieces.digests(tx, ids))
    return list(outlines.values())


async def _loading(ctx: Context, ids: Sequence[int]) -> float:
    """CPU seconds for one digest of these, as many at a time as are claimed."""
    batch = ctx.settings.send.batch
    began = time.process_time()
    for start in range(0, len(ids), batch):
        await wires.load(ctx, ids[start : start + batch])
    return (time.process_time() - began) / len(ids)


def _each(outlined: Sequence[Outline], compose: Callable[[Outline], Draft]) -> float:
    began = time.process_time()
    for one in outlined:
        compose(one).wire()
    return (time.process_time() - began) / len(outlined)
