"""Together: what many ask for at once is done in one go, and each waits for its own result.

    many callers ──▶ do(item) ──▶ [ everything that waits ] ──▶ work(items) ──▶ each caller goes on

Where every transaction has to wait for its turn, a hundred requests that come together cost little more than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 200  # items in one go


class Together(Generic[Item, Result]):
    """Calls `work` with all that waits; it returns one result for each item, in their order."""

    def __init__(self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> None:
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._turn = asyncio.Lock()

    async def do(self, item: Item) -> Result:
        """The result for one item. Raises what keeps this one from it, never what is wrong with another."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        async with self._turn:
            while not done.done():  # else somebody before us took ours along
                await self._take(MOST)
        return done.result()

    async def _take(self, most: int) -> None:
        """Work on what waits. Cut short, it leaves the rest for whoever is next."""
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        try:
            await self._settle(batch)
        finally:
            self._waiting = [waiting for waiting in batch if not waiting[1].done()] + self._waiting

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        """All in one go; where that cannot be done, each by itself, so that a bad one takes no other with it."""
        try:
            results = await self._work([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _tell(batch[0][1], error)
                return
            for one in batch:
                await self._settle([one])
            return
        for (_, done), result in zip(batch, results, strict=True):
            if not done.done():
                done.set_result(result)


def _tell(done: asyncio.Future[Result], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
