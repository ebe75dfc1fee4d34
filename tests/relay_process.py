"""A raw SMTP server in a process of its own, to be killed with its connections open.

    async with RelayProcess(tmp_path / "west") as west:
        ...                       # a client talks to west.port
        west.kill()               # SIGKILL: the kernel closes what was open
        west.recipients()         # whom it had answered for, or was about to

Each message is written down before it is answered for, as a relay does that keeps its word.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from raw_smtp import CHUNKING, OFFERS, RawServer
from smtp_server import Received

WAYS = {
    "plain": tuple(offer for offer in OFFERS if offer != "PIPELINING"),
    "pipelined": OFFERS,
    "chunked": CHUNKING,
}


class RelayProcess:
    """See the module. `way` is what it offers; started again, it listens on the same port."""

    def __init__(self, book: Path, way: str = "pipelined") -> None:
        self.host, self.port = "127.0.0.1", 0
        self._book, self._way = book, way
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Listen."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, str(self.port), self._way, self._book, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.port = int(await self._process.stdout.readline())

    def kill(self) -> None:
        """End it without a word."""
        assert self._process is not None
        self._process.kill()

    def recipients(self) -> list[str]:
        """Whom it keeps messages for."""
        return self._book.read_text().splitlines() if self._book.exists() else []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


class _Book(list[Received]):
    """What `RawServer` keeps, on disk."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(self, message: Received) -> None:
        os.write(self._file, "".join(f"{recipient}\n" for recipient in message.recipients).encode())


async def _serve(port: int, way: str, book: Path) -> None:
    server = RawServer(offers=WAYS[way], port=port)
    server.messages = _Book(book)
    async with server:
        print(server.port, flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
