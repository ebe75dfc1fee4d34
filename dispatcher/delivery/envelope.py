"""What may go on the wire at all: addresses and message are checked before a relay hears of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import idna

from dispatcher.model.values import Blame, Outcome, OutcomeKind

LONGEST_LINE = 998

_ATOMS = r'[^\s<>()\[\]\\,;:"@\x00-\x20\x7f-\x9f\ud800-\udfff]+'
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f-\x9f\ud800-\udfff]|\\[\x20-\x7e])*"'
_DOMAIN = r"(?:\[[\x21-\x5a\x5e-\x7e]+\]|[^\s<>()\[\]\\,;:\"@\x00-\x20\x7f-\x9f\ud800-\udfff]+)"
_MAILBOX = re.compile(rf"({_ATOMS}|{_QUOTED})@({_DOMAIN})")


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message for one recipient, checked: nothing in it can break out of its SMTP command or its lines."""

    sender: str
    recipient: str
    message: bytes

    @property
    def is_8bit(self) -> bool:
        """Whether the message holds octets above 127; ours never do (standards F6)."""
        return not self.message.isascii()

    @property
    def needs_utf8(self) -> bool:
        """Whether SMTPUTF8 is needed: a local part or a header beyond ASCII (RFC 6531 §3.4)."""
        header = self.message.partition(b"\r\n\r\n")[0]
        return not (self.sender.isascii() and self.recipient.isascii() and header.isascii())


def prepare(envelope_from: str, recipient: str, message: bytes) -> Envelope | Outcome:
    """The envelope, with domains as A-labels, or the refusal it would be wrong to ask a server for.

    An empty `envelope_from` is the null reverse-path (RFC 5321 §4.5.5).
    """
    sender = _mailbox(envelope_from) if envelope_from else ""
    if sender is None:
        return _refusal("5.1.7", "the envelope sender is not an address that can be sent", Blame.MESSAGE)
    to = _mailbox(recipient)
    if to is None:
        return _refusal("5.1.3", "the recipient is not an address that can be sent", Blame.ADDRESS)
    fault = _fault(message)
    if fault:
        return _refusal("5.6.0", fault, Blame.MESSAGE)
    return Envelope(sender, to, message if message.endswith(b"\r\n") else message + b"\r\n")


def _mailbox(address: str) -> str | None:
    """The address with its domain as A-labels (RFC 6531 §3.2), or None if it may not stand in a command."""
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
    """What is wrong with the octets, or "" (standards F1, S8, S9)."""
    line_ends = message.count(b"\r\n")
    if not line_ends == message.count(b"\n") == message.count(b"\r"):
        return "the message has a bare CR or LF"
    if b"\0" in message:
        return "the message has a NUL octet"
    if max(map(len, message.split(b"\r\n"))) > LONGEST_LINE:
        return f"the message has a line of more than {LONGEST_LINE} octets"
    return ""


def _refusal(enhanced: str, text: str, blame: Blame) -> Outcome:
    return Outcome(OutcomeKind.REJECTED, 553 if enhanced.startswith("5.1") else 554, enhanced, text, blame)
