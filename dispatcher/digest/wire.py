"""The wire: a digest as fragments of a message, encoded once, from which assembly makes each reader's.

    From: …            shared         Wire.sender
    To: Subject: …     this reader's  Envelope, and the subject's slots
    List-Id: …         shared         Wire.shared
    text/plain         shared pieces, already encoded, with the reader's slots between them
    text/html          the same

A Wire is made of a Draft, which says of what stretches it consists: they are what is kept (`kept`), so that a repeat is
byte for byte what was sent before, whatever has become of the templates since.
"""

from __future__ import annotations

import hashlib
import json
import quopri
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from dispatcher.digest import headers
from dispatcher.digest.addresses import split_mailbox
from dispatcher.digest.fragments import Stretch, encoded, portions
from dispatcher.digest.render import Rendered
from dispatcher.digest.slots import Letterhead, Piece, Pieces
from dispatcher.digest.transfer import QUOTED_PRINTABLE, shorter
from dispatcher.model.outbound import DigestContent, Newsletter
from dispatcher.model.values import DeliveryKind


@dataclass(frozen=True, slots=True)
class Part:
    """One of the two bodies. In quoted-printable its shared pieces are encoded; base64 has no joints, so they wait."""

    encoding: str
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Door:
    """Where this message's links lead and which key signs them: kept, because a repeat must have the same links.

    `signed_by` names the keys that sign the message itself, for the same reason. `archive` is its List-Archive.
    """

    url: str = ""
    key_id: str = ""
    signed_by: str = ""
    archive: str = ""


@dataclass(frozen=True, slots=True)
class Wire:
    """A digest's message but for what differs between its readers."""

    sender: str
    shared: str
    boundary: str
    subject: Pieces
    text: Part
    html: Part
    letterhead: Letterhead
    locale: str
    timezone: str
    door: Door = Door()
    pictures: tuple[str, ...] = ()
    """Whole MIME parts."""


@dataclass(frozen=True)
class Frame:
    """What is around the texts of many digests. Their boundary stands between `before` and `after`."""

    sender: str
    before: str
    after: str
    text: str
    html: str
    letterhead: Letterhead
    locale: str
    timezone: str
    door: Door = Door()

    @classmethod
    def of(cls, newsletter: Newsletter, content: DigestContent, encodings: tuple[str, str], door: Door) -> Frame:
        """The frame of a digest in these encodings. HeaderError if the newsletter's own addresses cannot be used."""
        before, after = "".join(_shared(newsletter, content.kind, door)).rsplit(_BOUNDARY, 1)
        return cls(
            sender=headers.mailbox("From", *split_mailbox(newsletter.sender)),
            before=before,
            after=after,
            text=encodings[0],
            html=encodings[1],
            letterhead=Letterhead.of(newsletter),
            locale=content.locale,
            timezone=content.timezone,
            door=door,
        )

    def wire(
        self,
        boundary: str,
        subject: Pieces,
        text: Sequence[Piece],
        html: Sequence[Piece],
        pictures: Sequence[Piece] = (),
    ) -> Wire:
        """The wire of this frame around these texts and pictures."""
        return Wire(
            self.sender,
            f"{self.before}{boundary}{self.after}",
            boundary,
            subject,
            Part(self.text, tuple(text)),
            Part(self.html, tuple(html)),
            self.letterhead,
            self.locale,
            self.timezone,
            self.door,
            tuple(map(str, pictures)),
        )

    @cached_property
    def stretch(self) -> Stretch:
        """As it is kept."""
        return Stretch(json.dumps(asdict(self), sort_keys=True), 0)

    @classmethod
    def loads(cls, text: str) -> Frame:
        """The frame that was kept."""
        known: dict[str, Any] = json.loads(text)
        known |= {"letterhead": Letterhead.loads(known["letterhead"]), "door": Door(**known["door"])}
        return cls(**known)


@dataclass(frozen=True)
class Draft:
    """A wire in the stretches that it is made of."""

    frame: Frame
    subject: Pieces
    text: Sequence[Stretch]
    html: Sequence[Stretch]
    pictures: Sequence[Stretch] = ()

    @property
    def stretches(self) -> list[Stretch]:
        """All that has to be kept for it."""
        return [self.frame.stretch, *self.text, *self.html, *self.pictures]

    def wire(self) -> Wire:
        """The wire. Its boundary is of the content, so that it is always the same."""
        text, html = ([stretch.content for stretch in part] for part in (self.text, self.html))
        return self.frame.wire(self.boundary, self.subject, text, html, [stretch.content for stretch in self.pictures])

    @cached_property
    def boundary(self) -> str:
        """`=_` occurs in neither encoding, so no part can hold it (F5)."""
        parts = b"".join([stretch.hash for part in (self.text, self.html) for stretch in part])
        return f"=_{hashlib.sha256(parts).hexdigest()[:_BOUNDARY_LENGTH]}"


def draft(rendered: Rendered, newsletter: Newsletter, content: DigestContent, door: Door | None = None) -> Draft:
    """Encode what the readers of a digest share. HeaderError if the newsletter's own addresses cannot be used."""
    texts = rendered.text, rendered.html
    encodings = [shorter(piece for piece in pieces if isinstance(piece, str)) for pieces in texts]
    frame = Frame.of(newsletter, content, (encodings[0], encodings[1]), door or Door())
    text, html = ([encoded(p, how) for p in portions(pieces)] for pieces, how in zip(texts, encodings, strict=True))
    return Draft(frame, rendered.subject, text, html)


def compile(rendered: Rendered, newsletter: Newsletter, content: DigestContent, door: Door | None = None) -> Wire:
    """The same as a wire."""
    return draft(rendered, newsletter, content, door).wire()


def html_size(wire: Wire) -> int:
    """Octets of the decoded HTML part, without what readers' slots will add (F9)."""
    decode = quopri.decodestring if wire.html.encoding == QUOTED_PRINTABLE else bytes
    return sum(len(decode(piece.encode())) for piece in wire.html.pieces if isinstance(piece, str))


_BOUNDARY_LENGTH = 32
_BOUNDARY = f"=_{'0' * _BOUNDARY_LENGTH}"
_TO_ONE = (DeliveryKind.CONFIRMATION, DeliveryKind.OWNER, DeliveryKind.WEBHOOK)


def _shared(newsletter: Newsletter, kind: DeliveryKind, door: Door) -> Iterator[str]:
    if newsletter.reply_to:
        yield headers.mailbox("Reply-To", *split_mailbox(newsletter.reply_to))
    if kind not in _TO_ONE:  # a letter to one person belongs to no list (L10)
        domain = split_mailbox(newsletter.sender)[1].rpartition("@")[2]
        yield headers.list_id(newsletter.name, newsletter.list_id or f"{newsletter.slug}.{domain}")
        yield headers.protocol("List-Post", "NO")
        if door.archive:
            yield headers.protocol("List-Archive", f"<{door.archive}>")
        yield headers.protocol("Feedback-ID", headers.feedback_id(kind, newsletter.slug, domain))
        yield headers.protocol("Precedence", "bulk")
    yield headers.protocol("Auto-Submitted", "auto-generated")
    yield headers.protocol("MIME-Version", "1.0")
    yield headers.protocol("Content-Type", f'multipart/alternative; boundary="{_BOUNDARY}"')
