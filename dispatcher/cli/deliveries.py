"""`deliveries`: who got what, who did not, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.options import ALONE, Id, Json, Limit, Listing, Yes, count
from dispatcher.cli.session import context, run, store

if TYPE_CHECKING:
    from dispatcher.model.outbound import Delivery
    from dispatcher.store import Store

LONGEST = 31 * 24  # hours: a month, the longest period

app = typer.Typer(name="deliveries", cls=Listing, help="Who got what, who did not, and why.", epilog=ALONE)


@app.command("list")
def listing(
    status: Annotated[str, typer.Option(metavar="STATUS", help="queued, sent, deferred, held, failed …")] = "",
    email: Annotated[str, typer.Option(metavar="EMAIL", help="Of one reader.")] = "",
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List deliveries, newest first."""
    run(_listing(status, email, limit, json=json))


async def _listing(status: str, email: str, limit: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.cli.trouble import UsageError
    from dispatcher.model.values import DeliveryStatus
    from dispatcher.pipeline.admission import person
    from dispatcher.store import outbox

    if status and status not in set(DeliveryStatus):
        raise UsageError(f"{status!r} is no status of a delivery; there are {', '.join(DeliveryStatus)}")
    wanted = DeliveryStatus(status) if status else None
    async with store() as opened, opened.read() as tx:
        reader_id = (await person(tx, email)).id if email else None
        found = await outbox.listing(tx, status=wanted, subscriber_id=reader_id, limit=limit)
    if json:
        show.as_json(found)
        return
    show.table(
        "deliveries",
        ("id", "to", "kind", "slot", "status", "tries", "finished", "why"),
        [(d.id, d.recipient, _kind(d), d.slot_at, d.status.value, d.attempts, d.finished_at, d.reason)
         for d in found],
        empty="none; `dispatcher plan --dry-run --at TIME` shows what would be due",
    )  # fmt: skip


def _kind(delivery: Delivery) -> str:
    """What it is; for a webhook, also the event that it is told of."""
    return " ".join(word for word in (delivery.kind.value, str(delivery.personal.get("type", ""))) if word)


@app.command("show")
def show_one(delivery_id: Id, json: Json = False) -> None:
    """Show one delivery's story: every attempt, with the server's words."""
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
        show.as_json({**show.fields(delivery), "attempts_made": attempts})
        return
    known = {**show.fields(delivery, "id", "address_hash", "personal", "lease_until"), "kind": _kind(delivery)}
    show.facts(f"delivery {delivery_id}", known)
    show.say("")
    show.table(
        "attempts",
        ("at", "outcome", "code", "enhanced", "relay", "words"),
        [(a.at, a.outcome.value, a.code or "", a.enhanced, a.relay, a.text) for a in attempts],
        empty="not tried yet",
    )


@app.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID", parser=count, help="Which.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed or expired.")] = False,
    digest: Annotated[
        int | None, typer.Option(metavar="ID", parser=count, help="With --failed: of one digest only.")
    ] = None,
    hours: Annotated[int, typer.Option(metavar="N", parser=count, help="How long they may take.")] = 12,
    yes: Yes = False,
) -> None:
    """Send again what did not arrive. Suppressed addresses stay suppressed."""
    from dispatcher.cli.trouble import UsageError

    if bool(ids) == failed:
        raise UsageError("name deliveries by their ids, or say --failed")
    if digest and not failed:
        raise UsageError("--digest goes with --failed")
    if hours > LONGEST:
        raise UsageError(f"--hours {hours} is too long; nothing is news for more than {LONGEST}")
    run(_retry(ids or [], digest, hours, yes=yes))


async def _retry(ids: list[int], digest: int | None, hours: int, *, yes: bool) -> None:
    from datetime import timedelta

    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.store import outbox

    async with context() as ctx:
        if not ids:
            ids = await _lost(ctx.store, digest)
        if ids:
            show.confirm(f"Send {len(ids)} {'delivery' if len(ids) == 1 else 'deliveries'} again?", yes=yes)
        now = clock.now()
        async with ctx.store.write() as tx:
            queued = await outbox.requeue(tx, ids, now, now + timedelta(hours=hours))
    if ids and not queued:
        raise StoreError("none of them can be sent again: only what failed, expired, is held or deferred can")
    show.say(f"{queued} of {len(ids)} queued again" if ids else "nothing has failed or expired")


async def _lost(store: Store, digest: int | None) -> list[int]:
    """The deliveries that failed or expired."""
    from dispatcher.model.values import DeliveryStatus
    from dispatcher.store import outbox

    async with store.read() as tx:
        return [
            delivery.id or 0
            for status in (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED)
            for delivery in await outbox.listing(tx, status=status, digest_id=digest, limit=None)
        ]


@app.command()
def cancel(
    ids: Annotated[list[int], typer.Argument(metavar="ID", parser=count, help="Which.")], yes: Yes = False
) -> None:
    """Withdraw what has not left."""
    run(_cancel(ids, yes=yes))


async def _cancel(ids: list[int], *, yes: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.store import outbox

    async with context() as ctx:
        show.confirm(f"Withdraw {len(ids)} {'delivery' if len(ids) == 1 else 'deliveries'}?", yes=yes)
        async with ctx.store.write() as tx:
            gone = await outbox.cancel(tx, ids, clock.now())
    if not gone:
        raise StoreError("none of them can be withdrawn: only what is queued, deferred or held can")
    show.say(f"{gone} of {len(ids)} withdrawn")
