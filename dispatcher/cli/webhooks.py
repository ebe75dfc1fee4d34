"""`webhooks`: which programs are told what happens, and whether they can be."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dispatcher.cli.options import ALONE, Json, Listing
from dispatcher.cli.session import context, run

app = typer.Typer(name="webhooks", cls=Listing, help="Programs that are told what happens.", epilog=ALONE)


@app.command("list")
def listing(json: Json = False) -> None:
    """List the webhooks of config, and what each was told."""
    run(_listing(json=json))


async def _listing(*, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.store import outbox

    async with context() as ctx, ctx.store.read() as tx:
        known = {webhook.name: webhook for webhook in ctx.settings.webhooks}
        counts = await outbox.told(tx)
    found = [
        {
            "name": name,
            "url": known[name].url if name in known else "",
            "events": list(known[name].events) if name in known else [],
            "deliveries": counts.get(name, {}),
        }
        for name in [*known, *(name for name in counts if name not in known)]
    ]
    if json:
        show.as_json(found)
        return
    show.table(
        "webhooks",
        ("name", "url", "events", "deliveries"),
        [(one["name"], one["url"] or "no longer in config", one["events"], one["deliveries"]) for one in found],
        empty="none; add [[webhooks]] to config",
    )


@app.command("test")
def try_one(name: Annotated[str, typer.Argument(metavar="NAME", help="Which.")], json: Json = False) -> None:
    """Tell one webhook, now and once, an event of type ping. Exits 1 if it did not take it."""
    if not run(_try(name, json=json)):
        raise typer.Exit(1)


async def _try(name: str, *, json: bool) -> bool:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.cli.trouble import UsageError
    from dispatcher.model.values import OutcomeKind
    from dispatcher.outbox.retry import reason_of
    from dispatcher.pipeline.tell import ping, webhook_of

    async with context() as ctx:
        webhook = webhook_of(ctx.settings.webhooks, name)
        if webhook is None:
            known = ", ".join(one.name for one in ctx.settings.webhooks) or "none yet"
            raise UsageError(f'config names no webhook "{name}"; there are {known}')
        event, outcome = await ping(ctx, webhook, clock.now())
    taken = outcome.kind is OutcomeKind.ACCEPTED
    found: dict[str, Any] = {"url": webhook.url, "id": event["id"], "outcome": outcome.kind.value}
    found |= {"answer": reason_of(outcome)}
    if json:
        show.as_json({"name": name, **found})
    else:
        show.facts(f"{name} took it" if taken else f"{name} did not take it", found)
    return taken
