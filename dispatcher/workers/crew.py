"""The crew: so many workers, kept in number until they are done or told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from dispatcher.config import Settings
from dispatcher.observability.logs import logger
from dispatcher.pipeline.send import SendReport
from dispatcher.workers import orders

log = logger("crew")

FAREWELL = 26.0  # seconds a worker has to finish: it cuts off after 20 what is in flight, and then says goodbye
LAST_STEPS = 3.0  # seconds from there to its end
SHORT_LIFE = 1.0  # seconds at work: who dies younger may well die of what kills the next one too
MOST_PAUSE = 30.0  # seconds between two tries, when every one dies at once


@dataclass(frozen=True, slots=True)
class Life:
    """What became of a worker: its exit code (None: it could not be started), what it did, whether it died at once."""

    code: int | None
    report: SendReport
    was_short: bool


class Crew:
    """Runs `count` workers until `stopping` is set; with `at`, until nothing is left that was due then.

    `has_failed`: one gave up before nothing was left; it said why in its log.
    """

    def __init__(
        self,
        count: int,
        settings: Settings,
        stopping: asyncio.Event,
        *,
        at: datetime | None = None,
        debug: bool = False,
    ) -> None:
        self._count, self._stopping, self._stays = count, stopping, at is None
        self._command = [sys.executable, "-m", "dispatcher.workers", "--config", str(settings.file)]
        self._command += ["--debug"] if debug else []
        self._command += [] if at is None else ["--at", at.isoformat()]
        self._living: set[Process] = set()
        self.has_failed = False

    async def run(self) -> SendReport:
        """Keep every place filled to the end; returns what all of them did, as far as they lived to tell."""
        async with asyncio.TaskGroup() as group:
            places = [group.create_task(self._fill(n), name=f"worker {n}") for n in range(1, self._count + 1)]
        return sum((place.result() for place in places), SendReport())

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The crew runs while the body does, and is gone when it ends. Should it break, the body is told to stop."""
        running = asyncio.create_task(self.run(), name="crew")
        running.add_done_callback(lambda _: self._stopping.set())
        try:
            yield
        finally:
            self._stopping.set()
            await running

    def look(self) -> None:
        """Have them look for something to send now."""
        self._tell(orders.LOOK)

    def reload(self) -> None:
        """Have them read the configuration again."""
        self._tell(orders.RELOAD)

    def _tell(self, order: bytes) -> None:
        for process in self._living:
            with suppress(OSError, RuntimeError):  # it is just ending
                _stdin(process).write(order)

    async def _fill(self, number: int) -> SendReport:
        """One place in the crew: one worker after the other."""
        told, quick_deaths = SendReport(), 0
        while True:
            life = await self._live(number)
            told += life.report
            if self._is_done(life):
                return told
            quick_deaths = quick_deaths + 1 if life.was_short else 0
            pause = pause_after(quick_deaths)
            log.warning("a worker ended; another takes its place", worker=number, how=_how(life.code), in_seconds=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def _is_done(self, life: Life) -> bool:
        """Whether nobody need come after it."""
        if self._stopping.is_set():
            return True
        has_left = not self._stays and life.code is not None and life.code >= 0
        self.has_failed |= has_left and life.code != 0
        return has_left

    async def _live(self, number: int) -> Life:
        """One worker, from its birth to its end."""
        command = [*self._command, "--share", f"{number}/{self._count}"]
        try:
            # a session of its own: Ctrl-C in a terminal is for us, and they hear of it in order
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
        except OSError as error:
            log.error("a worker could not be started", worker=number, reason=str(error))
            return Life(None, SendReport(), was_short=True)
        log.info("a worker has started", worker=number, pid=process.pid)
        self._living.add(process)
        try:
            ready_at, said = await self._until_gone(process)
        finally:
            self._living.discard(process)
            await _end(process)
        was_short = ready_at is None or time.monotonic() - ready_at < SHORT_LIFE
        return Life(process.returncode, orders.understood(said), was_short)

    async def _until_gone(self, process: Process) -> tuple[float | None, bytes]:
        """When it was ready, and its last words. When the crew stops it is told so, and given its time."""
        gone = asyncio.create_task(_hear(process))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({gone, stopping}, return_when=asyncio.FIRST_COMPLETED)
            _stdin(process).close()
            await asyncio.wait({gone}, timeout=FAREWELL)
            return gone.result() if gone.done() else (None, b"")
        finally:
            gone.cancel()
            stopping.cancel()


def pause_after(quick_deaths: int) -> float:
    """Seconds before a place is filled again: none after one death, and longer and longer after one upon the other."""
    return 0.0 if quick_deaths < 2 else min(2.0 ** (quick_deaths - 2), MOST_PAUSE)


async def _hear(process: Process) -> tuple[float | None, bytes]:
    """Listen to a worker to its end."""
    assert process.stdout is not None
    is_ready = await process.stdout.readline() == orders.READY
    return time.monotonic() if is_ready else None, await process.stdout.read()


async def _end(process: Process) -> None:
    """See that it is gone."""
    if process.returncode is None:
        with suppress(TimeoutError):  # it has closed its mouth, and is on its way out
            await asyncio.wait_for(process.wait(), LAST_STEPS)
    if process.returncode is None:
        log.warning("a worker did not end in time and is killed; its claims are taken back", pid=process.pid)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _how(code: int | None) -> str:
    if code is None:
        return "it could not be started"
    if code < 0:
        return f"killed by signal {-code} ({signal.strsignal(-code)})"
    return f"by itself, with exit code {code}" if code else "it was told to by somebody else"


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None
    return process.stdin
