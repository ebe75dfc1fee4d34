"""A raw SMTP sink: takes everything as fast as it can be said, with PIPELINING, SIZE and CHUNKING.

`python -m benchmarks.sink PORT [LOG]` listens on loopback; port 0 is any that is free, printed on the first line. LOG
gets a line for each message: the Unix time of its RCPT and the recipient. It ends when its standard input is closed.
`--delay SECONDS` holds every reply back for so long, as a distant relay would; `--without CHUNKING` does not offer it.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

OFFERS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "CHUNKING")
OK, GO, BYE = b"250 2.0.0 ok\r\n", b"354 go\r\n", b"221 2.0.0 bye\r\n"


class Sink(asyncio.Protocol):
    """One connection: commands in, replies out, message bodies thrown away."""

    log: TextIO | None = None
    ehlo = b""
    delay = 0.0
    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._out, self._rest, self._skip, self._in_data = transport, b"", 0, False
        self._is_leaving = False
        self._out.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer every whole command; of a message only its end is looked for."""
        self._rest += data
        replies = bytearray()
        while self._step(replies):
            pass
        if replies:
            self._reply(bytes(replies))

    def _reply(self, replies: bytes) -> None:
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self._say, replies, self._is_leaving)
        else:
            self._say(replies, self._is_leaving)

    def _say(self, replies: bytes, is_last: bool) -> None:
        self._out.write(replies)
        if is_last:
            self._out.close()

    def _step(self, replies: bytearray) -> bool:
        if self._in_data:
            return self._body(replies)
        if self._skip:
            return self._chunk(replies)
        line, end, rest = self._rest.partition(b"\r\n")
        if not end:
            return False
        self._rest = rest
        self._command(line, replies)
        return True

    def _body(self, replies: bytearray) -> bool:
        at = self._rest.find(b"\r\n.\r\n")
        if at < 0:
            self._rest = self._rest[-4:]
            return False
        self._rest, self._in_data = self._rest[at + 5 :], False
        Sink.taken += 1
        replies += OK
        return True

    def _chunk(self, replies: bytearray) -> bool:
        if len(self._rest) < self._skip:
            self._skip -= len(self._rest)
            self._rest = b""
            return False
        self._rest, self._skip = self._rest[self._skip :], 0
        replies += OK
        return True

    def _command(self, line: bytes, replies: bytearray) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            replies += self.ehlo
        elif verb == b"DATA":
            self._in_data = True
            self._rest = b"\r\n" + self._rest  # so that an empty message ends too
            replies += GO
        elif verb == b"BDAT":
            self._skip = int(line.split()[1])
            Sink.taken += line.upper().endswith(b"LAST")
            if not self._skip:
                replies += OK
        elif verb == b"QUIT":
            replies += BYE
            self._is_leaving = True
        else:
            if verb == b"RCPT" and self.log is not None:
                self.log.write(f"{time.time():.6f} {line[8:].strip(b' <>').split(b'>')[0].decode()}\n")
            replies += OK


@contextmanager
def sink(delay: float = 0.0, without: tuple[str, ...] = ()) -> Iterator[int]:
    """A sink in a process of its own; its port."""
    words = [sys.executable, "-m", "benchmarks.sink", "0", "--delay", str(delay)]
    words += [word for offer in without for word in ("--without", offer)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()  # which closes its input, and so ends it


async def serve(port: int, log: str = "", delay: float = 0.0, without: tuple[str, ...] = ()) -> None:
    """Listen until standard input is closed."""
    if log:
        Sink.log = open(log, "w", encoding="utf-8", buffering=1)  # noqa: SIM115, ASYNC230 - as long as the process
    offers = [offer for offer in OFFERS if offer.partition(" ")[0] not in without]
    Sink.ehlo = "".join(f"250-{line}\r\n" for line in ("sink", *offers)).encode() + b"250 ENHANCEDSTATUSCODES\r\n"
    Sink.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(Sink.taken, flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sink")
    parser.add_argument("port", type=int)
    parser.add_argument("log", nargs="?", default="")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--without", action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    asked = _asked()
    asyncio.run(serve(asked.port, asked.log, asked.delay, tuple(asked.without)))
