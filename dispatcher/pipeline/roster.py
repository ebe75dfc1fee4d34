"""The readers as a sheet: people taken in from one, everybody written out as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import IO, Any

from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.consent import Consent
from dispatcher.model.content import Topic
from dispatcher.model.values import ConsentKind, SubscriptionStatus
from dispatcher.pipeline import lines, sheet
from dispatcher.pipeline.admission import suppressed
from dispatcher.pipeline.applicants import COLUMNS, IGNORED, PERSON, SHOWN, Applicant, Refusal, Register
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.intake import Desk, TakenIn
from dispatcher.store import Transaction, consents, subscribers, topics
from dispatcher.store.keys import address_hash

__all__ = ["COLUMNS", "IGNORED", "TakenIn", "take_in", "write_out"]

BATCH = 2_000  # rows looked up together, and new people in one transaction: well under half a second
AGREED = (ConsentKind.CONFIRMED, ConsentKind.VOUCHED)


async def take_in(
    ctx: Context, rows: Iterable[sheet.Row], now: datetime, *, on_bad: Callable[[int, str], None],
    on_progress: Callable[[], None] = lambda: None,
) -> TakenIn:  # fmt: skip
    """Enrol everybody in a sheet. `on_bad` is told the line and reason of each row left out, in order.

    The same sheet a second time changes nothing, and one that was broken off is taken up by giving it again. Others
    can write between its transactions. Memory: a batch, and some bytes for each row, to know what comes twice.
    """
    register, done = Register(now), TakenIn()
    async with ctx.store.read() as tx:
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
    told = map(register.read, rows)
    while batch := list(islice(told, BATCH)):
        desk = Desk(ctx, slugs, now, done, [one for one in batch if isinstance(one, Refusal)])
        await desk.take([one for one in batch if isinstance(one, Applicant)])
        done.read += len(batch)
        done.bad += len(desk.refused)
        for refusal in sorted(desk.refused):
            on_bad(*refusal)
        on_progress()
    return done


async def write_out(ctx: Context, file: IO[str], *, as_lines: bool = False) -> int:
    """Write everybody who was not erased, as `take_in` reads them back; returns how many.

    As CSV, or `as_lines` of JSON, which hold all proof of their consent as well.
    """
    if not as_lines:
        sheet.write(file, [(*PERSON, *SHOWN)])
    count = 0
    async with ctx.store.read() as tx:
        async for page in subscribers.pages(tx):
            people = [person for person in page if person.email]
            described = await _described(ctx, tx, people)
            if as_lines:
                proofs = await _proofs(ctx, tx, people)
                for one in described:
                    lines.write(file, one | proofs.get(one["email"], {}))
            else:
                sheet.write(file, [_cells(one) for one in described])
            count += len(people)
    return count


async def _described(ctx: Context, tx: Transaction, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    """People as a line of JSON tells of them, but for the proof."""
    followed = await subscribers.subscriptions(tx, [person.id or 0 for person in people])
    known = await topics.by_ids(tx, [s.topic_id for mine in followed.values() for s in mine])
    reasons = await suppressed(ctx, tx, [person.email for person in people])
    return [
        {
            "email": person.email,
            "name": person.name,
            "timezone": person.timezone,
            "locale": person.locale,
            "topics": _follows(person, followed.get(person.id or 0, ()), known),
            "cadence": person.cadence,
            "status": reasons.get(person.email, person.status).value,
            "origin": person.origin.value,
            "created_at": person.created_at.isoformat(),
        }
        for person in people
    ]


def _follows(person: Subscriber, mine: Iterable[Subscription], known: Mapping[int, Topic]) -> list[dict[str, str]]:
    """What a person follows of the publisher's topics; a cadence is named where it is not their usual one."""
    return [
        {"topic": known[s.topic_id].slug} | ({} if s.cadence == person.cadence else {"cadence": s.cadence})
        for s in mine
        if s.status == SubscriptionStatus.ACTIVE and known[s.topic_id].owner_id is None
    ]


def _cells(one: Mapping[str, Any]) -> list[str]:
    follows = "; ".join(" = ".join(follow.values()) for follow in one["topics"])
    return [follows if name == "topics" else one[name] for name in (*PERSON, *SHOWN)]


async def _proofs(ctx: Context, tx: Transaction, people: Sequence[Subscriber]) -> dict[str, dict[str, Any]]:
    """All proof of these people's consent by address: the latest in words that `take_in` reads, and every piece."""
    hashes = {address_hash(ctx.address_key, person.email): person.email for person in people}
    found = await consents.among_hashes(tx, list(hashes))
    return {hashes[hashed]: _proof(rows) for hashed, rows in found.items()}


def _proof(rows: Sequence[Consent]) -> dict[str, Any]:
    agreed = [row for row in rows if row.kind in AGREED][-1:]
    told: dict[str, Any] = {"consents": [_piece(row) for row in rows]}
    for row in agreed:
        told |= {"consent_at": row.at.isoformat(), "consent_ip": row.ip, "consent_source": row.source}
    return told


def _piece(row: Consent) -> dict[str, Any]:
    shown = row.model_dump(include={"kind", "at", "ip", "user_agent", "topics", "source", "wording"})
    return {name: value.isoformat() if name == "at" else value for name, value in shown.items() if value}
