"""What the store keeps of programs and of links that work once, on both engines."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from dispatcher.store import Store, access


async def test_a_link_that_works_once_works_once(store: Store, now: datetime) -> None:
    async def spend() -> bool:
        async with store.write() as tx:
            return await access.spend(tx, "d", now + timedelta(hours=1))

    assert sorted(await asyncio.gather(*(spend() for _ in range(5)))) == [False] * 4 + [True]
    async with store.read() as tx:
        assert await access.is_spent(tx, "d")
        assert not await access.is_spent(tx, "e")


async def test_a_used_link_is_remembered_until_it_would_have_lapsed_anyway(store: Store, now: datetime) -> None:
    async with store.write() as tx:
        await access.spend(tx, "d", now + timedelta(hours=1))
        assert await access.prune(tx, now) == 0
        assert await access.prune(tx, now + timedelta(hours=2)) == 1
        assert not await access.is_spent(tx, "d")
