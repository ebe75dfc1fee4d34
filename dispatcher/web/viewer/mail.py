"""A message taken apart into what a mail program shows of it."""

from __future__ import annotations

import email
import email.policy
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from html import unescape

MOST_MARKUP = 60_000  # characters in which a mail must have begun to say something
_MARKUP = re.compile(r"<(head|style)\b.*?</\1>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.IGNORECASE)
_FILLING = re.compile("(?:[\u034f\u200b-\u200f\u00a0\u00ad\ufeff] ?){3,}")  # keeps the body out of the preheader
_LINK = re.compile(r"<a\b[^>]*?\bhref\s*=\s*(\"[^\"]*\"|'[^']*')[^>]*>(.*?)</a\s*>", re.DOTALL | re.IGNORECASE)
_ALT = re.compile(r"<img\b[^>]*?\balt\s*=\s*(\"[^\"]*\"|'[^']*')[^>]*>", re.IGNORECASE)
_PICTURE = re.compile("image/[a-z0-9.+-]+")


@dataclass(frozen=True, slots=True)
class Mail:
    """One message for one recipient, and what a mail program would show of it.

    `pictures` are those that came with it: Content-ID → a data: URL.
    """

    number: int
    recipient: str
    raw: bytes
    at: datetime
    subject: str
    sender: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]
    pictures: Mapping[str, str] = field(default_factory=dict)

    def snippet(self, most: int = 140) -> str:
        """How it begins, on one line, as mail programs show it beneath the subject: the preheader, if it has one."""
        shown = unescape(_MARKUP.sub(" ", self.html[:MOST_MARKUP])) or self.text
        preheader, *rest = _FILLING.split(shown, maxsplit=1)
        return " ".join((preheader.strip() or " ".join(rest)).split())[:most].rstrip()

    @property
    def html_size(self) -> int:
        """Octets of the HTML, as Gmail counts them."""
        return len(self.html.encode("utf-8", "replace"))

    @property
    def links(self) -> list[tuple[str, str]]:
        """Where its HTML leads: address and words of each link, in reading order."""
        return [(unescape(found[1][1:-1]).strip(), _words(found[2])) for found in _LINK.finditer(self.html)]


def read(raw: bytes, *, number: int, recipient: str, at: datetime) -> Mail:
    """Take a message apart. Nothing in it can fail: what cannot be decoded is shown as well as it goes."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    headers = tuple((name, _header(message, name, value)) for name, value in message.raw_items())
    named = {name.lower(): value for name, value in reversed(headers)}
    return Mail(
        number=number,
        recipient=recipient,
        raw=raw,
        at=at,
        subject=named.get("subject", ""),
        sender=named.get("from", ""),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        headers=headers,
        pictures=dict(_pictures(message)),
    )


def _header(message: EmailMessage, name: str, value: str) -> str:
    """One header, decoded and on one line; as it came where the standard library stumbles over it."""
    try:
        value = str(message.policy.header_fetch_parse(name, value))
    except Exception as error:  # what a broken header raises is not documented, and it is the sender's mistake
        value = f"{value} ({type(error).__name__})"
    return " ".join(value.encode("utf-8", "replace").decode("utf-8").split())


def _part(message: EmailMessage, kind: str) -> str:
    """The text of the "plain" or "html" part; empty if there is none."""
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # a charset that nobody knows
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _pictures(message: EmailMessage) -> Iterator[tuple[str, str]]:
    for part in message.walk():
        number, payload = str(part.get("Content-ID", "")).strip(" <>"), part.get_payload(decode=True)
        if number and isinstance(payload, bytes) and _PICTURE.fullmatch(part.get_content_type()):
            yield number, f"data:{part.get_content_type()};base64,{b64encode(payload).decode()}"


def _words(markup: str) -> str:
    """What a link says; of a picture what stands for it."""
    spoken = _ALT.sub(lambda found: f" {found[1][1:-1]} ", markup)
    return " ".join(unescape(_MARKUP.sub(" ", spoken)).split())
