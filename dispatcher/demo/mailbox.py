"""A real SMTP server that keeps the newest messages in memory, taken apart and ready to be looked at."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from functools import partial
from html import unescape
from itertools import count
from typing import Any

from dispatcher import clock
from dispatcher.demo.serving import HOST
from dispatcher.errors import DispatcherError

MOST = 500
MOST_BYTES = 64_000_000
LARGEST = 10_000_000  # bytes of one message
MOST_MARKUP = 60_000  # characters in which a mail must have begun to say something
_MARKUP = re.compile(r"<(head|style)\b.*?</\1>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.IGNORECASE)
_FILLING = re.compile("(?:[\u034f\u200b-\u200f\u00a0\u00ad\ufeff] ?){3,}")  # keeps the body out of the preheader


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as it arrived for one recipient, and what a mail program would show of it."""

    number: int
    recipient: str
    raw: bytes
    at: datetime
    subject: str
    sender: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]

    def snippet(self, most: int = 140) -> str:
        """How it begins, on one line, as mail programs show it beneath the subject: the preheader, if it has one."""
        shown = unescape(_MARKUP.sub(" ", self.html[:MOST_MARKUP])) or self.text
        preheader, *rest = _FILLING.split(shown, maxsplit=1)
        return " ".join((preheader.strip() or " ".join(rest)).split())[:most].rstrip()


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
    )


class Mailbox:
    """Where the demo's mail arrives: newest first, bounded in number and in bytes."""

    def __init__(self, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.mails: deque[Mail] = deque()
        self.arrived = 0
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0
        self._numbers = count(1)
        self._news = asyncio.Event()

    def find(self, number: int) -> Mail | None:
        """A mail by its number, if it is still kept."""
        return next((mail for mail in self.mails if mail.number == number), None)

    def keep(self, raw: bytes, recipient: str, at: datetime) -> None:
        """Put a message on top; the oldest give way."""
        mail = read(raw, number=next(self._numbers), recipient=recipient, at=at)
        self.mails.appendleft(mail)
        self.arrived += 1
        self._bytes += len(raw)
        while len(self.mails) > self._most or (self._bytes > self._most_bytes and len(self.mails) > 1):
            self._bytes -= len(self.mails.pop().raw)
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, seen: int) -> int:
        """Wait until the count of messages that have arrived is another one than `seen`; gives it."""
        while self.arrived == seen:
            await self._news.wait()
        return self.arrived

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a message, once for each of its recipients."""
        for recipient in envelope.rcpt_tos:
            self.keep(envelope.content, recipient, clock.now())
        return "250 2.0.0 kept"

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[int]:
        """Receive mail on a free loopback port while the block lasts; gives the port.

        DispatcherError if aiosmtpd is not installed.
        """
        try:
            from aiosmtpd.smtp import SMTP
        except ImportError as error:
            hint = "the demo's mail server is not installed: pip install 'dispatcher[demo]'"
            raise DispatcherError(hint) from error
        loop = asyncio.get_running_loop()
        make = partial(SMTP, self, hostname="inbox.example", data_size_limit=LARGEST, enable_SMTPUTF8=True, loop=loop)
        server = await loop.create_server(make, HOST, 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()


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
