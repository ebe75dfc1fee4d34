"""The SMTP transport: a pool of conversations with one relay, opened when needed and used again."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from dispatcher import clock
from dispatcher.delivery.connection import Connection
from dispatcher.delivery.envelope import Envelope, prepare
from dispatcher.delivery.relay import Relay, Security
from dispatcher.model.values import Outcome, OutcomeKind

__all__ = ["Relay", "Security", "SmtpTransport"]

NAME_LOOKUP_TIMEOUT = 5.0


class SmtpTransport:
    """Sends through one relay, on up to `relay.max_connections` connections at once; see Transport.

    A connection carries up to `messages_per_connection` messages (standards S5) and is given up after `idle_timeout`.
    """

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self._slots = asyncio.Semaphore(relay.max_connections)
        self._idle: dict[Connection, asyncio.TimerHandle] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        self._failing_since: datetime | None = None
        self._helo: str | None = relay.helo or None
        self._closed = False

    @property
    def max_connections(self) -> int:
        """How many sends make progress at the same time."""
        return self.relay.max_connections

    @property
    def failing_since(self) -> datetime | None:
        """Since when no connection could be opened; None once one could, or a message was accepted on another."""
        return self._failing_since

    async def send(self, envelope_from: str, recipient: str, message: bytes) -> Outcome:
        """Hand over one message. Every expected failure is an Outcome; see Transport.send."""
        if self._closed:
            raise RuntimeError("send on a closed transport")
        envelope = prepare(envelope_from, recipient, message)
        if isinstance(envelope, Outcome):
            return replace(envelope, relay=self.relay.label)
        async with self._slots:
            return await self._send(envelope)

    async def close(self) -> None:
        """Wait for sends under way, then say QUIT on every connection."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self.relay.max_connections):
            await self._slots.acquire()
        for connection in list(self._idle):
            self._retire(connection)
        await asyncio.gather(*self._farewells)

    async def _send(self, envelope: Envelope) -> Outcome:
        """Try the message on a connection; one that had died while idle does not count as a try."""
        while True:
            connection = await self._ready_connection()
            if isinstance(connection, Outcome):
                return connection
            outcome = await connection.send(envelope)
            if not connection.went_stale:
                self._keep(connection)
                if outcome.kind is OutcomeKind.ACCEPTED:
                    self._failing_since = None  # a relay may refuse more connections than it likes, and still work
                return outcome

    async def _ready_connection(self) -> Connection | Outcome:
        """The idle connection used last, or a new one."""
        while self._idle:
            connection, timer = self._idle.popitem()
            timer.cancel()
            if connection.transactions >= self.relay.messages_per_connection:
                await connection.quit()
            elif connection.is_open:
                return connection
        return await self._open()

    async def _open(self) -> Connection | Outcome:
        connection = Connection(self.relay, self._tls_context)
        failure = await connection.open(await self._greeting())
        if failure is None:
            self._failing_since = None
            return connection
        self._failing_since = self._failing_since or clock.now()
        return failure

    def _keep(self, connection: Connection) -> None:
        if connection.is_open:
            loop = asyncio.get_running_loop()
            self._idle[connection] = loop.call_later(self.relay.idle_timeout, self._retire, connection)

    def _retire(self, connection: Connection) -> None:
        self._idle.pop(connection).cancel()
        farewell = asyncio.create_task(connection.quit())
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        """Made once: reading the machine's trusted roots takes longer than a handshake."""
        return self.relay.make_tls_context()

    async def _greeting(self) -> str:
        """The name for EHLO, asked for once: this machine's full name, or "" when it has none."""
        if self._helo is None:
            try:
                name = await asyncio.wait_for(asyncio.to_thread(socket.getfqdn), NAME_LOOKUP_TIMEOUT)
            except TimeoutError:
                name = ""
            self._helo = name if "." in name and name.isascii() and not name.startswith("localhost") else ""
        return self._helo
