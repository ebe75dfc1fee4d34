"""What a reader would get: the plan of one reader, rendered, nothing saved and nothing sent."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from datetime import datetime

from dispatcher import clock
from dispatcher.config import Settings
from dispatcher.digest.assembly import assemble
from dispatcher.digest.rehearsal import first_fault
from dispatcher.errors import TemplateError
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import SubscriberStatus
from dispatcher.pipeline import publications
from dispatcher.pipeline.admission import person, suppressed
from dispatcher.pipeline.batch import load
from dispatcher.pipeline.context import Context, default_newsletter, open_templates
from dispatcher.pipeline.plan import decided, delivery_row, digest_row
from dispatcher.pipeline.wires import envelope_of, render_digest
from dispatcher.store import subscribers


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as its reader would see it."""

    subject: str
    text: str
    html: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Silence:
    """There is nothing to send at that time, and why."""

    at: datetime
    why: str


async def preview(ctx: Context, address: str, at: datetime | None = None) -> Preview | Silence:
    """The first message due at an instant, or else at the reader's next slot. StoreError if nobody has this address."""
    async with ctx.store.read() as tx:
        found = await person(tx, address)
        reader_id = found.id or 0
        barred = (await suppressed(ctx, tx, [found.email])).get(found.email)
        rows = (await subscribers.schedules(tx, [reader_id])).get(reader_id, [])
        slots = sorted(row.next_due_at for row in rows if row.next_due_at is not None)
        moment = at or clock.now()
        due = max(moment, slots[0]) if slots else moment
        batch = await load(ctx, tx, [found], due)
    if barred or found.status != SubscriberStatus.ACTIVE:
        return Silence(due, f"they are {barred or found.status}")
    made = decided(ctx, batch, reader_id, due)
    endpoints = batch.endpoints.get(reader_id, ())
    if not made.planned or not endpoints:
        why = "there is nothing new for them" if batch.readers[reader_id].followings else "they follow no topic"
        return Silence(due, why)
    planned = made.planned[0]
    digest = Digest(**digest_row(ctx, found, planned, due))
    delivery = Delivery(**delivery_row(ctx, found, endpoints[0], planned, due))
    wire = await render_digest(ctx, digest)
    return _seen(assemble(wire, envelope_of(delivery, wire, ctx.keyring)))


def try_templates(settings: Settings) -> None:
    """Render every kind of mail with invented news. TemplateError names the file and line of a mistake."""
    templates = open_templates(settings)
    if templates.collection.faults:
        raise TemplateError(templates.collection.faults[0].reason)
    published = publications.published(settings, default_newsletter(settings))
    error = first_fault(templates, published, [settings.site.language])
    if error:
        raise error


def _seen(raw: bytes) -> Preview:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    return Preview(
        subject=str(message["Subject"]),
        text=text.get_content() if text else "",
        html=html.get_content() if html else "",
        raw=raw,
    )
