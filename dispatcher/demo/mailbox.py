"""A real SMTP server that keeps the newest messages in memory, taken apart and ready to be looked at."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

from dispatcher import clock
from dispatcher.demo.serving import HOST
from dispatcher.errors import DispatcherError
from dispatcher.web.viewer.mail import Mail, read

MOST = 500
MOST_BYTES = 64_000_000
LARGEST = 10_000_000  # bytes of one message


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
