"""The clerk: does whole transactions in a thread, each in one go."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa

from dispatcher.store import connections

Result = TypeVar("Result")

MOST = 4
"""Transactions at the same time on PostgreSQL; SQLite has one writer anyway."""


class Clerk:
    """Threads with connections of their own. Close it when done."""

    def __init__(self, url: sa.URL) -> None:
        self._is_sqlite = url.get_backend_name() == "sqlite"
        most = 1 if self._is_sqlite else MOST
        self._engine = connections.in_a_thread(url, most).execution_options(begin_immediate=True)
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="clerk")

    async def do(self, work: Callable[[sa.Connection], Result]) -> Result:
        """One transaction: committed if `work` returns, rolled back if it raises.

        A cancellation waits for it, because nobody could tell how it ended.
        """
        done = asyncio.get_running_loop().run_in_executor(self._threads, self._transact, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise

    async def close(self) -> None:
        """End the threads and close their connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    def _transact(self, work: Callable[[sa.Connection], Result]) -> Result:
        with self._engine.connect() as connection:
            self._begin(connection)
            try:
                result = work(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            return result

    def _begin(self, connection: sa.Connection) -> None:
        """BEGIN, on SQLite once no other process writes."""
        until = time.monotonic() + connections.BUSY_TIMEOUT
        while True:
            try:
                connection.begin()
                return
            except sa.exc.OperationalError as error:
                if not (self._is_sqlite and connections.is_locked(error)) or time.monotonic() > until:
                    raise
                time.sleep(random.uniform(0, connections.PAUSE))
