"""What a reader would get: the plan of one reader, rendered, nothing saved and nothing sent."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from datetime import datetime

from dispatcher import clock
from dispatcher.digest.wire import assemble
from dispatcher.errors import StoreError
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.plan import delivery_row, digest_row, load, policy
from dispatcher.pipeline.send import envelope_of, render_digest
from dispatcher.schedule.select import decide
from dispatcher.store import subscribers


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as its reader would see it."""

    subject: str
    text: str
    html: str
    raw: bytes


async def preview(ctx: Context, address: str, at: datetime | None = None) -> Preview | None:
    """The first message due at an instant, or else at the reader's next slot. None: there is nothing new for them.

    StoreError if nobody has this address.
    """
    async with ctx.store.read() as tx:
        person = await subscribers.by_email(tx, address.strip().lower())
        if person is None or person.id is None:
            raise StoreError(f"nobody here has the address {address}; `dispatcher subscribers list` shows who does")
        rows = (await subscribers.schedules(tx, [person.id])).get(person.id, [])
        slots = sorted(row.next_due_at for row in rows if row.next_due_at is not None)
        moment = at or clock.now()
        due = max(moment, slots[0]) if slots else moment
        batch = await load(ctx, tx, [person], due)
    made = decide(batch.readers[person.id], batch.candidates, due, policy(ctx), batch.taken[person.id])
    endpoints = batch.endpoints.get(person.id, ())
    if not made.planned or not endpoints:
        return None
    planned = made.planned[0]
    digest = Digest(**digest_row(ctx, person, planned, due))
    delivery = Delivery(**delivery_row(ctx, person, endpoints[0], planned, due))
    raw = assemble(await render_digest(ctx, digest), envelope_of(delivery))
    return _seen(raw)


def _seen(raw: bytes) -> Preview:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    return Preview(
        subject=str(message["Subject"]),
        text=text.get_content() if text else "",
        html=html.get_content() if html else "",
        raw=raw,
    )
