"""`status`: what flows through the pipe, who got it, who did not."""

from __future__ import annotations

from typing import Any

import typer

from dispatcher.cli.options import Json
from dispatcher.cli.session import run, store


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(status)


def status(json: Json = False) -> None:
    """Show sources, articles, readers and the outbox at a glance."""
    run(_status(json=json))


async def _status(*, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.model.values import DeliveryStatus
    from dispatcher.pipeline.standing import WHAT
    from dispatcher.store import figures, outbox

    async with store() as opened:
        found: dict[str, Any] = await figures.overview(opened)
        async with opened.read() as tx:
            lost = [
                delivery
                for wanted in (DeliveryStatus.FAILED, DeliveryStatus.HELD, DeliveryStatus.EXPIRED)
                for delivery in await outbox.listing(tx, status=wanted, limit=5)
            ]
    if json:
        show.as_json(found)
        return
    deliveries, daemon, kept_back = found.pop("deliveries"), found["daemon"], found.pop("pauses")
    found["daemon"] = f"running, pid {daemon['pid']} on {daemon['host']}" if daemon else "not running"
    show.facts("dispatcher", found)
    show.say("")
    show.facts("deliveries", deliveries)
    for pause in kept_back:
        show.say(f"{WHAT[pause['scope']]}: kept back by {pause['by']}; `dispatcher send status` says why")
    if lost:
        show.say("")
        show.table("not delivered, latest first (all: `dispatcher deliveries`)", ("id", "to", "status", "why"),
                   [(d.id, d.recipient, d.status.value, d.reason) for d in lost])  # fmt: skip
