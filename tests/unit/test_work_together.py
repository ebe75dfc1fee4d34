"""Together: one go for all that waits, and to each their own result or their own trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from dispatcher.pipeline.together import MOST, Together


async def test_what_comes_while_one_is_worked_on_is_done_in_one_go() -> None:
    goes: list[int] = []

    async def work(items: Sequence[int]) -> list[int]:
        goes.append(len(items))
        await asyncio.sleep(0)
        return [item * 10 for item in items]

    together = Together(work)
    results = await asyncio.gather(*(together.do(n) for n in range(MOST + 50)))
    assert results == [n * 10 for n in range(MOST + 50)]
    assert len(goes) < 5
    assert max(goes) <= MOST


async def test_one_that_fails_takes_no_other_with_it() -> None:
    async def work(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        return list(items)

    together = Together(work)
    results = await asyncio.gather(*(together.do(n) for n in range(6)), return_exceptions=True)
    assert [result for result in results if not isinstance(result, ValueError)] == [0, 1, 2, 4, 5]
    assert await together.do(7) == 7


async def test_whoever_gives_up_waiting_leaves_the_others_in_line() -> None:
    gate = asyncio.Event()

    async def work(items: Sequence[int]) -> list[int]:
        await gate.wait()
        return list(items)

    together = Together(work)
    first = asyncio.create_task(together.do(1))
    await asyncio.sleep(0)
    second = asyncio.create_task(together.do(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == 2
