"""A worker: sends what is due, looks again, and finishes when it is told to or when its crew has gone."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any

from dispatcher import clock
from dispatcher.config import Settings
from dispatcher.errors import DispatcherError
from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.send import SendReport, recover, send
from dispatcher.store import prospects
from dispatcher.workers import orders

log = logger("worker")

LOOK_EVERY = 1.0  # seconds between looks for something to send
PATROL_EVERY = 5.0  # seconds between looks for what the dead have left behind
GRACE = 20.0  # seconds that what is in flight may take when it is to finish


class Worker:
    """Works off the outbox in one context. `reload` reads the settings again, or raises ConfigError."""

    def __init__(self, ctx: Context, reload: Callable[[], Settings]) -> None:
        self.ctx, self._reload = ctx, reload
        self._report = SendReport()
        self._bell = asyncio.Event()
        self._trouble = ""

    async def stay(self) -> SendReport:
        """Send, and look for more, until told to finish; returns what was sent."""
        return await self._finish(self._stay())

    async def once(self, now: datetime) -> SendReport:
        """Send what is due at `now`, and no more. StoreError when the database refuses."""
        return await self._finish(self._send(now))

    async def _finish(self, work: Coroutine[Any, Any, None]) -> SendReport:
        """See work to its end, but what is still in flight some time after the order to finish is cut off."""
        working = asyncio.create_task(work, name="work")
        listening = asyncio.create_task(self._listen(), name="orders")
        stopping = asyncio.create_task(self.ctx.stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({working}, timeout=GRACE)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
        finally:
            listening.cancel()
            stopping.cancel()
        return self._report

    async def _stay(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again(self._look, LOOK_EVERY, self._bell), name="look")
            group.create_task(self._again(self._recover, PATROL_EVERY, self.ctx.stopping), name="patrol")

    async def _again(self, step: Callable[[], Awaitable[None]], every: float, call: asyncio.Event) -> None:
        """Take a step again and again, and at a call, whatever becomes of it, until told to finish."""
        while not self.ctx.stopping.is_set():
            try:
                await step()
            except DispatcherError as error:
                self._put_off(str(error))
            except Exception:
                log.exception("a step failed; it is taken again")
            with suppress(TimeoutError):
                await asyncio.wait_for(call.wait(), every)

    async def _look(self) -> None:
        """Send, if there is anything to be sent."""
        self._bell.clear()
        now = clock.now()
        async with self.ctx.store.read() as tx:
            is_due = await prospects.are_due(tx, now)
        if is_due:
            await self._send(now)
        self._well()

    async def _recover(self) -> None:
        """A long send looks for the claims of the dead only when it begins."""
        recovered = await recover(self.ctx, clock.now())
        self._report.recovered += recovered

    async def _send(self, now: datetime) -> None:
        report = await send(self.ctx, now)
        self._report += report  # not before: the patrol counts too

    def _put_off(self, reason: str) -> None:
        """Told once, however long it lasts."""
        if reason != self._trouble:
            log.error("sending is put off", reason=reason)
        self._trouble = reason

    def _well(self) -> None:
        if self._trouble:
            log.info("sending goes on")
        self._trouble = ""

    async def _listen(self) -> None:
        """Do as the crew says. Its end, or a signal to us alone, means to finish."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        reader = asyncio.StreamReader()
        try:
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            while order := await reader.readline():
                if order == orders.RELOAD:
                    await self._apply()
                self._bell.set()
        finally:
            self._stop()

    def _stop(self) -> None:
        self.ctx.stopping.set()
        self._bell.set()

    async def _apply(self) -> None:
        """Read the configuration again. A broken one is refused, and the old one stays in force."""
        try:
            await self.ctx.apply(self._reload())
        except Exception as error:
            log.error("the new configuration was refused; the old one stays in force", reason=str(error))
