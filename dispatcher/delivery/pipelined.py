"""A line to a relay: kept full by PIPELINING (RFC 2920), and by CHUNKING (RFC 3030) where it is offered.

    ▶ MAIL RCPT DATA          ▶ message 1 . MAIL RCPT DATA          ▶ message 2 . MAIL RCPT DATA
              250 250 354 ◀             250  250 250 354 ◀                    250  250 250 354 ◀

One write and one read for each message, and no waiting between them. With CHUNKING no go-ahead is waited for either:
RSET MAIL RCPT BDAT of several messages are under way at once. The first message after a silence is announced alone, so
that a line which has died meanwhile, or is closed by 421, leaves no message uncertain. A relay that offers neither, or
has misbehaved, is told one thing at a time.
"""

from __future__ import annotations

import asyncio

from dispatcher.delivery import connection as conversation
from dispatcher.delivery.commands import Announcement, Terms, announce
from dispatcher.delivery.connection import Connection
from dispatcher.delivery.dialogue import Dialogue
from dispatcher.delivery.envelope import Envelope
from dispatcher.delivery.line import Fate
from dispatcher.delivery.manners import SEATS, Manners, Way
from dispatcher.delivery.patience import Patience
from dispatcher.delivery.relay import Relay
from dispatcher.delivery.replies import ReplyReader
from dispatcher.delivery.transaction import CONTENT, Transaction
from dispatcher.delivery.transport import Ready
from dispatcher.delivery.trouble import words_for
from dispatcher.model.values import Outcome

LOOK_LASTS = 1.0
"""Seconds after which a last look is none any more."""

ROOM = 4096
"""Octets that are read at once. A buffer of our own: the loop would make one of 256 KiB for every read."""


class Pipe(asyncio.BufferedProtocol):
    """One conversation that several sends share; see the module. Takes the transport of an open connection over."""

    def __init__(self, connection: Connection, relay: Relay, way: Way, manners: Manners) -> None:
        self._connection, self._relay, self._way, self._manners = connection, relay, way, manners
        self._terms = Terms.of(connection.offers, reports=relay.delivery_reports)
        self._loop = asyncio.get_running_loop()
        self._dialogue = Dialogue(way, manners, manners.carries(relay.messages_per_connection))
        self._room = memoryview(bytearray(ROOM))
        self._reader = ReplyReader()
        self._patience = Patience(self._loop, self._run_out_of_patience)
        self._farewell: asyncio.Future[None] | None = None
        self._is_over = False
        self._transport = connection.hand_over_to(self)

    @property
    def is_open(self) -> bool:
        """Whether another message may be tried on it."""
        return self._dialogue.takes_more and not self._transport.is_closing()

    @property
    def capacity(self) -> int:
        """How many sends it is worth giving it at once."""
        return self._manners.depth if self._way is Way.CHUNKED else SEATS[self._way]

    async def send(self, envelope: Envelope, ready: Ready | None) -> Outcome | Fate | None:
        """One mail transaction, begun in the order of the calls; see Line."""
        announcement = announce(envelope, self._terms)
        if isinstance(announcement, Outcome):
            return announcement
        outcome: Outcome | Fate = Fate.LOOK_AGAIN
        while outcome is Fate.LOOK_AGAIN and self.is_open:
            if ready is not None and not await ready():
                return None
            fresh_until = float("inf") if ready is None else self._loop.time() + LOOK_LASTS
            outcome = await self._take_turn(envelope, announcement, fresh_until)
        return Fate.GIVEN_BACK if outcome is Fate.LOOK_AGAIN else outcome

    async def quit(self) -> None:
        """Say goodbye, briefly, and close."""
        if self._dialogue.awaits is None and not (self._is_over or self._transport.is_closing()):
            self._dialogue.takes_more = False
            self._farewell = self._loop.create_future()
            if not self._dialogue.has_said_goodbye:
                self._transport.write(b"QUIT\r\n")
            await asyncio.wait([self._farewell], timeout=conversation.FAREWELL_TIMEOUT)
        self._end(ConnectionError())

    # What asyncio calls

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where to read to."""
        return self._room

    def buffer_updated(self, count: int) -> None:
        """Follow every reply that is complete, then write, in one piece, all that may be said after them."""
        if self._is_over or self._farewell is not None:
            self._end(ConnectionError())
            return
        now, gone = self._loop.time(), self._gone
        replies = self._reader.feed(bytes(self._room[:count]))
        if replies:
            self._patience.rest()  # what is awaited next has a time of its own
        if self._dialogue.listen(replies, now, gone):
            self._speak(now)
        else:
            self._end(ConnectionError())

    def eof_received(self) -> bool:
        """The relay has hung up: what it has not answered by now it never will."""
        self._end(ConnectionError())
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The same, less politely."""
        self._end(error or ConnectionError())

    # Between the sends and the dialogue

    async def _take_turn(self, envelope: Envelope, announcement: Announcement, fresh_until: float) -> Outcome | Fate:
        """Wait for the message's turn, and for what comes of it. A cancelled send does not disturb the others."""
        if not self.is_open:
            return Fate.GIVEN_BACK
        answer: asyncio.Future[Outcome | Fate] = self._loop.create_future()
        label = self._manners.label
        if self._dialogue.enter(Transaction(envelope, announcement, self._way, label, answer, fresh_until)):
            self._speak(self._loop.time())
        try:
            return await answer
        except asyncio.CancelledError:
            if not answer.cancelled():
                _cancel_later()
                return answer.result()
            if not self._dialogue.is_watched:
                self._end(ConnectionError())
            raise

    def _speak(self, now: float) -> None:
        pieces = self._dialogue.speak(now)
        if pieces:
            self._transport.writelines(pieces)
        if not self._patience.is_waiting and (awaited := self._dialogue.awaits) is not None:
            relay = self._relay
            self._patience.wait_until(now + (relay.end_of_data_timeout if awaited is CONTENT else relay.timeout))

    @property
    def _gone(self) -> int:
        """How many octets have left us. Under TLS some may be counted too early, which errs on the side of doubt."""
        return self._dialogue.said - self._transport.get_write_buffer_size()

    def _run_out_of_patience(self) -> None:
        self._dialogue.wait_in_vain()
        self._end(TimeoutError())

    def _end(self, error: Exception) -> None:
        """Close at once: what is still buffered must not go out. Every sender hears what became of its message."""
        if self._is_over:
            return
        self._is_over = True
        self._patience.end()
        self._dialogue.end(lambda stage: words_for(error, stage, self._relay), self._gone)
        if self._farewell is not None and not self._farewell.done():
            self._farewell.set_result(None)
        self._connection.abort()


def _cancel_later() -> None:
    """The outcome came together with the cancellation, and must not be lost: the next wait is cancelled instead."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
    task.cancel()
