"""The demo's story: everything is started, a day's digests go out, and then news breaks every few seconds."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dispatcher import clock
from dispatcher.daemon import Daemon
from dispatcher.demo import archive
from dispatcher.demo.articles import Outlet, SampleArticle, upcoming
from dispatcher.demo.articles import archive as earlier
from dispatcher.demo.inbox import Inbox
from dispatcher.demo.mailbox import Mailbox
from dispatcher.demo.press import Press
from dispatcher.demo.readers import READERS, TOPICS, next_slot, write_config
from dispatcher.demo.serving import HOST, free_port, serving
from dispatcher.observability import logs
from dispatcher.pipeline.context import load_settings, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.once import once as one_pass
from dispatcher.store.instances import DAEMON
from dispatcher.web.server import serving as serving_pages

EVERY = 7.0  # seconds between two new articles
ONCE = 4  # new articles in a demo of one cycle
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything around the daemon: the paper, the mailbox, the folder that all of it lives in.

    `soon` is when the digests are due.
    """

    press: Press
    mailbox: Mailbox
    folder: Path
    config: Path
    soon: datetime

    @property
    def notes(self) -> Path:
        """The folder source."""
        return self.folder / "notes"


async def run(*, once: bool, port: int = 8025, out: Path = Path("demo-output"), say: Say = print) -> None:
    """Run the demo until Ctrl-C, or `once` for one full cycle that leaves its mails in `out`.

    DispatcherError if the extra `demo` is not installed.
    """
    logs.setup("warning")
    now = clock.now()
    if once:
        async with _stage(now, soon=now.replace(second=0, microsecond=0)) as stage:
            await _cycle(stage, out, say)
    else:
        pages = f"{HOST}:{free_port(8080)}"
        async with _stage(now, soon=next_slot(now, ahead=timedelta(seconds=20)), pages=pages) as stage:
            await _live(stage, port, say)


@asynccontextmanager
async def _stage(now: datetime, *, soon: datetime, pages: str = "") -> AsyncIterator[Stage]:
    """A temporary folder, the paper's site and the mail server, gone afterwards without a trace."""
    press, mailbox = Press(earlier(now)), Mailbox()
    with tempfile.TemporaryDirectory(prefix="dispatcher-demo-") as name:
        async with mailbox.receiving() as smtp_port, serving(press.app()) as press.url:
            folder = Path(name)
            config = write_config(folder, press_url=press.url, smtp_port=smtp_port, soon=soon, pages=pages)
            stage = Stage(press, mailbox, folder, config, soon)
            for article in earlier(now):
                if article.outlet is Outlet.FOLDER:
                    _drop(stage, article)
            yield stage


async def _cycle(stage: Stage, out: Path, say: Say) -> None:
    """One full cycle: everybody subscribes an hour before the digests are due, news breaks, the digests go out."""
    begin = stage.soon - timedelta(hours=1)
    zones, languages = {reader.timezone for reader in READERS}, {reader.locale for reader in READERS}
    say(
        f"One cycle of an invented paper: {len(TOPICS)} topics, {len(READERS)} readers in {len(zones)} time zones and "
        f"{len(languages)} languages"
    )
    async with open_context(load_settings(stage.config, env={}), now=begin) as ctx:
        await declare(ctx, begin, pause_missing=True)
        first = await one_pass(ctx, begin)
        say(f"  ingest   {first.ingest.new} articles from two feeds and a folder, {first.ingest.matches} matches")
        for article in upcoming()[:ONCE]:
            _publish(stage, article, stage.soon)
        await asyncio.sleep(1.2)  # a file that has just been written is left alone for a moment
        done = await one_pass(ctx, stage.soon)
        say(f"  ingest   {done.ingest.new} more that came out since, {done.ingest.matches} matches")
        say(f"  plan     {done.plan.deliveries} digests and alerts for {done.plan.readers} readers")
        say(f"  send     {done.send.sent} sent over SMTP, {done.send.failed + done.send.deferred} not")
        again = await one_pass(ctx, stage.soon + timedelta(minutes=1))
        say(f"  again    {again.plan.deliveries} mails: what was sent is not sent twice")
    files = archive.save(list(stage.mailbox.mails), out, stage.press)
    say(f"{len(files)} mails are in {out}/ as .eml and .html: open {out / 'index.html'} in a browser")


async def _live(stage: Stage, port: int, say: Say) -> None:
    """The daemon, and beside it a newsroom that publishes and a voice that tells what happens."""
    hint = f"{len(READERS)} invented readers, one real daemon. New mail arrives by itself."
    inbox = Inbox(stage.mailbox, hint, [reader.account(stage.soon) for reader in READERS])
    settings = load_settings(stage.config, env={})  # what the environment says is meant for a real newsletter
    async with (
        serving(inbox.app(), port) as url,
        open_context(settings, role=DAEMON) as ctx,
        serving_pages(ctx) as pages,
    ):
        for line in _welcome(url, port, pages, stage):
            say(line)
        daemon = Daemon(ctx, reload=lambda: load_settings(stage.config, env={}))
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(_keep_publishing(stage, say)), group.create_task(_tell(stage, say))]
                await daemon.run()
                for task in beside:
                    task.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
    say(f"Stopped. {stage.mailbox.arrived} mails had arrived; nothing is left behind.")


def _welcome(url: str, port: int, pages: str, stage: Stage) -> list[str]:
    moved = f" (port {port} was taken)" if port and not url.endswith(f":{port}") else ""
    alerts = sum(bool(reader.instant) or reader.cadence == "instant" for reader in READERS)
    due = f"{stage.soon.astimezone():%H:%M}"
    command = f"{_program()} --config {stage.config}"
    return [
        f"Open {url}{moved}",
        "",
        f"  It is the inbox of {len(READERS)} invented readers of an invented paper. A real daemon reads two feeds",
        f"  and a folder, matches every article to {len(TOPICS)} topics and sends over real SMTP. {alerts} readers",
        f"  are told some stories at once; the digests are due at {due}, each in its reader's",
        f"  zone and language. A new article comes out every {EVERY:g} seconds.",
        "",
        "  What to try:",
        f"    subscribe yourself          {pages}",
        f"    write a story               {stage.press.url}",
        f"    or drop a .txt file into    {stage.notes}",
        f"    see who got what, and why   {command} status",
        f"    read the configuration      {stage.config}",
        "",
        "  Ctrl-C ends it and leaves nothing behind.",
        "",
    ]


def _program() -> str:
    """How this program was called, so that what it tells one to type can be typed."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "dispatcher" else f"{Path(sys.executable)} -m dispatcher"


async def _keep_publishing(stage: Stage, say: Say) -> None:
    """One article after the other until the drawer is empty."""
    for article in upcoming():
        await asyncio.sleep(EVERY)
        say(f"{_time()}  {_publish(stage, article, clock.now())}: {article.title}")
    say(f"{_time()}  That was the last story in the drawer. Write the next one yourself: {stage.press.url}")


async def _tell(stage: Stage, say: Say) -> None:
    """Say so when mail has arrived."""
    names, seen = {reader.email: reader.name for reader in READERS}, 0
    while True:
        arrived = await stage.mailbox.news(seen)
        for mail in reversed(list(stage.mailbox.mails)[: arrived - seen]):
            say(f"{_time()}    → {names.get(mail.recipient, mail.recipient)}: {mail.subject}")
        seen = arrived


def _time() -> str:
    return f"{clock.now().astimezone():%H:%M:%S}"


def _publish(stage: Stage, article: SampleArticle, now: datetime) -> str:
    """Let an article come out; says where."""
    if article.outlet is Outlet.FOLDER:
        _drop(stage, article)
        return "New in the folder"
    stage.press.publish(article.published(now))
    return "New in the paper" if article.outlet is Outlet.PAPER else "New in the twin towns"


def _drop(stage: Stage, article: SampleArticle) -> None:
    """Put an article into the folder source: one of the past with its date, a new one as plain as can be."""
    if article.published_at is not None:
        (stage.notes / f"{article.slug}.md").write_text(article.as_markdown(), encoding="utf-8")
    else:
        (stage.notes / f"{article.slug}.txt").write_text(article.as_text(), encoding="utf-8")
