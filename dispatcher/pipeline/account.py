"""Accounts: who holds a link, and what takes a fresh one: to have one's data, to move, to be erased.

The links in mails are forwarded, so they never suffice for these. `mail_link` sends one to the address itself that is
good for an hour; when the address has changed, or its reader was erased, none of its links opens anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.model.audience import Endpoint, Subscriber
from dispatcher.model.values import ConsentKind, LetterName
from dispatcher.pipeline import enrolment, hooks, letters
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.departure import GONE, evidence
from dispatcher.pipeline.links import Action
from dispatcher.pipeline.optin import Proof
from dispatcher.store import Transaction, consents, planning, subscribers
from dispatcher.tokens import Purpose

GOOD_FOR = timedelta(hours=1)
MINUTES_BETWEEN = 10  # from one letter with a fresh link to the next


@dataclass(frozen=True, slots=True)
class Holder:
    """The person behind a link, reached at the endpoint that it was made for."""

    reader: Subscriber
    endpoint: Endpoint

    @property
    def is_here(self) -> bool:
        """Whether they have not left."""
        return self.reader.status not in GONE


async def holder(
    ctx: Context, tx: Transaction, text: str, purpose: Purpose, now: datetime, *, lock: bool = False
) -> Holder | None:
    """Whom a link of this purpose belongs to; None if its address is not theirs any more. TokenError if not ours.

    `lock` keeps others from changing the person until the transaction ends.
    """
    token = ctx.keyring.read(text, purpose, now)
    subscriber_id, endpoint_id = token.number(0), token.number(1)
    known = await (subscribers.lock_all if lock else subscribers.by_ids)(tx, [subscriber_id])
    endpoint = await subscribers.endpoint(tx, endpoint_id)
    reader = known.get(subscriber_id)
    if reader is None or endpoint is None or not endpoint.is_active or endpoint.subscriber_id != reader.id:
        return None
    return Holder(reader, endpoint)


async def mail_link(ctx: Context, tx: Transaction, found: Holder, now: datetime) -> None:
    """Mail a fresh link to the address itself; nothing if that has been done a moment ago."""
    endpoint, minute = found.endpoint, int(now.timestamp()) // 60
    keys = [f"verify:{endpoint.id}:{minute - ago}" for ago in range(MINUTES_BETWEEN)]
    if await planning.taken_keys(tx, [letters.key_of(ctx, key) for key in keys]):
        return
    await letters.post(
        ctx,
        tx,
        LetterName.VERIFY,
        to=endpoint.address,
        key=keys[0],
        now=now,
        locale=found.reader.locale,
        timezone=found.reader.timezone,
        name=found.reader.name,
        action=verifying(found, now),
        reader=found.reader if found.is_here else None,  # whoever has left may still see and erase what we know
    )


def verifying(found: Holder, now: datetime) -> Action:
    """To see one's data, to move and to be erased, for an hour."""
    return Action(Purpose.VERIFY, (found.reader.id or 0, found.endpoint.id or 0), now + GOOD_FOR)


async def erase(ctx: Context, text: str, now: datetime, proof: Proof) -> bool:
    """Forget the holder of a fresh link, for good; False if that is done already. TokenError if it is not ours."""
    async with ctx.store.write() as tx:
        found = await holder(ctx, tx, text, Purpose.VERIFY, now, lock=True)
        if found is None:
            return False
        reader = found.reader
        rows = [evidence(ctx, ConsentKind.WITHDRAWN, reader, i, now, proof) for i in sorted(ctx.newsletters)]
        await consents.add_all(tx, rows)
        await enrolment.erase(tx, ctx.address_key, reader, now)
        key = f"erased:{reader.id}"
        await hooks.announce(ctx, tx, "unsubscribed", now, key=key, subscriber_id=reader.id, erased=True)
    return True
