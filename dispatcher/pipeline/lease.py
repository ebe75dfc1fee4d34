"""The lease on what a process has claimed: 30 seconds, renewed by a heartbeat, believed in by the monotonic clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context
from dispatcher.store import claims
from dispatcher.store.lanes import Lane

log = logger("send")

HEARTBEAT = 10.0  # seconds; a lease is 30
MARGIN = 8.0  # seconds before the end of a lease in which no transaction is begun


class Lease:
    """When, by the monotonic clock, this process must stop believing that its claims are its own."""

    def __init__(self) -> None:
        self.renew(time.monotonic())

    def renew(self, since: float) -> None:
        """A claim or heartbeat that was begun at `since` succeeded."""
        self._until = since + claims.LEASE.total_seconds() - MARGIN

    @property
    def holds(self) -> bool:
        """Whether a transaction may be begun."""
        return time.monotonic() < self._until


@asynccontextmanager
async def leased(ctx: Context, lane: Lane) -> AsyncIterator[Lease]:
    """A lease that is renewed while the body runs. A database that refuses lets it lapse, and sending pauses."""
    lease = Lease()

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            since = time.monotonic()
            try:
                async with ctx.store.write() as tx:
                    await claims.renew(tx, ctx.instance.instance_id, lane)
                lease.renew(since)
            except Exception as error:
                log.warning("the lease could not be renewed", reason=str(error))

    task = asyncio.create_task(beat(), name="heartbeat")
    try:
        yield lease
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
