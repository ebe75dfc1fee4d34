"""Folders watched on a real disk."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from dispatcher.sources.watch import changes


@asynccontextmanager
async def watching(*folders: Path) -> AsyncIterator[asyncio.Queue[set[Path]]]:
    """The changes as they come, in a queue."""
    stop, seen = asyncio.Event(), asyncio.Queue[set[Path]]()

    async def watch() -> None:
        async with aclosing(changes(folders, stop)) as found:
            async for touched in found:
                seen.put_nowait(touched)

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def until(seen: asyncio.Queue[set[Path]], folder: Path) -> None:
    """Wait until a change in this folder is told."""
    async with asyncio.timeout(10):
        while folder not in await seen.get():
            pass


async def test_every_folder_is_named_once_and_then_when_it_is_touched(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    async with watching(one, two) as seen:
        async with asyncio.timeout(10):
            assert await seen.get() == {one, two}
        (two / "deep").mkdir()
        await until(seen, two)
        (one / "a.md").write_text("# A")
        await until(seen, one)


async def test_a_folder_that_appears_later_is_noticed_and_watched(tmp_path: Path) -> None:
    late = tmp_path / "late"
    async with watching(late) as seen:
        await asyncio.sleep(0.1)
        late.mkdir()
        await until(seen, late)
        (late / "a.md").write_text("# A")
        await until(seen, late)


async def test_a_folder_that_is_made_anew_is_watched_again(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    async with watching(one, two) as seen:
        await until(seen, one)
        shutil.rmtree(one)
        await until(seen, two)
        one.mkdir()
        await until(seen, one)
        (one / "a.md").write_text("# A")
        await until(seen, one)


async def test_watching_stops_when_asked_and_leaves_the_event_alone_when_cancelled(tmp_path: Path) -> None:
    stop = asyncio.Event()
    task = asyncio.ensure_future(anext(changes([tmp_path], stop)))
    await task
    waiting = changes([tmp_path / "nowhere"], stop)
    task = asyncio.ensure_future(anext(waiting))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    assert not stop.is_set()
