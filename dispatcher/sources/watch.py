"""Folders watched for changes, so that a new article is read within a second or two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

from watchfiles import awatch

_DEBOUNCE = 200
_LOOK_EVERY = 1000  # milliseconds; also how soon a folder that was missing is noticed


async def changes(folders: Sequence[Path], stop: asyncio.Event) -> AsyncGenerator[set[Path], None]:
    """The folders in which something changed, as often as it does, until `stop` is set.

    Whenever watching begins, at first or because a folder appeared, was replaced or vanished, all folders that exist
    are named once: what changed before we watched is not missed.
    """
    while not stop.is_set():
        watched = _existing(folders)
        if not watched:
            await _pause(stop)
            continue
        async with aclosing(_watch(list(watched), stop)) as batches:
            async for touched in batches:
                if touched and not stop.is_set():
                    yield touched
                if stop.is_set() or _existing(folders) != watched:
                    break


async def _watch(folders: list[Path], stop: asyncio.Event) -> AsyncGenerator[set[Path], None]:
    """Which of these existing folders were touched: first all, then what changed, an empty set when nothing did."""
    is_first = True
    try:
        watching = awatch(
            *folders,
            watch_filter=None,
            debounce=_DEBOUNCE,
            stop_event=_Stop(stop),
            rust_timeout=_LOOK_EVERY,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        async with aclosing(watching) as batches:
            async for batch in batches:
                yield set(folders) if is_first else _touched(folders, [Path(path) for _, path in batch])
                is_first = False
    except OSError:
        # A folder vanished at the wrong moment, or the machine has no watches left: regular looks must do.
        await _pause(stop)
        yield set(folders)


class _Stop:
    """The caller's event as watchfiles wants it. watchfiles sets its event when cancelled; the caller's stays unset."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event
        self._is_set = False

    def is_set(self) -> bool:
        """Whether watching must end."""
        return self._is_set or self._event.is_set()

    def set(self) -> None:
        """End this watch only."""
        self._is_set = True


def _existing(folders: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """The folders there are, each with the identity of its inode: one deleted and made again is another."""
    found = {}
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            continue
        if folder.is_dir():
            found[folder] = (status.st_dev, status.st_ino)
    return found


def _touched(folders: Sequence[Path], paths: list[Path]) -> set[Path]:
    resolved = {folder: folder.resolve() for folder in folders}
    return {
        folder
        for folder, real in resolved.items()
        if any(path.is_relative_to(folder) or path.is_relative_to(real) for path in paths)
    }


async def _pause(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_EVERY / 1000):
            await stop.wait()
