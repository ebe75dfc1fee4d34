"""The SMTP transport: messages for one relay, over a pool of lines that are kept as full as the relay allows."""

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
from dispatcher.delivery.line import Fate, Line
from dispatcher.delivery.manners import Manners
from dispatcher.delivery.pipelined import Pipe
from dispatcher.delivery.pool import Berth, Pool
from dispatcher.delivery.recall import Recall
from dispatcher.delivery.relay import Relay, Security
from dispatcher.delivery.transport import Ready
from dispatcher.model.values import Blame, Outcome, OutcomeKind

__all__ = ["Relay", "Security", "SmtpTransport"]

NAME_LOOKUP_TIMEOUT = 5.0


class SmtpTransport:
    """Sends through one relay, on up to `relay.max_connections` connections at once; see Transport.

    A connection carries up to `messages_per_connection` messages (standards S5) and is given up after `idle_timeout`.
    Where the relay offers PIPELINING, several sends share a connection; where it misbehaves, one at a time.
    """

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self._label = relay.label
        self._manners = Manners(self._label)
        self._pool = Pool(relay.max_connections, relay.idle_timeout, self._carries, self._open)
        self._recall: Recall[Berth | Outcome, Outcome] = Recall()
        self._recalled_by: Outcome | None = None
        self._failing_since: datetime | None = None
        self._helo: str | None = relay.helo or None
        self._is_closed = False
        self._under_way = 0
        self._all_done = asyncio.Event()

    @property
    def max_connections(self) -> int:
        """How many connections are held open at most."""
        return self.relay.max_connections

    @property
    def max_sends(self) -> int:
        """How many sends at once keep every connection full; known once the first one is open."""
        return self.relay.max_connections * self._manners.seats

    @property
    def failing_since(self) -> datetime | None:
        """Since when no connection could be opened; None once one could, or a message was accepted on another."""
        return self._failing_since

    async def send(
        self, envelope_from: str, recipient: str, message: bytes, *, ready: Ready | None = None, envelope_id: str = ""
    ) -> Outcome | None:
        """Hand over one message. Every expected failure is an Outcome; see Transport.send."""
        if self._is_closed:
            raise RuntimeError("send on a closed transport")
        envelope = prepare(envelope_from, recipient, message, envelope_id)
        if isinstance(envelope, Outcome):
            return self._attributed(envelope)
        self._under_way += 1
        try:
            outcome = await self._send(envelope, ready)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._all_done.set()
        return outcome if outcome is None or outcome.relay else self._attributed(outcome)

    async def close(self) -> None:
        """Wait for sends under way, then say QUIT on every connection."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._under_way:
            self._all_done.clear()
            await self._all_done.wait()
        await self._pool.close()

    async def _send(self, envelope: Envelope, ready: Ready | None) -> Outcome | None:
        """Try the message on a line. To be given back, as by a line that died while idle, does not count as a try."""
        recalled_before = self._recalled_by
        while self._recalled_by is recalled_before:
            berth = self._pool.take_now() or await self._recall.wait(self._pool.take())
            if isinstance(berth, Outcome):
                return berth
            try:
                outcome = await berth.line.send(envelope, ready)
            finally:
                self._pool.put(berth)
            if not isinstance(outcome, Fate):
                if outcome is not None and outcome.kind is OutcomeKind.ACCEPTED:
                    self._failing_since = None  # a relay may refuse more connections than it likes, and still work
                return outcome
        return self._recalled_by

    async def _open(self) -> Line | Outcome:
        connection = Connection(self.relay, self._tls_context)
        failure = await connection.open(await self._greeting())
        if failure is not None:
            self._failing_since = self._failing_since or clock.now()
            return failure
        self._failing_since = None
        return Pipe(connection, self.relay, self._manners.way(connection.offers), self._manners)

    def _attributed(self, outcome: Outcome) -> Outcome:
        return replace(outcome, relay=self._label)

    def _carries(self) -> int:
        return self._manners.carries(self.relay.messages_per_connection)

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

    def route(self, envelope_from: str, recipient: str) -> str:
        """There is only one way."""
        return self._label

    def blocked_since(self, envelope_from: str, recipient: str) -> datetime | None:
        """The same for all."""
        return self._failing_since

    # For those who have other relays as well

    async def probe(self, within: float) -> Outcome | None:
        """Open a connection that carries no mail, and leave again. None, or why not, or not in so many seconds."""
        connection = Connection(self.relay, self._tls_context)
        try:
            async with asyncio.timeout(within):
                failure = await connection.open(await self._greeting())
        except TimeoutError:
            words = f"no greeting within {within:g} s"
            return self._attributed(Outcome(OutcomeKind.DEFERRED, text=words, blame=Blame.RELAY))
        if failure is None:
            self._failing_since = None
            await connection.quit()
        return failure

    def recall(self, failure: Outcome) -> None:
        """Have each send that waits for a connection, or would again, end with this outcome. Nothing of it has left."""
        self._recalled_by = failure
        self._recall.call_back(failure)
