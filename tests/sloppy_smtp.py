"""A sloppy SMTP server for tests: it takes LF and CR for line ends, and any lone dot between such for the end of DATA.

Servers like it are how mail is smuggled (CVE-2023-51764 to 51766): what a strict sender believes to be the middle of a
message, they take for its end, and what follows for commands. Whoever sends nothing that they could misunderstand is
safe with every server in the world. It runs in the loop of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_LINE_END = re.compile(rb"\r\n|\n|\r")
_MESSAGE_END = re.compile(rb"(?:\r\n|\n|\r|\A)\.(?:\r\n|\n|\r)")
_STUFFED = re.compile(rb"(\A|\r\n|\n|\r)\.")


@dataclass(frozen=True, slots=True)
class Taken:
    """One message, as this server understood it."""

    envelope_from: str
    recipients: tuple[str, ...]
    data: bytes


class SloppyServer:
    """See the module. `commands` is every line that it took for a command."""

    def __init__(self, *offers: str) -> None:
        self.offers = offers
        self.host, self.port = "127.0.0.1", 0
        self.messages: list[Taken] = []
        self.commands: list[str] = []
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await _Talk(self, reader, writer).run()
        finally:
            self._talks.discard(talk)
            writer.close()


class _Talk:
    def __init__(self, server: SloppyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.input = b""
        self.sender, self.recipients = "", []  # type: str, list[str]

    async def run(self) -> None:
        self.say("220 sloppy.test")
        while True:
            line = (await self.until(_LINE_END)).decode("utf-8", "replace")
            self.server.commands.append(line)
            verb = line.partition(" ")[0].upper()
            if verb == "QUIT":
                self.say("221 bye")
                return
            if verb == "DATA" and self.recipients:
                self.say("354 go ahead")
                data = _STUFFED.sub(rb"\1", await self.until(_MESSAGE_END))
                self.server.messages.append(Taken(self.sender, tuple(self.recipients), data))
                self.sender, self.recipients = "", []
                self.say("250 kept")
            else:
                self.command(verb, line)

    def command(self, verb: str, line: str) -> None:
        if verb == "EHLO":
            for offer in self.server.offers:
                self.say(f"250-{offer}")
            self.say("250 SIZE 33554432")
        elif verb == "MAIL":
            self.sender = line.partition("<")[2].partition(">")[0]
            self.say("250 ok")
        elif verb == "RCPT":
            self.recipients.append(line.partition("<")[2].partition(">")[0])
            self.say("250 ok")
        else:
            self.say("250 ok" if verb == "RSET" else "500 what?")

    def say(self, reply: str) -> None:
        self.writer.write(reply.encode() + b"\r\n")

    async def until(self, end: re.Pattern[bytes]) -> bytes:
        """What comes before an end, which is taken away. A CR at the very end may be half of one: wait for more."""
        while not (found := end.search(self.input)) or (found.end() == len(self.input) and self.input.endswith(b"\r")):
            octets = await self.reader.read(1 << 16)
            if not octets:
                raise ConnectionError
            self.input += octets
        before, self.input = self.input[: found.start()], self.input[found.end() :]
        return before
