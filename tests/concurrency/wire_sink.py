"""A receiving server that keeps accounts: what was begun on which connection, what was taken whole, and how each ended.

    with WireSink(delay=0.02) as sink:
        ...                                   # processes talk to sink.port
        sink.begun, sink.taken, sink.conversations

It runs in a thread of its own and says everything a fast relay says: PIPELINING, SIZE, and CHUNKING unless told not to.
`delay` holds each reply back for so many seconds, as distance does, and may be changed. Of a message it keeps a hash
of its octets.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
OK, GO, BYE = b"250 2.0.0 ok\r\n", b"354 go on\r\n", b"221 2.0.0 bye\r\n"
OFFERS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, slots=True)
class Taken:
    """One message that came whole. `digest` is a hash of its octets, `conversation` the connection it came by."""

    recipient: str
    message_id: str
    digest: str
    conversation: int
    at: float


@dataclass(slots=True)
class Conversation:
    """One connection. `begun` are the recipients in the order of their MAIL; `answered` final replies were written.

    `ended_at` is None while it lasts, `said_quit` whether it ended politely. Times are `time.monotonic`.
    """

    number: int
    begun: list[str] = field(default_factory=list)
    answered: int = 0
    said_quit: bool = False
    ended_at: float | None = None

    @property
    def open(self) -> int:
        """Transactions that were begun and not answered."""
        return len(self.begun) - self.answered


class WireSink:
    """See the module."""

    def __init__(self, *, delay: float = 0.0, chunking: bool = True, port: int = 0) -> None:
        self.delay, self.port = delay, port
        self.offers = (*OFFERS, "CHUNKING") if chunking else OFFERS
        self.begun: list[str] = []
        self.taken: list[Taken] = []
        self.conversations: list[Conversation] = []
        self.most_at_once = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire sink")

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self.port = listening.result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def recipients(self) -> set[str]:
        """Everybody who got something."""
        return {message.recipient for message in self.taken}

    def copies(self) -> dict[str, list[Taken]]:
        """What each reader got, in the order of its coming."""
        found: dict[str, list[Taken]] = defaultdict(list)
        for message in self.taken:
            found[message.recipient].append(message)
        return found

    async def _listen(self) -> int:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Talk(self), "127.0.0.1", self.port, backlog=256
        )
        return int(server.sockets[0].getsockname()[1])


class _Talk(asyncio.Protocol):
    """One connection: commands in, replies out."""

    def __init__(self, sink: WireSink) -> None:
        self._sink = sink
        self._seen = Conversation(len(sink.conversations))
        sink.conversations.append(self._seen)
        sink.most_at_once = max(sink.most_at_once, sum(one.ended_at is None for one in sink.conversations))
        self._input, self._message = bytearray(), bytearray()
        self._chunk_left, self._is_last, self._in_data = 0, False, False
        self._recipient = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out = transport
        self._say(b"220 sink.test ESMTP\r\n", 0)

    def connection_lost(self, error: Exception | None) -> None:
        self._seen.ended_at = time.monotonic()

    def data_received(self, data: bytes) -> None:
        self._input += data
        replies, finals = bytearray(), len(self._sink.taken)
        while self._step(replies):
            pass
        if replies:
            self._say(bytes(replies), len(self._sink.taken) - finals)

    def _say(self, replies: bytes, finals: int) -> None:
        if self._sink.delay:
            asyncio.get_running_loop().call_later(self._sink.delay, self._write, replies, finals)
        else:
            self._write(replies, finals)

    def _write(self, replies: bytes, finals: int) -> None:
        if not self._out.is_closing():
            self._out.write(replies)
            self._seen.answered += finals
            if replies.endswith(BYE):
                self._out.close()

    def _step(self, replies: bytearray) -> bool:
        """Read one thing, if it is there."""
        if self._in_data:
            return self._read_data(replies)
        if self._chunk_left:
            return self._read_chunk(replies)
        end = self._input.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._input[:end])
        del self._input[: end + 2]
        self._command(line, replies)
        return True

    def _command(self, line: bytes, replies: bytearray) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            lines = ["sink.test", *self._sink.offers]
            replies += "".join(f"250{'-' if n < len(lines) - 1 else ' '}{t}\r\n" for n, t in enumerate(lines)).encode()
        elif verb == b"RCPT":
            self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            self._seen.begun.append(self._recipient)
            self._sink.begun.append(self._recipient)
            replies += OK
        elif verb == b"DATA":
            self._in_data, self._message = True, bytearray()
            replies += GO
        elif verb == b"BDAT":
            words = line.upper().split()
            self._chunk_left, self._is_last = int(words[1]), words[-1] == b"LAST"
            if not self._chunk_left:
                self._end_chunk(replies)
        elif verb == b"QUIT":
            self._seen.said_quit = True
            replies += BYE
        else:
            replies += OK

    def _read_data(self, replies: bytearray) -> bool:
        end = self._input.find(b"\r\n.\r\n")
        if end < 0:
            return False
        self._message += self._input[: end + 2]
        del self._input[: end + 5]
        self._in_data = False
        self._keep(replies)
        return True

    def _read_chunk(self, replies: bytearray) -> bool:
        part = self._input[: self._chunk_left]
        self._message += part
        self._chunk_left -= len(part)
        del self._input[: len(part)]
        if self._chunk_left:
            return False
        self._end_chunk(replies)
        return True

    def _end_chunk(self, replies: bytearray) -> None:
        if self._is_last:
            self._keep(replies)
        else:
            replies += OK

    def _keep(self, replies: bytearray) -> None:
        found = MESSAGE_ID.search(self._message)
        assert found is not None
        digest = hashlib.sha256(self._message).hexdigest()
        number = self._seen.number
        self._sink.taken.append(Taken(self._recipient, found[1].decode(), digest, number, time.monotonic()))
        self._message = bytearray()
        replies += OK
