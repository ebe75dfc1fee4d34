"""The daemon: APScheduler ticks → pipeline steps; signals; drain.

A tick is cheap when nothing is due: due is a column. A step that made work for the next one rings its bell, so that
news does not wait for the next tick. SIGTERM and SIGINT stop claiming, let finish what is in flight, and exit within
30 seconds; SIGHUP reads the configuration again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from dispatcher import clock
from dispatcher.errors import DispatcherError, SourceError
from dispatcher.observability.logs import logger
from dispatcher.pipeline import standins
from dispatcher.pipeline.archive import archive
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.presign import presign
from dispatcher.pipeline.prune import prune
from dispatcher.pipeline.send import send
from dispatcher.pipeline.settle import settle
from dispatcher.pipeline.tell import tell
from dispatcher.sources.read import local_path
from dispatcher.sources.watch import changes
from dispatcher.store import sources

log = logger("daemon")

GRACE = 20.0  # seconds that what is in flight may take after SIGTERM; saying goodbye to the relay takes some more
RELOOK = 5.0  # seconds between looks at which folders there are to watch
TICKS = {  # seconds
    "ingest": 1.0, "plan": 1.0, "presign": 5.0, "send": 1.0, "tell": 1.0, "settle": 5.0, "archive": 5.0,
    "prune": 3600.0,
}  # fmt: skip
COPIES = {"ingest": 8, "tell": 32}  # a source or webhook that answers slowly must not keep the next ones waiting


class Daemon:
    """Runs the steps of one context until told to stop. `reload` reads the settings again, or raises ConfigError.

    With `ring_senders` other processes send the mail, and are told by it that there is some.
    """

    def __init__(
        self,
        ctx: Context,
        *,
        reload: Callable[[], Any] | None = None,
        yes: bool = False,
        ring_senders: Callable[[], None] | None = None,
    ) -> None:
        self.ctx, self._reload, self._yes, self._ring_senders = ctx, reload, yes, ring_senders
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._running: set[asyncio.Task[Any]] = set()
        self._reloading = asyncio.Lock()

    async def run(self) -> None:
        """Declare config, tick until `stop`, drain, return."""
        self._listen()
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)  # that a step outlasts its tick is no news
        async with self._reloading:
            await self._declare()
        for name, seconds in self._ticks.items():
            step: Callable[[], Awaitable[None]] = getattr(self, f"_{name}")
            self._scheduler.add_job(
                self._guarded(name, step), "interval", seconds=seconds, id=name, next_run_time=clock.now(),
                max_instances=COPIES.get(name, 1), coalesce=True, misfire_grace_time=None,
            )  # fmt: skip
        self._scheduler.start()
        watch = asyncio.create_task(self._watch(), name="watch")
        log.info("running", instance_id=self.ctx.instance.instance_id, sources=len(self.ctx.settings.sources))
        try:
            await self.ctx.stopping.wait()
        finally:
            watch.cancel()
            await self._drain()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when what is in flight is done."""
        if not self.ctx.stopping.is_set():
            log.info("stopping: finishing what is in flight")
            self.ctx.stopping.set()

    @property
    def _ticks(self) -> dict[str, float]:
        return {name: seconds for name, seconds in TICKS.items() if name != "send" or self._ring_senders is None}

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: somebody else listens
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
            loop.add_signal_handler(signal.SIGHUP, lambda: self._keep(asyncio.create_task(self._hang_up())))

    def _guarded(self, name: str, step: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """What keeps a step from its work, or crashes it, is logged, and the loop lives on."""

        async def tick() -> None:
            if self.ctx.stopping.is_set():
                return
            task = asyncio.current_task()
            assert task is not None
            self._keep(task)
            try:
                await step()
            except DispatcherError as error:
                log.error("step put off", step=name, reason=str(error))
            except Exception:
                log.exception("step failed", step=name, instance_id=self.ctx.instance.instance_id)

        return tick

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _ingest(self) -> None:
        report = await ingest(self.ctx, clock.now())
        if report.new or report.updated:
            log.info("ingested", new=report.new, updated=report.updated, matches=report.matches)
        if report.matches:
            self._ring("plan")

    async def _plan(self) -> None:
        report = await plan(self.ctx, clock.now())
        if report.deliveries:
            log.info("planned", readers=report.readers, digests=report.digests, deliveries=report.deliveries)
            self._ring("send")

    async def _presign(self) -> None:
        report = await presign(self.ctx, clock.now())
        if report.deliveries or report.signed:
            log.info("made ahead", digests=report.digests, deliveries=report.deliveries, signed=report.signed)

    async def _send(self) -> None:
        """Batch by batch, each at its own present, so that an alert planned meanwhile goes before the next digest."""
        while not self.ctx.stopping.is_set():
            report = await send(self.ctx, clock.now(), limit=self.ctx.settings.send.batch)
            if not (report.sent or report.failed or report.suppressed):
                return

    async def _tell(self) -> None:
        await tell(self.ctx, clock.now())

    async def _settle(self) -> None:
        await settle(self.ctx, clock.now())

    async def _archive(self) -> None:
        report = await archive(self.ctx, clock.now())
        if report.issues:
            log.info("brought out", issues=report.issues)

    async def _prune(self) -> None:
        await prune(self.ctx, clock.now())

    def _ring(self, step: str) -> None:
        """Have a step run now rather than at its next tick."""
        if step == "send" and self._ring_senders is not None:
            self._ring_senders()
            return
        with suppress(JobLookupError):
            self._scheduler.modify_job(step, next_run_time=clock.now())

    async def _watch(self) -> None:
        """Wake the folder sources whose files change; polling stays as a net beneath."""
        while not self.ctx.stopping.is_set():
            try:
                await self._watch_folders()
            except DispatcherError as error:
                log.error("folders are not watched for a moment", reason=str(error))
                await asyncio.sleep(RELOOK)
            except Exception:
                log.exception("watching folders failed; it is tried again")
                await asyncio.sleep(RELOOK)

    async def _watch_folders(self) -> None:
        """Watch until there are other folders to watch, or until it fails."""
        folders, end = await self._folders(), asyncio.Event()
        watcher = asyncio.create_task(self._wake_touched(folders, end))
        try:
            while await self._folders() == folders and not watcher.done():
                await asyncio.wait({watcher}, timeout=RELOOK)
        finally:
            end.set()
            await watcher

    async def _wake_touched(self, folders: dict[Path, str], end: asyncio.Event) -> None:
        if not folders:
            await end.wait()
            return
        async for touched in changes(list(folders), end):
            names = [folders[path] for path in touched if path in folders]
            async with self.ctx.store.write() as tx:
                await sources.wake(tx, names, clock.now())
            self._ring("ingest")

    async def _folders(self) -> dict[Path, str]:
        """The folders of all folder sources, config's and those added since."""
        async with self.ctx.store.read() as tx:
            every = await sources.every(tx)
        found = {}
        for source in every:
            if not source.is_paused and not source.url.lower().startswith(("http:", "https:")):
                with suppress(SourceError):
                    path = local_path(source.url, self.ctx.settings.base)
                    if path.is_dir() or not (path.exists() or path.suffix):
                        found[path] = source.name
        return found

    async def _declare(self) -> None:
        await standins.inspect(self.ctx, clock.now())
        report = await declare(self.ctx, clock.now(), pause_missing=True, yes=self._yes)
        if report.created or report.updated or report.paused:
            log.info("config applied", created=report.created, updated=report.updated, paused=report.paused)

    async def _hang_up(self) -> None:
        """SIGHUP: read the configuration again. A broken one is refused and the old one stays in force."""
        if self._reload is None:
            return
        async with self._reloading:
            try:
                settings = self._reload()
                await self.ctx.apply(settings)
                await self._declare()
                log.info("configuration read again")
            except Exception as error:
                log.error("the new configuration was refused; the old one stays in force", reason=str(error))

    async def _drain(self) -> None:
        """Let finish what is running; what takes too long is cut off, and taken back by the next start."""
        self._scheduler.pause()  # its shutdown would cancel what runs
        pending = {task for task in self._running if not task.done()}
        if pending:
            _, late = await asyncio.wait(pending, timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._scheduler.shutdown(wait=False)
        log.info("stopped")
