"""`send`: what is due now; and what keeps mail back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli.options import At, Json, Listing, Workers, count
from dispatcher.cli.session import Session, context, run
from dispatcher.cli.steps import single

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dispatcher.model.outbound import Pause
    from dispatcher.outbox.safety import Counts
    from dispatcher.pipeline.context import Context
    from dispatcher.pipeline.send import SendReport
    from dispatcher.pipeline.standing import Standing
    from dispatcher.store import Transaction


class Sending(Listing):
    """A group whose bare name sends what is due."""

    bare = "now"


app = typer.Typer(
    name="send", cls=Sending, help="Send what is due; keep mail back, and let it go.",
    epilog="Without a command it is `now`.",
)  # fmt: skip


@app.command("now")
def send(
    at: At = None,
    limit: Annotated[int | None, typer.Option(metavar="N", parser=count, help="At most so many mails.")] = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Send the mail that is in the outbox and due, and tell webhooks what they are to be told."""
    from dispatcher.cli.trouble import UsageError

    if workers and limit is not None:
        raise UsageError("--limit goes without --workers")

    async def step(ctx: Context, now: datetime) -> Any:
        from dispatcher.pipeline.send import send
        from dispatcher.pipeline.tell import tell

        sent = await (_send_with(workers, ctx, now) if workers else send(ctx, now, limit=limit))
        told = await tell(ctx, now)
        return asdict(sent) | {f"webhooks_{name}": number for name, number in asdict(told).items()}

    single(step, "send", at, json=json)


async def _send_with(workers: int, ctx: Context, now: datetime) -> SendReport:
    """Send with processes of their own. SIGTERM and Ctrl-C let them finish what is in flight."""
    import asyncio
    import signal

    from dispatcher.errors import DispatcherError
    from dispatcher.workers.crew import Crew

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ctx.stopping.set)
    crew = Crew(workers, ctx.settings, ctx.stopping, at=now, debug=Session.debug)
    report = await crew.run()
    if crew.has_failed:
        raise DispatcherError("not every worker could go on to the end; the log above says why")
    return report


@app.command()
def pause(
    everything: Annotated[bool, typer.Option("--all", help="All mail, alerts and confirmations too.")] = False,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="Digests and editions only; so it is if nothing is said.")
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever looks later.")] = "",
    json: Json = False,
) -> None:
    """Keep mail back, in every process, within a second or two. What waits too long expires."""
    from dispatcher.cli.trouble import UsageError

    if everything and bulk:
        raise UsageError("say --all or --bulk")
    run(_pause(reason, everything=everything, json=json))


async def _pause(reason: str, *, everything: bool, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.model.values import PauseScope
    from dispatcher.pipeline import safety
    from dispatcher.pipeline.standing import WHAT

    scope = PauseScope.ALL if everything else PauseScope.BULK
    async with context() as ctx, ctx.store.write() as tx:
        is_new = await safety.pause(ctx, tx, scope, clock.now(), "cli", reason=reason)
    if json:
        show.as_json({"paused": is_new, "scope": scope})
    elif is_new:
        show.say(f"{WHAT[scope]}: kept back until `dispatcher send resume`")
    else:
        show.say(f"{WHAT[scope]}: kept back already; `dispatcher send status` says since when")


@app.command()
def resume(json: Json = False) -> None:
    """Let go what was kept back by hand, or because too much came back."""
    from dispatcher.pipeline import safety

    run(_lift(safety.resume, "let go again", "nothing was kept back that this lets go", json=json))


@app.command()
def approve(json: Json = False) -> None:
    """Let go what is far more than usual: for a day, and for up to twice what waits now."""
    from dispatcher.pipeline import safety

    run(_lift(safety.approve, "approved", "nothing waits to be approved", json=json))


async def _lift(
    lift: Callable[[Context, Transaction, datetime, str], Awaitable[list[Pause]]],
    done: str,
    nothing: str,
    *,
    json: bool,
) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.standing import WHAT, said
    from dispatcher.store import pauses

    async with context() as ctx, ctx.store.write() as tx:
        lifted = await lift(ctx, tx, clock.now(), "cli")
        left = await pauses.in_force(tx)
    if json:
        show.as_json({"lifted": lifted, "left": left})
        return
    for one in lifted:
        show.say(f"{WHAT[one.scope]}: {done}")
    if not lifted:
        show.say(nothing)
    for one in left:
        show.note(f"still {said(one)}")


@app.command("status")
def show_status(json: Json = False) -> None:
    """Show what keeps mail back, how today compares with the usual, and what came back."""
    run(_show_status(json=json))


async def _show_status(*, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.standing import said, standing

    async with context() as ctx, ctx.store.read() as tx:
        found = await standing(ctx, tx, clock.now())
    if json:
        show.as_json(asdict(found))
        return
    show.facts("sending", _told(found))
    for one in found.pauses:
        show.say(said(one))


def _told(found: Standing) -> dict[str, Any]:
    volume = found.volume
    return {
        "state": "paused" if found.pauses else "open",
        "digests_waiting": volume.waiting,
        "digests_ended_today": volume.today,
        "most_on_one_of_30_days": "no history yet" if volume.usual is None else volume.usual,
        "goes_without_asking": "all" if volume.most is None else volume.most,
        "left_of_daily_cap": found.left_today,
        "last_day": _rates(found.day),
        "last_week": _rates(found.week),
    }


def _rates(counts: Counts) -> str:
    if not counts.ended:
        return "nothing was sent"
    bounced, complained = counts.bounced / counts.ended, counts.complained / counts.ended
    return f"{counts.sent} sent, {counts.failed} failed; bounced for good {bounced:.2%}, complaints {complained:.2%}"
