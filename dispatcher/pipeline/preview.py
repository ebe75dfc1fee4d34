"""What a reader would get: the plan of one reader, rendered, nothing saved and nothing sent."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher import clock
from dispatcher.config import Settings
from dispatcher.digest import wire as wires
from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.rehearsal import first_fault
from dispatcher.digest.render import fit
from dispatcher.digest.wire import Wire
from dispatcher.errors import DispatcherError, TemplateError
from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Delivery, Digest, DigestContent, Newsletter
from dispatcher.model.values import SubscriberStatus
from dispatcher.pipeline import publications
from dispatcher.pipeline.admission import person, suppressed
from dispatcher.pipeline.batch import load
from dispatcher.pipeline.context import Context, default_newsletter, open_templates
from dispatcher.pipeline.plan import decided, delivery_row, digest_row
from dispatcher.pipeline.wires import envelope_of, outlines
from dispatcher.store import subscribers


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants to see a mail: in which language, layout and newsletter's look; empty is as it would be.

    `newsletter` is a slug.
    """

    locale: str = ""
    layout: str = ""
    newsletter: str = ""

    @property
    def changes(self) -> dict[str, Any]:
        """What a reader would have chosen to get it so."""
        return {
            **({"locale": self.locale, "chosen": ["locale"]} if self.locale else {}),
            **({"layout": self.layout} if self.layout else {}),
        }


AS_IT_IS = Wish()


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as its reader would see it, and what it is made of."""

    subject: str
    text: str
    html: str
    raw: bytes
    wire: Wire
    envelope: Envelope
    newsletter_id: int

    @classmethod
    def of(cls, ctx: Context, content: DigestContent, delivery: Delivery, newsletter: Newsletter) -> Preview:
        """The message of a delivery with this content, rendered in full. TemplateError."""
        wire = wires.compile(fit(content, newsletter, ctx.templates), newsletter, content, ctx.door)
        envelope = envelope_of(delivery, wire, ctx.keyring)
        raw = assemble(wire, envelope)
        message = email.message_from_bytes(raw, policy=email.policy.default)
        text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        return cls(
            subject=str(message["Subject"]),
            text=text.get_content() if text else "",
            html=html.get_content() if html else "",
            raw=raw,
            wire=wire,
            envelope=envelope,
            newsletter_id=newsletter.id or 0,
        )


@dataclass(frozen=True, slots=True)
class Silence:
    """There is nothing to send at that time, and why."""

    at: datetime
    why: str


async def preview(ctx: Context, address: str, at: datetime | None = None, wish: Wish = AS_IT_IS) -> Preview | Silence:
    """The first message due at an instant, or else at the reader's next slot. StoreError if nobody has this address."""
    async with ctx.store.read() as tx:
        found = wished(await person(tx, address), wish)
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
    return Preview.of(ctx, await content_of(ctx, digest), delivery, look(ctx, wish, digest.newsletter_id))


def wished(reader: Subscriber, wish: Wish) -> Subscriber:
    """A copy of a reader who had chosen what is wished."""
    return Subscriber(**reader.model_dump() | wish.changes)


def look(ctx: Context, wish: Wish, newsletter_id: int = 0) -> Newsletter:
    """The newsletter that a mail is of, in the look that is wished. StoreError if there is none of that name."""
    newsletter = ctx.letter(newsletter_id)
    if not wish.newsletter:
        return newsletter
    theme = ctx.publications.named(wish.newsletter).theme
    return Newsletter(**newsletter.model_dump() | {"theme": theme})


async def content_of(ctx: Context, digest: Digest) -> DigestContent:
    """A digest that is not stored, as templates see it. DispatcherError if nothing is left of it."""
    async with ctx.store.read() as tx:
        found = (await outlines(ctx, tx, [digest]))[digest.id or 0]
    if not (found.sections or found.written):
        raise DispatcherError("every article of this digest is gone")
    return found.content


def try_templates(settings: Settings) -> None:
    """Render every kind of mail with invented news. TemplateError names the file and line of a mistake."""
    templates = open_templates(settings)
    if templates.collection.faults:
        raise TemplateError(templates.collection.faults[0].reason)
    published = publications.published(settings, default_newsletter(settings))
    error = first_fault(templates, published, [settings.site.language])
    if error:
        raise error
