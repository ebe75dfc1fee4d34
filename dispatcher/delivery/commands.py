"""What is said for one message before its octets: MAIL and RCPT with their parameters, or why it is not even tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.delivery.envelope import Envelope
from dispatcher.model.values import Blame, Outcome, OutcomeKind

LONGEST_ENVELOPE_ID = 100  # RFC 3461 §4.4
LONGEST_ORIGINAL_RECIPIENT = 500  # RFC 3461 §4.2

LONGEST_NUMBER = 20
"""Digits of a limit that is worth believing: RFC 1870 §3."""

Offers = Mapping[str, str]
"""What EHLO offered: keywords in lower case, with their parameters."""

_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a relay takes messages. `largest` is the octets of one, 0 for any; `reports` is what we ask for."""

    takes_size: bool = False
    largest: int = 0
    takes_8bit: bool = False
    takes_utf8: bool = False
    reports: bool = False

    @classmethod
    def of(cls, offers: Offers, *, reports: bool = False) -> Terms:
        """The terms of a relay with these offers; delivery reports are asked for only where they are known."""
        limit = offers.get("size", "").strip()
        return cls(
            takes_size="size" in offers,
            largest=int(limit) if limit.isdecimal() and len(limit) <= LONGEST_NUMBER else 0,
            takes_8bit="8bitmime" in offers,
            takes_utf8="smtputf8" in offers,
            reports=reports and "dsn" in offers,
        )


class Announcement(NamedTuple):
    """The two commands, without their line ends."""

    mail: bytes
    rcpt: bytes


def announce(envelope: Envelope, terms: Terms) -> Announcement | Outcome:
    """MAIL and RCPT for a message as a relay on these terms takes them, or the refusal it would give.

    SIZE (RFC 1870 §6), BODY (RFC 6152 §3), SMTPUTF8 (RFC 6531 §3.4); for reports also RET, ENVID, NOTIFY and ORCPT
    (RFC 3461 §4, standards S13). ValueError if the envelope's id cannot be an ENVID.
    """
    mail, rcpt = f"MAIL FROM:<{envelope.sender}>", f"RCPT TO:<{envelope.recipient}>"
    if terms.takes_size:
        size = len(envelope.message)
        if 0 < terms.largest < size:
            return _refusal(552, "5.3.4", f"the message has {size} octets, the relay takes {terms.largest}")
        mail += f" SIZE={size}"
    if envelope.is_8bit:
        if not terms.takes_8bit:
            return _refusal(554, "5.6.3", "the message is 8-bit, and the relay offers no 8BITMIME")
        mail += " BODY=8BITMIME"
    if envelope.needs_utf8:
        if not terms.takes_utf8:
            return _refusal(553, "5.6.7", "an address or a header is not ASCII, and the relay offers no SMTPUTF8")
        mail += " SMTPUTF8"
    if terms.reports:
        mail += _returning(envelope.envelope_id)
        rcpt += _notifying(envelope.recipient)
    return Announcement(mail.encode(), rcpt.encode())


def _refusal(code: int, enhanced: str, text: str) -> Outcome:
    return Outcome(OutcomeKind.REJECTED, code, enhanced, text, Blame.MESSAGE)


def _returning(envelope_id: str) -> str:
    if not envelope_id:
        return " RET=HDRS"
    if len(envelope_id) > LONGEST_ENVELOPE_ID or not (envelope_id.isascii() and envelope_id.isprintable()):
        raise ValueError("an envelope id is printable ASCII, up to 100 characters (RFC 3461 §4.4)")
    return f" RET=HDRS ENVID={_xtext(envelope_id)}"


def _notifying(recipient: str) -> str:
    """ORCPT knows no other addresses than ASCII ones here: RFC 6533 §3 has a type of its own for the rest."""
    original = f" ORCPT=rfc822;{_xtext(recipient)}"
    fits = recipient.isascii() and len(original) <= LONGEST_ORIGINAL_RECIPIENT
    return " NOTIFY=FAILURE,DELAY" + (original if fits else "")


def _xtext(text: str) -> str:
    """RFC 3461 §4: printable ASCII but for "+" and "=", which become +2B and +3D as everything else does."""
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)
