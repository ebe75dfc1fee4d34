"""What may go on the wire at all: addresses and message are checked before a relay hears of them."""

from __future__ import annotations

import re
from typing import NamedTuple

import idna

from dispatcher.model.values import Blame, Outcome, OutcomeKind

LONGEST_LINE = 998

_ATOMS = r'[^\s<>()\[\]\\,;:"@\x00-\x20\x7f-\x9f\ud800-\udfff]+'
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f-\x9f\ud800-\udfff]|\\[\x20-\x7e])*"'
_DOMAIN = r"(?:\[[\x21-\x5a\x5e-\x7e]+\]|[^\s<>()\[\]\\,;:\"@\x00-\x20\x7f-\x9f\ud800-\udfff]+)"
_MAILBOX = re.compile(rf"({_ATOMS}|{_QUOTED})@({_DOMAIN})")
_PLAIN = re.compile(r"[A-Za-z0-9_.+=-]+@[A-Za-z0-9.-]+")  # as nearly all are: a quick look is enough


class Vetted(bytes):
    """A message that was checked piece by piece as it was put together, and is not gone through again.

    Whoever makes one promises: lines end in CRLF, the last one too; none is longer than 998 octets or begins with ".";
    no other CR or LF, no NUL, and nothing but ASCII.
    """

    __slots__ = ()


class Envelope(NamedTuple):
    """One message for one recipient, checked: nothing in it can break out of its SMTP command or its lines.

    `envelope_id` is what a delivery report will call it (RFC 3461 §4.4), where the relay is asked for reports.
    """

    sender: str
    recipient: str
    message: bytes
    envelope_id: str = ""

    @property
    def is_8bit(self) -> bool:
        """Whether the message holds octets above 127; ours never do (standards F6)."""
        return not (isinstance(self.message, Vetted) or self.message.isascii())

    @property
    def needs_utf8(self) -> bool:
        """Whether SMTPUTF8 is needed: a local part or a header beyond ASCII (RFC 6531 §3.4)."""
        if not (self.sender.isascii() and self.recipient.isascii()):
            return True
        return self.is_8bit and not self.message[: self.message.find(b"\r\n\r\n")].isascii()

    @property
    def dotted(self) -> bytes:
        """The message as DATA wants it, without the end: a dot before each dot that begins a line (standards S8)."""
        message = self.message
        if isinstance(message, Vetted):
            return message
        first = b"." if message.startswith(b".") else b""
        # Backwards, because the search leaps from one CR to the one before: seven times as fast as `in`.
        return first + (message if message.rfind(b"\r\n.") < 0 else message.replace(b"\r\n.", b"\r\n.."))


def prepare(envelope_from: str, recipient: str, message: bytes, envelope_id: str = "") -> Envelope | Outcome:
    """The envelope, with domains as A-labels, or the refusal it would be wrong to ask a server for.

    An empty `envelope_from` is the null reverse-path (RFC 5321 §4.5.5).
    """
    sender = _mailbox(envelope_from) if envelope_from else ""
    if sender is None:
        return _refusal("5.1.7", "the envelope sender is not an address that can be sent", Blame.MESSAGE)
    to = _mailbox(recipient)
    if to is None:
        return _refusal("5.1.3", "the recipient is not an address that can be sent", Blame.ADDRESS)
    if not isinstance(message, Vetted):
        message = message if message.endswith(b"\r\n") else message + b"\r\n"
        fault = _fault(message)
        if fault:
            return _refusal("5.6.0", fault, Blame.MESSAGE)
    return Envelope(sender, to, message, envelope_id)


def _mailbox(address: str) -> str | None:
    """The address with its domain as A-labels (RFC 6531 §3.2), or None if it may not stand in a command."""
    if _PLAIN.fullmatch(address):
        return address
    parts = _MAILBOX.fullmatch(address)
    if parts is None:
        return None
    local, domain = parts.groups()
    if domain.isascii():
        return address
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        return None


def _fault(message: bytes) -> str:
    """What is wrong with the octets of a message that ends in CRLF, or "" (standards F1, S8, S9)."""
    # `splitlines` takes CR, LF and CRLF for one line end each: as many of all three means that each is a CRLF.
    if not len(message.splitlines()) == message.count(b"\n") == message.count(b"\r"):
        return "the message has a bare CR or LF"
    if b"\0" in message:
        return "the message has a NUL octet"
    if _has_long_line(message):
        return f"the message has a line of more than {LONGEST_LINE} octets"
    return ""


def _has_long_line(message: bytes) -> bool:
    """From line start to line start, as far as a lawful line may reach each time."""
    start = 0
    while start < len(message):
        end = message.rfind(b"\n", start, start + LONGEST_LINE + len(b"\r\n"))
        if end < 0:
            return True
        start = end + 1
    return False


def _refusal(enhanced: str, text: str, blame: Blame) -> Outcome:
    return Outcome(OutcomeKind.REJECTED, 553 if enhanced.startswith("5.1") else 554, enhanced, text, blame)
