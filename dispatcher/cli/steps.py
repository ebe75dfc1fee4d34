"""`run` and the single steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli.options import At, Json, Workers
from dispatcher.cli.session import Session, context, load_file, run

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from dispatcher.config import Settings
    from dispatcher.pipeline.context import Context
    from dispatcher.pipeline.plan import PlanReport

Step = Callable[["Context", datetime], Awaitable[Any]]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("run")(run_command)
    app.command("web")(web_command)
    for step in (ingest, plan, presign, settle, archive, prune):
        app.command()(step)


def run_command(
    once: Annotated[bool, typer.Option("--once", help="One pass through all steps, then exit.")] = False,
    at: At = None,
    yes: Annotated[bool, typer.Option("--yes", help="Pause even many readers that config no longer names.")] = False,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Run the daemon, or with --once make a single pass."""
    from dispatcher.cli.trouble import UsageError

    if once:
        if workers is not None:
            raise UsageError("--workers goes with the daemon, or with `dispatcher send`")
        run(_once(at, yes=yes, json=json))
        return
    for option, value in (("--at", at), ("--json", json)):
        if value:
            raise UsageError(f"{option} goes with --once: a daemon lives in the present and tells it in its log")
    run(_daemon(workers, yes=yes))


async def _daemon(workers: int | None, *, yes: bool) -> None:
    from contextlib import AsyncExitStack

    from dispatcher.daemon import Daemon
    from dispatcher.pipeline.context import load_settings, open_context
    from dispatcher.store.instances import DAEMON
    from dispatcher.workers.crew import Crew

    settings = load_file()
    count = settings.send.workers if workers is None else workers
    async with AsyncExitStack() as stack:
        ctx = await stack.enter_async_context(open_context(settings, role=DAEMON))
        await _open_pages(ctx, stack)
        crew = Crew(count, settings, ctx.stopping, debug=Session.debug)

        def reload() -> Settings:
            fresh = load_settings(Session.config)
            crew.reload()
            return fresh

        if count:
            await stack.enter_async_context(crew.at_work())
        await Daemon(ctx, reload=reload, yes=yes, ring_senders=crew.look if count else None).run()


async def _open_pages(ctx: Context, stack: AsyncExitStack) -> None:
    """Serve the pages beside the daemon. Mail matters more: an address that cannot be had is a warning."""
    from dispatcher.errors import ListenError
    from dispatcher.observability.logs import logger
    from dispatcher.web.server import serving

    log = logger("web")
    if not ctx.settings.web.listen:
        return
    try:
        url = await stack.enter_async_context(serving(ctx))
    except ListenError as error:
        log.warning("the pages are not served", reason=str(error))
        return
    log.info("pages are served", url=url)
    if not ctx.settings.web.url:
        log.warning("[web] url is empty: no mail has a link to unsubscribe or to change what one gets")


def web_command(
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen; else as [web] listen says.")
    ] = "",
) -> None:
    """Serve the readers' pages, the API and the admin pages, without the daemon."""
    run(_web(listen))


async def _web(listen: str) -> None:
    import asyncio
    import signal

    from dispatcher.cli import show
    from dispatcher.cli.trouble import UsageError
    from dispatcher.config.networks import listen as checked
    from dispatcher.pipeline.context import open_context
    from dispatcher.web.server import serving

    settings = load_file()
    try:
        where = checked(listen or settings.web.listen or "127.0.0.1:8080")
    except ValueError as error:
        raise UsageError(f"--listen: {error}") from None
    async with open_context(settings, role="web") as ctx:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ctx.stopping.set)
        async with serving(ctx, where) as url:
            show.note(f"serving {url}; Ctrl-C stops it")
            await ctx.stopping.wait()


async def _once(at: datetime | None, *, yes: bool, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import standins
    from dispatcher.pipeline.context import open_context
    from dispatcher.pipeline.declare import declare
    from dispatcher.pipeline.once import once

    with show.progress("one pass through all steps", quiet=json):
        settings, now = load_file(), at or clock.now()
        async with open_context(settings, now=now, alone=True) as ctx:
            await standins.inspect(ctx, now)
            declared = await declare(ctx, now, pause_missing=True, yes=yes)
            done = await once(ctx, now)
    reports = {"config": _counts(declared)} | {step.name: _counts(getattr(done, step.name)) for step in fields(done)}
    if json:
        show.as_json(reports)
    else:
        show.table(f"one pass at {now:%Y-%m-%d %H:%M:%S}Z", ("step", "done"),
                   [(step, _said(report)) for step, report in reports.items()])  # fmt: skip
        for hint in _hints(settings, reports):
            show.note(hint)
    if declared.guarded:
        show.note(f"{declared.guarded} readers are no longer in config; none was paused. If that is meant, add --yes.")


def _counts(report: Any) -> dict[str, int]:
    """What there is to count in a step's report."""
    values = report if isinstance(report, dict) else asdict(report)
    return {name: value for name, value in values.items() if isinstance(value, int)}


def _said(report: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in report.items() if number) or "nothing to do"
    )


def _hints(settings: Settings, reports: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What to do next, where a pass could do nothing or failed."""
    ingested, sent = reports["ingest"], reports["send"]
    hints = {
        "no source is read yet: name one in config, or `dispatcher sources add URL`":
            not settings.sources and not any(ingested.values()),
        "some sources could not be read: `dispatcher sources` says why": bool(ingested["failed"]),
        "some mails did not get out: `dispatcher deliveries` says why": bool(sent["failed"] or sent["deferred"]),
    }  # fmt: skip
    return [hint for hint, applies in hints.items() if applies]


def single(step: Step, title: str, at: datetime | None, *, json: bool) -> None:
    """Run one step as a command, and show what it did."""

    async def work() -> None:
        from dispatcher import clock
        from dispatcher.cli import show

        now = at or clock.now()
        with show.progress(title, quiet=json):
            async with context(now=now, alone=at is not None) as ctx:
                report = _counts(await step(ctx, now))
        if json:
            show.as_json(report)
        else:
            show.facts(title, report)

    run(work())


def ingest(
    at: At = None,
    everything: Annotated[bool, typer.Option("--all", help="Every enabled source, due or not.")] = False,
    json: Json = False,
) -> None:
    """Poll the sources that are due and match what is new."""

    async def step(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.ingest import ingest

        return await ingest(ctx, now, everything=everything)

    single(step, "ingest", at, json=json)


def plan(
    at: At = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show who would get what.")] = False,
    json: Json = False,
) -> None:
    """Make the digests that are due."""
    if dry_run:
        run(_dry_run(at, json=json))
        return

    async def step(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.plan import plan

        return await plan(ctx, now)

    single(step, "plan", at, json=json)


def presign(at: At = None, json: Json = False) -> None:
    """Make and sign the digests that are due soon, as long before as [send] presign says."""

    async def step(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.presign import presign

        return await presign(ctx, now)

    single(step, "presign", at, json=json)


async def _dry_run(at: datetime | None, *, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.plan import plan

    now = at or clock.now()
    async with context() as ctx:
        found = await _described(ctx, await plan(ctx, now, dry_run=True), now)
    if json:
        show.as_json(found)
        return
    show.table(
        f"would be sent at {now:%Y-%m-%d %H:%M:%S}Z",
        ("reader", "cadence", "slot", "leaves", "stories", "first"),
        [
            (f["email"], f["cadence"], f["slot_at"], f["leaves_at"] if f["leaves_at"] > now else "",
             len(f["stories"]) + f["more"], f["stories"][0])
            for f in found
        ],
        empty="nothing is due",
    )  # fmt: skip


async def _described(ctx: Context, report: PlanReport, now: datetime) -> list[dict[str, Any]]:
    """Who would get which stories, by name."""
    from dispatcher.pipeline.waiting import leaves
    from dispatcher.store import articles, subscribers

    planned = [(reader_id, one) for reader_id, made in report.previews.items() for one in made.planned]
    async with ctx.store.read() as tx:
        people = await subscribers.by_ids(tx, list(report.previews))
        known = await articles.by_ids(tx, [pick.candidate.article_id for _, one in planned for pick in one.picks])
    titles = {article_id: article.title for article_id, article in known.items()}
    return [
        {
            "email": people[reader_id].email,
            "cadence": str(one.cadence),
            "slot_at": one.slot_at,
            "leaves_at": leaves(people[reader_id], one.cadence, now),
            "stories": [titles.get(pick.candidate.article_id, "") for pick in one.picks],
            "more": one.more,
        }
        for reader_id, one in planned
    ]


def settle(at: At = None, json: Json = False) -> None:
    """Apply what came back: bounces, complaints, departures."""

    async def step(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.settle import settle

        return await settle(ctx, now)

    single(step, "settle", at, json=json)


def archive(at: At = None, json: Json = False) -> None:
    """Bring out the issues of the public archive that are due."""

    async def step(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.archive import archive

        return await archive(ctx, now)

    single(step, "archive", at, json=json)


def prune(at: At = None, json: Json = False) -> None:
    """Delete what has outlived its retention."""

    async def step(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.prune import prune

        return await prune(ctx, now)

    single(step, "prune", at, json=json)
