"""The demo's story: everything is started, a day's digests go out, and then news breaks every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from dispatcher import clock
from dispatcher.daemon import Daemon
from dispatcher.demo import archive
from dispatcher.demo.articles import Outlet, SampleArticle, upcoming
from dispatcher.demo.articles import archive as earlier
from dispatcher.demo.feed import Press
from dispatcher.demo.inbox import Inbox
from dispatcher.demo.mailbox import Mailbox
from dispatcher.demo.readers import READERS, next_slot, write_config
from dispatcher.demo.serving import serving
from dispatcher.observability import logs
from dispatcher.pipeline.context import Context, load_settings, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.once import once as one_pass
from dispatcher.store import figures
from dispatcher.store.instances import DAEMON

EVERY = 6.0  # seconds between two new articles
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything around the daemon: the paper's site, the mailbox, and the folder that all of it lives in."""

    press: Press
    mailbox: Mailbox
    folder: Path
    config: Path
    soon: datetime


async def run(*, once: bool, port: int = 8025, out: Path = Path("demo-output"), say: Say = print) -> None:
    """Run the demo until Ctrl-C, or `once` for one full cycle that leaves its mails in `out`.

    DispatcherError if the extra `demo` is not installed.
    """
    logs.setup("warning")
    async with _stage(clock.now()) as stage:
        if once:
            await _cycle(stage, out, say)
        else:
            await _live(stage, port, say)


@asynccontextmanager
async def _stage(now: datetime) -> AsyncIterator[Stage]:
    """A temporary folder, the paper's site and the mail server, gone afterwards without a trace."""
    press, mailbox = Press(earlier(now)), Mailbox()
    soon = next_slot(now, ahead=timedelta(seconds=15))
    with tempfile.TemporaryDirectory(prefix="dispatcher-demo-") as name, mailbox.receiving() as smtp_port:
        async with serving(press.app()) as url:
            press.url = url
            folder = Path(name)
            config = write_config(folder, press_url=url, smtp_port=smtp_port, soon=soon)
            for article in earlier(now):
                if article.outlet is Outlet.FOLDER:
                    _drop(folder, article)
            yield Stage(press, mailbox, folder, config, soon)


async def _cycle(stage: Stage, out: Path, say: Say) -> None:
    """One full cycle: the digests of the day, then two new articles and the alerts they cause."""
    now = clock.now()
    say("one cycle: an invented paper, eight topics, six readers in five zones and four languages")
    async with open_context(load_settings(stage.config), now=now) as ctx:
        await declare(ctx, now, pause_missing=True)
        first = await one_pass(ctx, now)
        say(f"  ingest   {first.ingest.new} articles from two feeds and a folder, {first.ingest.matches} matches")
        for article in upcoming()[:2]:
            _publish(stage, article, now)
        await asyncio.sleep(1.2)  # a file that has just been written is left alone for a moment
        done = await one_pass(ctx, stage.soon)
        say(f"  plan     {done.plan.deliveries} mails for {done.plan.readers} readers at {stage.soon:%H:%M} UTC")
        say(f"  send     {done.send.sent} sent over SMTP, {done.send.failed + done.send.deferred} not")
        again = await one_pass(ctx, stage.soon + timedelta(minutes=1))
        say(f"  again    {again.plan.deliveries} mails: what was sent is not sent twice")
    files = archive.save(list(stage.mailbox.mails), out, stage.press)
    say(f"{len(files)} mails are in {out}/ as .eml and .html; open {out / 'index.html'}")


async def _live(stage: Stage, port: int, say: Say) -> None:
    inbox = Inbox(stage.mailbox, f"{len(READERS)} invented readers, one real daemon. New mail arrives by itself.")
    async with serving(inbox.app(), port) as url, open_context(load_settings(stage.config), role=DAEMON) as ctx:
        for line in _welcome(url, port, stage):
            say(line)
        daemon = Daemon(ctx, reload=lambda: load_settings(stage.config))
        publishing = asyncio.create_task(_keep_publishing(stage, say))
        counting = asyncio.create_task(_keep_counting(ctx, stage, say))
        try:
            await daemon.run()
        finally:
            for task in (publishing, counting):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        say(f"stopped; {len(stage.mailbox.mails)} mails had arrived")


def _welcome(url: str, port: int, stage: Stage) -> list[str]:
    moved = "" if url.endswith(f":{port}") else f" (port {port} was taken)"
    return [
        f"[bold]Open {url}[/]{moved}: the inbox of six invented readers.",
        "",
        f"  A real daemon reads two feeds ({stage.press.url}/feed.xml is one) and the folder {stage.folder}/notes,",
        "  matches every article to eight topics, and sends over real SMTP. Two readers want each story at once;",
        f"  four want a digest; all are due at {stage.soon:%H:%M} UTC, each in its reader's own zone and language.",
        f"  A new article is published every {EVERY:g} seconds.",
        "",
        "  Try: drop a .txt file into that folder (first line title, rest body) and watch the alerts;",
        f"       dispatcher --config {stage.config} status",
        f"       dispatcher --config {stage.config} topics test 'energy NOT gas' --article FILE",
        "  Ctrl-C ends it and leaves nothing behind.",
        "",
    ]


async def _keep_publishing(stage: Stage, say: Say) -> None:
    """One article after the other; when all are out they come round again under new names."""
    await asyncio.sleep(EVERY)
    edition = 1
    while True:
        for article in upcoming():
            again = article if edition == 1 else replace(article, slug=f"{article.slug}-{edition}")
            where = _publish(stage, again, clock.now())
            say(f"  published in {where}: {article.title}")
            await asyncio.sleep(EVERY)
        edition += 1


async def _keep_counting(ctx: Context, stage: Stage, say: Say) -> None:
    """Say so when mail has arrived."""
    seen = 0
    while True:
        await asyncio.sleep(1)
        mails = list(stage.mailbox.mails)
        for mail in reversed(mails[: len(mails) - seen]):
            say(f"    [dim]→ {mail.recipient}: {mail.subject}[/]")
        if len(mails) > seen and seen == 0:
            async with ctx.store.read() as tx:
                counts = await figures.status(tx)
            say(f"    [dim]{counts['articles']} articles, {counts['matches']} matches so far[/]")
        seen = len(mails)


def _publish(stage: Stage, article: SampleArticle, now: datetime) -> str:
    if article.outlet is Outlet.FOLDER:
        _drop(stage.folder, article)
        return "the folder"
    stage.press.publish(article.published(now))
    return "the feed" if article.outlet is Outlet.PAPER else "the twin towns' feed"


def _drop(folder: Path, article: SampleArticle) -> None:
    file = folder / "notes" / f"{article.slug}.txt"
    file.write_text(article.as_text(), encoding="utf-8")
    if article.published_at is not None:  # a text file's date is all that says how old its story is
        os.utime(file, (article.published_at.timestamp(),) * 2)
