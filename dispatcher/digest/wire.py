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
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from dispatcher.digest import headers
from dispatcher.digest.addresses import split_mailbox
from dispatcher.digest.render import Rendered, tidy
from dispatcher.digest.slots import Letterhead, Links, Pieces, Slot, fill, names
from dispatcher.digest.transfer import QUOTED_PRINTABLE, base64, quoted_printable, shorter
from dispatcher.digest.voice import speaking, voice
from dispatcher.model.outbound import DigestContent, Newsletter, Personal
from dispatcher.model.values import DeliveryKind


@dataclass(frozen=True, slots=True)
class Part:
    """One of the two bodies. In quoted-printable its shared pieces are encoded; base64 has no joints, so they wait."""

    encoding: str
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Door:
    """Where this message's links lead and which key signs them: kept, because a repeat must have the same links."""

    url: str = ""
    key_id: str = ""


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


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is one reader's own in a message. `headers` are further header fields, ready but for folding."""

    recipient: str
    personal: Personal
    message_id: str
    dated_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    links: Links = field(default_factory=Links)


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


def assemble(wire: Wire, envelope: Envelope) -> bytes:
    """One reader's message, the same bytes every time.

    AddressError if the recipient cannot be written to (its `enhanced` says why), HeaderError if a further header
    cannot be sent, TemplateError if a personal block fails for this reader.
    """
    personal = envelope.personal
    if not personal.email:
        personal = Personal(personal.name, envelope.recipient, personal.topics, personal.cadence)
    known = names(personal, wire.letterhead, envelope.links)
    with speaking(voice(wire.locale, wire.timezone)):
        message = [wire.sender, *_own_headers(wire, envelope, known), wire.shared, "\r\n"]
        for subtype, part in (("plain", wire.text), ("html", wire.html)):
            body = _body(part, known, html=subtype == "html")
            message += [_PART_HEAD % (wire.boundary, subtype, part.encoding), body, "\r\n"]
    return "".join([*message, f"--{wire.boundary}--\r\n"]).encode("ascii")


def html_size(wire: Wire) -> int:
    """Octets of the decoded HTML part, without what readers' slots will add (F9)."""
    decode = quopri.decodestring if wire.html.encoding == QUOTED_PRINTABLE else bytes
    return sum(len(decode(piece.encode())) for piece in wire.html.pieces if isinstance(piece, str))


_FORMAT = 1
_PART_HEAD = "--%s\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n"
_TO_ONE = (DeliveryKind.CONFIRMATION, DeliveryKind.OWNER, DeliveryKind.WEBHOOK)
_OURS = frozenset(
    ("from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding",
     "reply-to", "list-id", "list-post", "auto-submitted", "precedence", "sender", "cc", "bcc")
)  # fmt: skip


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


def _own_headers(wire: Wire, envelope: Envelope, known: dict[str, Any]) -> Iterator[str]:
    subject = "".join(fill(p, known, html=False) if isinstance(p, Slot) else p for p in wire.subject)
    yield headers.mailbox("To", envelope.personal.name, envelope.recipient)
    yield headers.text("Subject", headers.one_line(subject) or wire.letterhead.name)
    yield headers.date(envelope.dated_at)
    yield headers.protocol("Message-ID", envelope.message_id)
    for name, value in envelope.headers.items():
        if name.lower() in _OURS:
            raise headers.HeaderError(f"{name} is set by the message itself")
        yield headers.protocol(name, value)


def _body(part: Part, known: dict[str, Any], *, html: bool) -> str:
    is_joined_encoded = part.encoding == QUOTED_PRINTABLE
    encode = quoted_printable if is_joined_encoded else str
    pieces = [p if isinstance(p, str) else encode(tidy(fill(p, known, html=html))) for p in part.pieces]
    return "".join(pieces) if is_joined_encoded else base64("".join(pieces))


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
