"""`run` and the single steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli.session import context, load, moment, need_config, run

if TYPE_CHECKING:
    from dispatcher.pipeline.context import Context

At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="As if it were this time (ISO 8601).")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("run")(run_command)
    app.command()(ingest)
    app.command()(plan)
    app.command()(send)
    app.command()(settle)
    app.command()(prune)


def run_command(
    once: Annotated[bool, typer.Option("--once", help="One pass through all steps, then exit.")] = False,
    at: At = None,
    yes: Annotated[bool, typer.Option("--yes", help="Pause even many readers that config no longer names.")] = False,
    json: Json = False,
) -> None:
    """Run the daemon, or with --once a single pass through all steps."""
    if at is not None and not once:
        raise typer.BadParameter("--at goes with --once: a daemon lives in the present")
    if once:
        run(_once(moment(at), yes=yes, json=json))
    else:
        run(_daemon(yes=yes))


async def _daemon(*, yes: bool) -> None:
    from dispatcher.cli.session import Session
    from dispatcher.daemon import Daemon
    from dispatcher.pipeline.context import load_settings, open_context
    from dispatcher.store.instances import DAEMON

    settings = load()
    need_config(settings)
    async with open_context(settings, role=DAEMON) as ctx:
        await Daemon(ctx, reload=lambda: load_settings(Session.config), yes=yes).run()


async def _once(now: datetime | None, *, yes: bool, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.context import open_context
    from dispatcher.pipeline.declare import declare
    from dispatcher.pipeline.once import once

    settings = load()
    need_config(settings)
    at = now or clock.now()
    async with open_context(settings, now=at, alone=True) as ctx:
        declared = await declare(ctx, at, pause_missing=True, yes=yes)
        done = await once(ctx, at)
    reports = {"config": _brief(declared), **{name: _brief(report) for name, report in vars_of(done).items()}}
    if json:
        show.as_json(reports)
        return
    rows = [(step, ", ".join(f"{n} {_words(what)}" for what, n in report.items() if n) or "nothing to do")
            for step, report in reports.items()]  # fmt: skip
    show.table(f"one pass at {at:%Y-%m-%d %H:%M:%SZ}", ("step", "done"), rows)
    if declared.guarded:
        show.say(f"[yellow]{declared.guarded} readers are no longer in config; none was paused. Meant? Add --yes.[/]")


def vars_of(done: Any) -> dict[str, Any]:
    """The reports of a pass by step."""
    return {name: getattr(done, name) for name in ("ingest", "plan", "send", "settle", "prune")}


def _brief(report: Any) -> dict[str, int]:
    return {name: value for name, value in asdict(report).items() if isinstance(value, int)}


def _words(name: str) -> str:
    return name.replace("_", " ")


Step = Callable[["Context", datetime], Awaitable[Any]]


def _single(step: Step, at: str | None, json: bool) -> None:
    async def work() -> None:
        from dispatcher import clock
        from dispatcher.cli import show

        now = moment(at)
        async with context(now=now, alone=at is not None) as ctx:
            report = _brief(await step(ctx, now or clock.now()))
        if json:
            show.as_json(report)
        else:
            show.facts(getattr(step, "__name__", "done"), {_words(name): value for name, value in report.items()})

    run(work())


def ingest(
    at: At = None,
    everything: Annotated[bool, typer.Option("--all", help="Every enabled source, due or not.")] = False,
    json: Json = False,
) -> None:
    """Poll the sources that are due and match what is new."""

    async def ingest(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.ingest import ingest

        return await ingest(ctx, now, everything=everything)

    _single(ingest, at, json)


def plan(
    at: At = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show who would get what.")] = False,
    json: Json = False,
) -> None:
    """Make the digests that are due."""
    if dry_run:
        run(_dry_run(moment(at), json=json))
        return

    async def plan(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.plan import plan

        return await plan(ctx, now)

    _single(plan, at, json)


async def _dry_run(now: datetime | None, *, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.plan import plan
    from dispatcher.store import articles, subscribers

    at = now or clock.now()
    async with context() as ctx:
        report = await plan(ctx, at, dry_run=True)
        async with ctx.store.read() as tx:
            people = await subscribers.by_ids(tx, list(report.previews))
            ids = [p.candidate.article_id for m in report.previews.values() for d in m.planned for p in d.picks]
            titles = {i: article.title for i, article in (await articles.by_ids(tx, ids)).items()}
    found: list[dict[str, Any]] = [
        {
            "email": people[reader_id].email,
            "cadence": str(planned.cadence),
            "slot_at": planned.slot_at,
            "stories": [titles.get(pick.candidate.article_id, "") for pick in planned.picks],
            "more": planned.more,
        }
        for reader_id, made in report.previews.items()
        for planned in made.planned
    ]
    if json:
        show.as_json(found)
        return
    rows = [(f["email"], f["cadence"], f["slot_at"], len(f["stories"]) + f["more"], f["stories"][0]) for f in found]
    show.table(
        f"would be sent at {at:%Y-%m-%d %H:%M:%SZ}", ("reader", "cadence", "slot", "stories", "first"), rows,
        empty="nothing is due",
    )  # fmt: skip


def send(
    at: At = None,
    limit: Annotated[int | None, typer.Option(help="At most so many.", min=1)] = None,
    json: Json = False,
) -> None:
    """Send what is in the outbox and due."""

    async def send(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.send import send

        return await send(ctx, now, limit=limit)

    _single(send, at, json)


def settle(at: At = None, json: Json = False) -> None:
    """Apply what came back: bounces, complaints, departures."""

    async def settle(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.settle import settle

        return await settle(ctx, now)

    _single(settle, at, json)


def prune(at: At = None, json: Json = False) -> None:
    """Delete what has outlived its retention."""

    async def prune(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.prune import prune

        return await prune(ctx, now)

    _single(prune, at, json)
