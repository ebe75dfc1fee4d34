"""What a reader would get: the plan of one reader, rendered, nothing saved and nothing sent."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from datetime import UTC, datetime

from dispatcher import clock
from dispatcher.config import Settings
from dispatcher.digest.assembly import assemble
from dispatcher.errors import TemplateError
from dispatcher.model.content import Story
from dispatcher.model.outbound import Delivery, Digest, DigestContent, Section
from dispatcher.model.values import DeliveryKind, LetterName, SubscriberStatus
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
    folder = settings.resolve(settings.templates.folder)
    if folder.exists() and not folder.is_dir():
        raise TemplateError(f"{folder}: [templates] folder names this, which is no folder")
    templates, newsletter = open_templates(settings), default_newsletter(settings)
    story = Story(title="A bridge opens", url="https://news.example/bridge", summary="It holds.", published_at=_A_DAY)
    for kind in (DeliveryKind.DIGEST, DeliveryKind.ALERT):
        content = DigestContent(
            kind=kind,
            locale=settings.site.language,
            timezone=settings.site.timezone,
            cadence="instant" if kind is DeliveryKind.ALERT else "daily at 07:30",
            slot_at=_A_DAY,
            sections=(Section("Local news", (story,)),),
            more=0 if kind is DeliveryKind.ALERT else 1,
        )
        templates.render(content, newsletter)
    for letter in LetterName:
        templates.render(_letter(settings, letter), newsletter)


def _letter(settings: Settings, letter: LetterName) -> DigestContent:
    return DigestContent(
        kind=DeliveryKind.CONFIRMATION,
        locale=settings.site.language,
        timezone=settings.site.timezone,
        cadence="",
        slot_at=_A_DAY,
        sections=(),
        letter=letter,
        notice=("Digests are paused", "Much came back.", "    dispatcher send resume"),
    )


_A_DAY = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)


def _seen(raw: bytes) -> Preview:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    return Preview(
        subject=str(message["Subject"]),
        text=text.get_content() if text else "",
        html=html.get_content() if html else "",
        raw=raw,
    )
