"""From a server's reply to an Outcome: enhanced code first, then the words, then the basic code (standards S2)."""

from __future__ import annotations

import re
from enum import StrEnum

from dispatcher.delivery.rules import BY_CODE, BY_WORDS, EXCEPTIONS
from dispatcher.model.values import Blame, Outcome, OutcomeKind

LONGEST_TEXT = 500


class Stage(StrEnum):
    """How far a conversation has come."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    RSET = "rset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"


ABOUT_THE_RELAY = frozenset({Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.AUTH, Stage.RSET})
"""Stages at which no message has been spoken of yet: whatever goes wrong is between the relay and us."""

RELAY_CODES = frozenset({421, 454, 530, 534, 535, 538})
"""Closing, or TLS or a login wanted (RFC 5321 §3.8, RFC 4954 §6, RFC 3207 §4): true for every message alike."""

TOO_MANY = frozenset({"5.5.3", "4.5.3"})
DOMAIN_TAKES_NO_MAIL = 556  # RFC 7504 §2, RFC 7505 §4.1
ABOUT_OUR_COMMANDS = frozenset({500, 501, 502, 503, 504, 555})
ABOUT_THE_CONTENT = frozenset({552, 554})

_LEADING_CODE = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_BRACKETED_CODE = re.compile(r"[(\[]\s*#?([245]\.\d{1,3}\.\d{1,3})\s*[)\]]")


def classify(code: int, enhanced: str, text: str, *, stage: str, relay: str = "") -> Outcome:
    """What a reply means, given at `stage` (see Stage). The enhanced code is read from the text when not given.

    Where basic and enhanced code contradict each other, temporary wins. A number that is no reply code is a server
    that has lost its place: deferred, or uncertain once the message was handed over.
    """
    text = clean(text)
    enhanced = enhanced or enhanced_code(text)
    if 200 <= code < 300:
        return Outcome(OutcomeKind.ACCEPTED, code, enhanced, text, Blame.NOBODY, relay)
    if not 400 <= code < 600:
        kind = OutcomeKind.UNCERTAIN if stage == Stage.CONTENT else OutcomeKind.DEFERRED
        return Outcome(kind, max(code, 0), enhanced, f"not a reply we can follow: {text}", Blame.RELAY, relay)
    if stage in ABOUT_THE_RELAY or code in RELAY_CODES:
        return Outcome(OutcomeKind.DEFERRED, code, enhanced, text, Blame.RELAY, relay)
    blame = _blame(code, enhanced, text, stage)
    if blame is not Blame.RELAY and not _is_temporary(code, enhanced, stage):
        return Outcome(OutcomeKind.REJECTED, code, enhanced, text, blame, relay)
    # What may yet go well is no verdict on the address.
    lenient = Blame.ADDRESS_SOFT if blame is Blame.ADDRESS else blame
    return Outcome(OutcomeKind.DEFERRED, code, enhanced, text, lenient, relay)


def enhanced_code(text: str) -> str:
    """The enhanced status code a reply begins with, or carries in brackets as qmail's do; "" without one."""
    found = _LEADING_CODE.match(text) or _BRACKETED_CODE.search(text)
    return found[1] if found else ""


def without_recipient(text: str, recipient: str) -> str:
    """Servers like to repeat the address: it is private, and `spam@` in it would pass for a verdict on the mail."""
    if "@" not in text or not recipient or recipient.casefold() not in text.casefold():
        return text
    return re.sub(re.escape(recipient), "[recipient]", text, flags=re.IGNORECASE)


def clean(text: str) -> str:
    """A server's words, fit for a database and a terminal: valid Unicode, no control characters, not endless."""
    if text.isprintable() and len(text) <= LONGEST_TEXT:  # a surrogate is not printable
        return text.strip()
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    printable = "".join(c if c.isprintable() or c == "\n" else " " for c in readable).strip()
    return printable if len(printable) <= LONGEST_TEXT else printable[: LONGEST_TEXT - 1] + "…"


def _is_temporary(code: int, enhanced: str, stage: str) -> bool:
    if code == 552 and stage == Stage.RCPT:  # old servers' "too many recipients", RFC 5321 §4.5.3.1.10
        return True
    return code < 500 or enhanced.startswith("4") or enhanced in TOO_MANY


def _blame(code: int, enhanced: str, text: str, stage: str) -> Blame:
    blame = _by_table(enhanced, text) or _by_basic_code(code, enhanced, stage)
    if stage == Stage.MAIL and blame in (Blame.ADDRESS, Blame.ADDRESS_SOFT):
        return Blame.MESSAGE  # the recipient has not been named yet: this is about the sender
    return blame


def _by_table(enhanced: str, text: str) -> Blame | None:
    for rule in (*EXCEPTIONS, *BY_CODE, *BY_WORDS):
        if rule.fits(enhanced, text):
            return rule.blame
    return None


def _by_basic_code(code: int, enhanced: str, stage: str) -> Blame:
    """Where nothing else speaks: an unknown refusal costs the address one strike, never more."""
    if _is_temporary(code, enhanced, stage):
        return Blame.NOBODY
    if code == DOMAIN_TAKES_NO_MAIL:
        return Blame.ADDRESS
    if code in ABOUT_OUR_COMMANDS or (code in ABOUT_THE_CONTENT and stage != Stage.RCPT):
        return Blame.MESSAGE
    return Blame.ADDRESS_SOFT
