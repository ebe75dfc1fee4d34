"""Quarantine: one that cannot be worked on is set aside, and takes no other with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from dispatcher.errors import StoreError

Item = TypeVar("Item")


async def apart(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Awaitable[None]],
    set_aside: Callable[[Item, Exception], Awaitable[None]],
) -> None:  # fmt: skip
    """Do `work` on all items together. If it fails, halve them until the one at fault stands alone, for `set_aside`.

    `work` is all or nothing: what it did before it failed was rolled back. StoreError goes through: a database that
    refuses is no item's fault.
    """
    if not items:
        return
    try:
        await work(items)
    except StoreError:
        raise
    except Exception as error:
        if len(items) == 1:
            await set_aside(items[0], error)
            return
        middle = len(items) // 2
        await apart(items[:middle], work, set_aside)
        await apart(items[middle:], work, set_aside)
