"""Assembly: from what the readers of a digest share, and what is one reader's own, to the octets of a message.

What is shared is encoded already; a reader's own is encoded piece by piece and joined in, so that nothing is gone
through twice. Lines end in CRLF, hold at most 998 octets and never begin with a dot, by the way their pieces are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dispatcher.digest import headers
from dispatcher.digest.render import tidy
from dispatcher.digest.slots import Links, Slot
from dispatcher.digest.stencil import Drawn, Reader, draw, printed
from dispatcher.digest.transfer import QUOTED_PRINTABLE, base64, quoted_printable, word
from dispatcher.digest.voice import speaking, voice
from dispatcher.model.outbound import Personal

if TYPE_CHECKING:
    from dispatcher.digest.wire import Part, Wire


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is one reader's own in a message. `headers` are further header fields, ready but for folding."""

    recipient: str
    personal: Personal
    message_id: str
    dated_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    links: Links = field(default_factory=Links)


def assemble(wire: Wire, envelope: Envelope) -> bytes:
    """One reader's message, the same bytes every time: ASCII, but for the To of an address that needs SMTPUTF8 (F8).

    AddressError if the recipient cannot be written to (its `enhanced` says why), HeaderError if a further header
    cannot be sent, TemplateError if a personal block fails for this reader.
    """
    personal = envelope.personal
    if not personal.email:
        personal = replace(personal, email=envelope.recipient)
    reader = Reader(personal, wire.letterhead, envelope.links, (wire.locale, wire.timezone))
    own = Own(reader.own)
    with speaking(voice(wire.locale, wire.timezone)):
        message = [wire.sender, *_own_headers(wire, envelope, reader), wire.shared, "\r\n"]
        inner = wire.boundary if not wire.pictures else _inner(wire.boundary)
        for subtype, part in (("plain", wire.text), ("html", wire.html)):
            is_html = subtype == "html"
            if is_html and wire.pictures:
                message.append(_RELATED_HEAD % (wire.boundary, inner))
            message.append(_PART_HEAD % (inner if is_html else wire.boundary, subtype, part.encoding))
            message += _body(part, reader, own, html=is_html)
            message.append("\r\n")
    if wire.pictures:
        message += [f"--{inner}\r\n{picture}\r\n" for picture in wire.pictures]
        message.append(f"--{inner}--\r\n\r\n")
    message.append(f"--{wire.boundary}--\r\n")
    return "".join(message).encode("ascii" if envelope.recipient.isascii() else "utf-8")


_RELATED_HEAD = '--%s\r\nContent-Type: multipart/related; type="text/html";\r\n boundary="%s"\r\n\r\n'
_PART_HEAD = "--%s\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n"
_OURS = frozenset(
    ("from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding",
     "reply-to", "list-id", "list-post", "list-archive", "feedback-id", "auto-submitted", "precedence", "sender", "cc",
     "bcc")
)  # fmt: skip


def _inner(boundary: str) -> str:
    """The boundary within the other one: neither begins with the other (RFC 2046 §5.1.1), and no part holds it (F5)."""
    return f"=_r{boundary[2:]}"


def _own_headers(wire: Wire, envelope: Envelope, reader: Reader) -> Iterator[str]:
    subject = "".join(p if isinstance(p, str) else _spelled_out(p, reader) for p in wire.subject)
    yield headers.mailbox("To", envelope.personal.name, envelope.recipient, beyond_ascii=True)
    yield headers.text("Subject", headers.one_line(subject) or wire.letterhead.name)
    yield headers.date(envelope.dated_at)
    yield headers.protocol("Message-ID", envelope.message_id)
    for name, value in envelope.headers.items():
        if name.lower() in _OURS:
            raise headers.HeaderError(f"{name} is set by the message itself")
        yield headers.protocol(name, value)


def _spelled_out(slot: Slot, reader: Reader) -> str:
    own = reader.own
    return "".join(own[part] if isinstance(part, int) else part for part in draw(slot, reader, own, html=False))


def _body(part: Part, reader: Reader, said: Own, *, html: bool) -> Sequence[str]:
    """One part's lines, in pieces."""
    is_quoted = part.encoding == QUOTED_PRINTABLE
    pieces: list[str] = []
    for piece in part.pieces:
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        drawn = draw(piece, reader, said.values, html=html)
        if is_quoted:
            pieces += [text if isinstance(text, str) else said.quoted(text, html) for text in _quoted(drawn)]
        else:
            pieces += [tidy(text if isinstance(text, str) else said.printed(text, html)) for text in drawn]
    return pieces if is_quoted else (base64("".join(pieces)),)


class Own:
    """A reader's own values as they stand in the bodies; what is the same in both is encoded once."""

    __slots__ = ("_quoted", "values")

    def __init__(self, values: Sequence[str]) -> None:
        self.values = values
        self._quoted: dict[int, str] = {}

    def printed(self, place: int, html: bool) -> str:
        """As it stands in the text."""
        return printed(self.values[place], html=html)

    def quoted(self, place: int, html: bool) -> str:
        """As it stands in quoted-printable."""
        found = self._quoted.get(place)
        if found is None:
            found = word(self.values[place])
            if found is None:  # it is not the same in both
                return quoted_printable(tidy(self.printed(place, html)))
            self._quoted[place] = found
        return found


_encoded: dict[Drawn, Drawn] = {}
_MOST_ENCODED = 4096


def _quoted(drawn: Drawn) -> Drawn:
    """A drawing in quoted-printable: encoded when it is first met."""
    found = _encoded.get(drawn)
    if found is None:
        if len(_encoded) >= _MOST_ENCODED:
            _encoded.clear()
        found = tuple(quoted_printable(tidy(part)) if isinstance(part, str) else part for part in drawn)
        _encoded[drawn] = found
    return found
