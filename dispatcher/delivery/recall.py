"""Waiting from which one can be called back: those who wait are told an answer instead of what they wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Generic, TypeVar

Found = TypeVar("Found")
Answer = TypeVar("Answer")


class Recall(Generic[Found, Answer]):
    """A place to wait at. What `asyncio.timeout` does when time is up, at a tenth of its cost for each wait."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[object]] = set()
        self._called: dict[asyncio.Task[object], Answer] = {}

    async def wait(self, awaited: Awaitable[Found]) -> Found | Answer:
        """What is awaited, or the answer of `call_back` if that comes first; then it is cancelled."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            return await awaited
        except asyncio.CancelledError:
            if task not in self._called or task.cancelling() > 1:  # somebody else wants it to end as well
                raise
            return self._called[task]
        finally:
            self._waiting.discard(task)
            if self._called.pop(task, None) is not None:
                task.uncancel()

    def call_back(self, answer: Answer) -> None:
        """Give everybody who waits this answer."""
        for task in list(self._waiting):
            self._called[task] = answer
            task.cancel()
        self._waiting.clear()
