"""`deliveries`: who got what, who did not, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli.session import context, run, store

app = typer.Typer(name="deliveries", help="Who got what, who did not, and why.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command("list")
def listing(
    status: Annotated[str | None, typer.Option(help="queued, sending, sent, deferred, held, failed …")] = None,
    email: Annotated[str | None, typer.Option(help="Of one reader.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    json: Json = False,
) -> None:
    """Deliveries, newest first."""
    run(_listing(status, email, limit, json=json))


async def _listing(status: str | None, email: str | None, limit: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.model.values import DeliveryStatus
    from dispatcher.store import outbox, subscribers

    if status is not None and status not in set(DeliveryStatus):
        raise typer.BadParameter(f"{status!r} is no status; there are {', '.join(DeliveryStatus)}")
    wanted = DeliveryStatus(status) if status else None
    async with store() as opened, opened.read() as tx:
        reader = await subscribers.by_email(tx, email.strip().lower()) if email else None
        subscriber_id = (reader.id or 0 if reader else 0) if email else None
        found = await outbox.listing(tx, status=wanted, subscriber_id=subscriber_id, limit=limit)
    if json:
        show.as_json(found)
        return
    show.table(
        "deliveries",
        ("id", "to", "kind", "slot", "status", "tries", "finished", "why"),
        [(d.id, d.recipient, d.kind.value, d.slot_at, d.status.value, d.attempts, d.finished_at, d.reason)
         for d in found],
        empty="none; `dispatcher plan --dry-run --at TIME` shows what would be due",
    )  # fmt: skip


@app.command("show")
def show_one(delivery_id: int, json: Json = False) -> None:
    """One delivery's story: every attempt, with the server's words."""
    run(_show_one(delivery_id, json=json))


async def _show_one(delivery_id: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.store import outbox

    async with store() as opened, opened.read() as tx:
        delivery = await outbox.get(tx, delivery_id)
        if delivery is None:
            raise StoreError(f"no delivery {delivery_id}; `dispatcher deliveries list` shows what there is")
        attempts = await outbox.attempts(tx, delivery_id)
    if json:
        show.as_json({**delivery.model_dump(), "attempts_made": attempts})
        return
    show.facts(f"delivery {delivery_id}", delivery.model_dump(exclude={"address_hash", "personal", "lease_until"}))
    show.table(
        "attempts",
        ("at", "outcome", "code", "enhanced", "relay", "words"),
        [(a.at, a.outcome.value, a.code or "", a.enhanced, a.relay, a.text) for a in attempts],
        empty="not tried yet",
    )


@app.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(help="Which; or --failed for all that failed or expired.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed or expired.")] = False,
    digest: Annotated[int | None, typer.Option(help="With --failed: of one digest only.")] = None,
    hours: Annotated[int, typer.Option(help="How long the new life lasts.", min=1)] = 12,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Send again what did not arrive. Suppressed addresses stay suppressed."""
    if bool(ids) == failed:
        raise typer.BadParameter("name deliveries by id, or say --failed")
    run(_retry(ids or [], digest, hours, yes=yes))


async def _retry(ids: list[int], digest: int | None, hours: int, *, yes: bool) -> None:
    from datetime import timedelta

    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.model.values import DeliveryStatus
    from dispatcher.store import outbox

    async with context() as ctx:
        if not ids:
            async with ctx.store.read() as tx:
                for status in (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED):
                    found = await outbox.listing(tx, status=status, digest_id=digest, limit=None)
                    ids += [delivery.id or 0 for delivery in found]
        if ids:
            show.confirm(f"Send {len(ids)} deliveries again?", yes=yes)
        now = clock.now()
        async with ctx.store.write() as tx:
            count = await outbox.requeue(tx, ids, now, now + timedelta(hours=hours))
    show.say(f"{count} of {len(ids)} queued again")
