"""A real SMTP server that keeps every message in memory, the newest few hundred of them."""

from __future__ import annotations

import email
import email.policy
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from itertools import count
from typing import Any

from dispatcher.demo.serving import HOST
from dispatcher.errors import DispatcherError

MOST = 500


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as it arrived."""

    number: int
    recipient: str
    raw: bytes
    at: datetime

    @property
    def message(self) -> EmailMessage:
        """The message taken apart."""
        parsed = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def subject(self) -> str:
        """Its subject, on one line."""
        return " ".join(str(self.message["Subject"] or "").split())

    def body(self, kind: str) -> str:
        """Its "plain" or "html" part; empty if it has none."""
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Mailbox:
    """Where the demo's mail arrives."""

    def __init__(self) -> None:
        self.mails: deque[Mail] = deque(maxlen=MOST)
        self._numbers = count(1)

    def find(self, number: int) -> Mail | None:
        """A mail by its number, if it is still kept."""
        return next((mail for mail in self.mails if mail.number == number), None)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a message, once for each of its recipients."""
        for recipient in envelope.rcpt_tos:
            self.mails.appendleft(Mail(next(self._numbers), recipient, envelope.content, datetime.now(UTC)))
        return "250 2.0.0 kept"

    @contextmanager
    def receiving(self) -> Iterator[int]:
        """Receive mail on a free loopback port while the block lasts; gives the port."""
        try:
            from aiosmtpd.controller import Controller
        except ImportError as error:
            raise DispatcherError("the demo needs its extra: pip install 'dispatcher[demo]'") from error
        port = _free_port()
        controller = Controller(self, hostname=HOST, port=port, ready_timeout=20)
        controller.start()
        try:
            yield port
        finally:
            controller.stop()
