"""`deliveries`: who got what, who did not, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.options import ALONE, Id, Json, Limit, Listing, Yes, count, instant
from dispatcher.cli.session import context, run, store

if TYPE_CHECKING:
    from dispatcher.model.outbound import Delivery
    from dispatcher.model.values import DeliveryKind, DeliveryStatus
    from dispatcher.store.stories import Wanted

LONGEST = 31 * 24  # hours: a month, the longest period
AT_ONCE = 500  # deliveries moved in one transaction

app = typer.Typer(name="deliveries", cls=Listing, help="Who got what, who did not, and why.", epilog=ALONE)

Status = Annotated[str, typer.Option("--status", metavar="STATUS", help="queued, sent, deferred, held, failed …")]
Kind = Annotated[str, typer.Option("--kind", metavar="KIND", help="breaking, alert, digest, confirmation …")]
OfDigest = Annotated[int | None, typer.Option("--digest", metavar="ID", parser=count, help="Of one digest.")]
Since = Annotated[
    datetime | None, typer.Option("--since", metavar="TIME", parser=instant, help="Made at this time or later.")
]


@app.command("list")
def listing(
    status: Status = "",
    kind: Kind = "",
    digest: OfDigest = None,
    edition: Annotated[str, typer.Option(metavar="SLUG", help="Of one edition.")] = "",
    email: Annotated[str, typer.Option(metavar="EMAIL", help="Of one reader, whatever their address was.")] = "",
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="To one address.")] = "",
    since: Since = None,
    relay: Annotated[str, typer.Option(metavar="RELAY", help="Tried over this relay.")] = "",
    code: Annotated[str, typer.Option(metavar="CODE", help="Last answered so: 550, or at some try: 5.7.1.")] = "",
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List deliveries, newest first."""
    from dispatcher.store.stories import Wanted

    number, enhanced = _code(code)
    wanted = Wanted(
        statuses=_statuses(status), kind=_kind_of(kind), digest_id=digest, recipient=to or None, since=since,
        relay=relay or None, code=number, enhanced=enhanced,
    )  # fmt: skip
    run(_listing(wanted, edition, email, limit, json=json))


async def _listing(wanted: Wanted, edition: str, email: str, limit: int, *, json: bool) -> None:
    from dataclasses import replace

    from dispatcher.cli import show
    from dispatcher.pipeline import editions
    from dispatcher.pipeline.admission import person
    from dispatcher.store import stories

    async with store() as opened, opened.read() as tx:
        reader_id = (await person(tx, email)).id if email else None
        edition_id = (await editions.named(tx, edition)).id if edition else None
        sought = replace(wanted, subscriber_id=reader_id, edition_id=edition_id)
        found = await stories.listing(tx, sought, limit=limit)
    if json:
        show.as_json(found)
        return
    none = "none; `dispatcher plan --dry-run --at TIME` shows what would be due"
    show.table(
        "deliveries",
        ("id", "to", "kind", "slot", "status", "tries", "finished", "why"),
        [(d.id, d.recipient, _kind(d), d.slot_at, d.status.value, d.attempts, d.finished_at, d.reason)
         for d in found],
        empty=none if sought.is_all else "none that fits",
    )  # fmt: skip


def _kind(delivery: Delivery) -> str:
    """What it is; for a webhook, also the event that it is told of."""
    return " ".join(word for word in (delivery.kind.value, str(delivery.personal.get("type", ""))) if word)


def _statuses(text: str) -> list[DeliveryStatus]:
    from dispatcher.cli.trouble import UsageError
    from dispatcher.model.values import DeliveryStatus

    if text and text not in set(DeliveryStatus):
        raise UsageError(f"{text!r} is no status of a delivery; there are {', '.join(DeliveryStatus)}")
    return [DeliveryStatus(text)] if text else []


def _kind_of(text: str) -> DeliveryKind | None:
    from dispatcher.cli.trouble import UsageError
    from dispatcher.model.values import DeliveryKind

    if text and text not in set(DeliveryKind):
        raise UsageError(f"{text!r} is no kind of delivery; there are {', '.join(DeliveryKind)}")
    return DeliveryKind(text) if text else None


def _code(text: str) -> tuple[int | None, str | None]:
    """A reply code (RFC 5321) or an enhanced one (RFC 3463)."""
    import re

    from dispatcher.cli.trouble import UsageError

    if re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", text):
        return None, text
    if text and not re.fullmatch(r"\d{3}", text):
        raise UsageError(f"--code {text!r} is no reply code; write it like 550 or 5.7.1")
    return (int(text), None) if text else (None, None)


@app.command("show")
def show_one(delivery_id: Id, json: Json = False) -> None:
    """Show one delivery's story: every attempt with the server's words, what came back, how it stands."""
    run(_show_one(delivery_id, json=json))


async def _show_one(delivery_id: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.outbox.story import timeline
    from dispatcher.store import outbox, stories

    async with store() as opened, opened.read() as tx:
        delivery = await outbox.get(tx, delivery_id)
        if delivery is None:
            raise StoreError(f"no delivery {delivery_id}; `dispatcher deliveries list` shows what there is")
        attempts, events, suppressions = await stories.of(tx, delivery)
    told = timeline(delivery, attempts, events, suppressions)
    if json:
        show.as_json({**show.fields(delivery), "attempts_made": attempts, "came_back": events, "story": told})
        return
    left_out = ("id", "address_hash", "personal", "lease_until", "signature")
    show.facts(f"delivery {delivery_id}", {**show.fields(delivery, *left_out), "kind": _kind(delivery)})
    show.say("")
    show.table("story", ("at", "what", "detail"), [(one.at, one.what, one.detail) for one in told])


@app.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID", parser=count, help="Which.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed or expired.")] = False,
    status: Annotated[str, typer.Option(metavar="STATUS", help="All that stand so: failed, expired, held …")] = "",
    kind: Kind = "",
    digest: OfDigest = None,
    since: Since = None,
    hours: Annotated[int, typer.Option(metavar="N", parser=count, help="How long they may take.")] = 12,
    yes: Yes = False,
) -> None:
    """Send again what did not arrive. Suppressed addresses stay suppressed."""
    from dispatcher.cli.trouble import UsageError
    from dispatcher.store.stories import Wanted

    if bool(ids) == (failed or bool(status)) or (failed and status):
        raise UsageError("name deliveries by their ids, or say --failed, or --status STATUS")
    if ids and (kind or digest or since):
        raise UsageError("--kind, --digest and --since go with --failed or --status")
    if hours > LONGEST:
        raise UsageError(f"--hours {hours} is too long; nothing is news for more than {LONGEST}")
    wanted = Wanted(statuses=_retriable(status), kind=_kind_of(kind), digest_id=digest, since=since)
    run(_retry(ids or [], wanted, hours, yes=yes))


def _retriable(text: str) -> list[DeliveryStatus]:
    from dispatcher.cli.trouble import UsageError
    from dispatcher.model.values import DeliveryStatus

    chosen = _statuses(text) or [DeliveryStatus.FAILED, DeliveryStatus.EXPIRED]
    again = (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED, DeliveryStatus.HELD, DeliveryStatus.DEFERRED)
    if not set(chosen) <= set(again):
        raise UsageError(f"what is {text} is not sent again; what is {', '.join(again)} can be")
    return chosen


async def _retry(ids: list[int], wanted: Wanted, hours: int, *, yes: bool) -> None:
    from datetime import timedelta

    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.store import outbox, stories
    from dispatcher.store.engine import chunks

    barred, queued = 0, 0
    async with context() as ctx:
        if not ids:
            async with ctx.store.read() as tx:
                ids, barred = await stories.lost(tx, wanted)
        if ids:
            show.confirm(f"Send {len(ids)} {'delivery' if len(ids) == 1 else 'deliveries'} again?", yes=yes)
        now = clock.now()
        with show.progress("queueing again", len(ids)) as tell:
            for part in chunks(ids, AT_ONCE):
                async with ctx.store.write() as tx:
                    queued += await outbox.requeue(tx, part, now, now + timedelta(hours=hours))
                tell(queued)
    if barred:
        show.note(f"{barred} more are to suppressed addresses and stay where they are")
    if ids and not queued:
        raise StoreError("none of them can be sent again: only what failed, expired, is held or deferred can")
    show.say(f"{queued} of {len(ids)} queued again" if ids else "nothing has failed or expired")


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
