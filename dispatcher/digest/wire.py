"""The wire: a digest as fragments of a message, encoded once, and a message assembled from them for each reader.

    From: …            shared         Wire.sender
    To: Subject: …     this reader's  Envelope, and the subject's slots
    List-Id: …         shared         Wire.shared
    text/plain         shared pieces, already encoded, with the reader's slots between them
    text/html          the same

A Wire is kept with its digest as JSON, so that a repeat is byte for byte what was sent before, whatever has become of
the templates since.
"""

from __future__ import annotations

import hashlib
import json
import quopri
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from dispatcher.digest import headers
from dispatcher.digest.addresses import split_mailbox
from dispatcher.digest.render import Rendered
from dispatcher.digest.slots import Letterhead, Pieces, Slot
from dispatcher.digest.transfer import QUOTED_PRINTABLE, quoted_printable, shorter
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

    `signed_by` names the keys that sign the message itself, for the same reason.
    """

    url: str = ""
    key_id: str = ""
    signed_by: str = ""


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

    def dumps(self) -> str:
        """The wire as JSON: the same text for the same wire."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Wire:
        """The wire that was dumped. ValueError if this version of the program cannot read it."""
        known: dict[str, Any] = json.loads(text)
        if known.pop("format") != _FORMAT:
            raise ValueError("these fragments were written by another version of the program")
        for name in ("text", "html"):
            known[name] = Part(known[name]["encoding"], _pieces(known[name]["pieces"]))
        known |= {"subject": _pieces(known["subject"]), "letterhead": Letterhead(**known["letterhead"])}
        known["door"] = Door(**known.get("door", {}))
        return cls(**known)


def compile(rendered: Rendered, newsletter: Newsletter, content: DigestContent, door: Door | None = None) -> Wire:
    """Encode what the readers of a digest share. HeaderError if the newsletter's own addresses cannot be used."""
    text, html = _part(rendered.text), _part(rendered.html)
    boundary = _boundary(text, html)
    name, address = split_mailbox(newsletter.sender)
    return Wire(
        sender=headers.mailbox("From", name, address),
        shared="".join(_shared(newsletter, content.kind, boundary)),
        boundary=boundary,
        subject=rendered.subject,
        text=text,
        html=html,
        letterhead=Letterhead.of(newsletter),
        locale=content.locale,
        timezone=content.timezone,
        door=door or Door(),
    )


def html_size(wire: Wire) -> int:
    """Octets of the decoded HTML part, without what readers' slots will add (F9)."""
    decode = quopri.decodestring if wire.html.encoding == QUOTED_PRINTABLE else bytes
    return sum(len(decode(piece.encode())) for piece in wire.html.pieces if isinstance(piece, str))


_FORMAT = 1
_TO_ONE = (DeliveryKind.CONFIRMATION, DeliveryKind.OWNER, DeliveryKind.WEBHOOK)


def _shared(newsletter: Newsletter, kind: DeliveryKind, boundary: str) -> Iterator[str]:
    if newsletter.reply_to:
        yield headers.mailbox("Reply-To", *split_mailbox(newsletter.reply_to))
    if kind not in _TO_ONE:  # a letter to one person belongs to no list (L10)
        domain = split_mailbox(newsletter.sender)[1].rpartition("@")[2]
        yield headers.list_id(newsletter.name, newsletter.list_id or f"{newsletter.slug}.{domain}")
        yield headers.protocol("List-Post", "NO")
        yield headers.protocol("Precedence", "bulk")
    yield headers.protocol("Auto-Submitted", "auto-generated")
    yield headers.protocol("MIME-Version", "1.0")
    yield headers.protocol("Content-Type", f'multipart/alternative; boundary="{boundary}"')


def _part(pieces: Pieces) -> Part:
    encoding = shorter(piece for piece in pieces if isinstance(piece, str))
    if encoding != QUOTED_PRINTABLE:
        return Part(encoding, pieces)
    return Part(encoding, tuple(quoted_printable(piece) if isinstance(piece, str) else piece for piece in pieces))


def _boundary(*parts: Part) -> str:
    """Of the content, so that it is always the same. `=_` occurs in neither encoding, so no part can hold it (F5)."""
    content = json.dumps([asdict(part) for part in parts])
    return f"=_{hashlib.sha256(content.encode()).hexdigest()[:32]}"


def _pieces(stored: list[str | dict[str, Any]]) -> Pieces:
    return tuple(piece if isinstance(piece, str) else Slot(**piece) for piece in stored)
