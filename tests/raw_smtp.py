"""A raw SMTP server for tests: PIPELINING, CHUNKING, SIZE, DSN; as strict as the RFCs, with bad manners on demand.

    async with RawServer(script=in_turn("RCPT", "550 5.1.1 unknown")) as server:
        ...                                          # a client in this very loop talks to server.port
        server.messages, server.commands, server.faults

It runs in the loop of the test, asyncio's or uvloop's. Scripts, answers and acts are those of `smtp_server`, asked at
BANNER, EHLO, STARTTLS, MAIL, RCPT, DATA, BDAT (before its octets are read), CONTENT, RSET and QUIT; beside them are

    Also("250 again")          behave, and say one thing more
    Raw(b"25", then=...)       octets as they are, and then perhaps an act; `keep=True` keeps the message first
    Saying(b"250 ok\n")        behave, but answer in these octets
    Drip(b"250 ok\r\n", 0.01)  the same, an octet every so many seconds
    Reset()                    end the connection so that what was sent may be lost as well; also as `then`
    Act.SILENCE                say nothing, and read on for ever

`faults` is what the client did against the rules; it must stay empty. Replies are written together as long as there is
input; `pieces` cuts them up instead, into so many octets at a time. `ahead` counts the commands that came before the
last one was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from smtp_server import GARBAGE, Act, Moment, Received, Slow, Then

OFFERS = ("PIPELINING", "SIZE 33554432", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
CHUNKING = (*OFFERS, "CHUNKING")


@dataclass(frozen=True, slots=True)
class Also:
    """Behave, and say one thing more than is right."""

    reply: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Octets instead of a reply."""

    octets: bytes
    then: Act | Reset | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Saying:
    """Behave, but answer in these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Drip:
    """Behave, but answer in these octets, one by one, so many seconds apart."""

    octets: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is gone in an instant."""


class _Gone(Exception):  # noqa: N818 (no error: the conversation is over)
    """Either side has hung up."""


class RawServer:
    """See the module. `unknown` commands are not known whatever is offered; `forgetful` drops what was said ahead."""

    def __init__(
        self,
        *,
        script: Any = None,
        offers: tuple[str, ...] = OFFERS,
        pieces: int = 0,
        unknown: tuple[str, ...] = (),
        forgetful: bool = False,
        always_goes_ahead: bool = False,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        offers_in_clear: tuple[str, ...] | None = None,
        port: int = 0,
    ) -> None:
        self.script, self.offers, self.pieces = script, offers, pieces
        self.offers_in_clear = offers if offers_in_clear is None else offers_in_clear
        self.unknown, self.forgetful, self.always_goes_ahead = unknown, forgetful, always_goes_ahead
        self.tls, self.implicit_tls = tls, implicit_tls
        self.host, self.port = "127.0.0.1", port
        self.messages: list[Received] = []
        self.commands: list[tuple[int, str]] = []
        self.faults: list[str] = []
        self.connections = 0
        self.reads = self.ahead = 0
        self._live: set[_Talk] = set()
        self._server: asyncio.Server | None = None

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._live)

    def verbs(self, connection: int = 1) -> list[str]:
        """The first words of what one connection said."""
        return [line.split()[0] for number, line in self.commands if number == connection]

    def recipients(self) -> list[str]:
        """Whom the kept messages were for, in the order of their coming."""
        return [recipient for message in self.messages for recipient in message.recipients]

    async def wait_until(self, is_true: Any, within: float = 10.0) -> None:
        """Give the other tasks of the loop the time to bring something about."""
        async with asyncio.timeout(within):
            while not is_true():  # noqa: ASYNC110 (nobody could set an event: this is about the outside of the client)
                await asyncio.sleep(0.005)

    async def __aenter__(self) -> Self:
        at_once = self.tls if self.implicit_tls else None
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=at_once)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [talk.task for talk in self._live]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def disconnect_everybody(self) -> None:
        """Close every connection but keep listening."""
        for talk in self._live:
            talk.writer.transport.abort()

    def reset_everybody(self) -> None:
        """The same, in an instant."""
        for talk in list(self._live):
            talk.reset()

    async def say_to_everybody(self, reply: str) -> None:
        """Something that no command asked for, on every connection."""
        for talk in self._live:
            talk.say(reply)
            await talk.flush()

    async def blurt(self, octets: bytes) -> None:
        """The same with any octets."""
        for talk in self._live:
            talk.output += octets
            await talk.flush()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        talk = _Talk(self, self.connections, reader, writer)
        self._live.add(talk)
        try:
            with contextlib.suppress(_Gone, OSError, asyncio.CancelledError):
                await talk.run()
        finally:
            self._live.discard(talk)
            writer.close()


class _Talk:
    """One connection."""

    def __init__(
        self, server: RawServer, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.number, self.reader, self.writer = server, number, reader, writer
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.input = bytearray()
        self.output = bytearray()
        self.forget()

    @property
    def is_secure(self) -> bool:
        """Whether TLS is in force."""
        return self.writer.get_extra_info("sslcontext") is not None

    def forget(self) -> None:
        """A fresh transaction."""
        self.sender: str | None = None
        self.options: tuple[str, ...] = ()
        self.recipients: list[str] = []
        self.chunks = b""
        self.takes_message = False

    async def run(self) -> None:
        """Greet, then one thing after the other."""
        if await self.perform(self.ask("BANNER", "")):
            self.say("220 raw.test")
        while True:
            if self.takes_message:
                await self.content(await self.dotted())
            else:
                await self.command((await self.line()).decode("utf-8", "replace"))
            if self.server.forgetful:
                await self.drop_input()

    async def command(self, line: str) -> None:
        """One command, as the script wants it or as is usual."""
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        self.server.commands.append((self.number, line))
        self.server.ahead += bool(self.input) and verb != "BDAT"
        if verb in ("DATA", "EHLO", "STARTTLS", "QUIT") and self.input:
            self.server.faults.append(f"octets behind {verb}: {bytes(self.input[:40])!r}")
        usual = getattr(self, f"do_{verb.lower()}", None)
        if usual is None or verb in self.server.unknown:
            self.say(f"500 5.5.1 never heard of {verb[:20]}")
            return
        asked = self.ask(verb, _address(argument) if verb in ("MAIL", "RCPT") else argument)
        if await self.perform(asked):
            start = len(self.output)
            await usual(argument)
            await self.reword(asked, start)
        elif verb == "BDAT":
            await self.exactly(int(argument.split()[0]))
            self.forget()
        if isinstance(asked, Also):
            self.say(asked.reply)

    async def content(self, data: bytes) -> None:
        """The message has come."""
        asked = self.ask("CONTENT", "")
        is_kept = asked is Act.KEEP_AND_DISCONNECT or (isinstance(asked, Raw) and asked.keep)
        if self.recipients and (is_kept or (isinstance(asked, str) and asked.startswith("2"))):
            self.keep(data)
        if await self.perform(asked):
            if self.recipients:
                self.keep(data)
            start = len(self.output)
            self.say("250 2.0.0 kept" if self.recipients else "554 5.5.1 for nobody")
            await self.reword(asked, start)
            if isinstance(asked, Also):
                self.say(asked.reply)
        self.forget()

    def keep(self, data: bytes) -> None:
        """From here on this server answers for the message."""
        kept = Received(
            envelope_from=self.sender or "",
            recipients=tuple(self.recipients),
            data=data,
            at=datetime.now(UTC),
            connection=self.number,
            tls=self.is_secure,
            options=self.options,
        )
        self.server.messages.append(kept)

    # What is usual

    async def do_ehlo(self, _argument: str) -> None:
        starttls = ("STARTTLS",) if self.server.tls is not None and not self.is_secure else ()
        offers = self.server.offers if self.is_secure else self.server.offers_in_clear
        *first, last = ("raw.test", *offers, *starttls)
        for line in first:
            self.say(f"250-{line}")
        self.say(f"250 {last}")

    async def do_starttls(self, _argument: str) -> None:
        assert self.server.tls is not None
        self.say("220 go ahead")
        await self.flush()
        await self.writer.start_tls(self.server.tls)

    async def do_rset(self, _argument: str) -> None:
        self.forget()
        self.say("250 2.0.0 forgotten")

    async def do_mail(self, argument: str) -> None:
        if self.sender is not None:
            self.say("503 5.5.1 nested MAIL")
            return
        self.sender, self.options = _address(argument), tuple(argument.partition("> ")[2].split())
        self.say("250 2.1.0 sender ok")

    async def do_rcpt(self, argument: str) -> None:
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
            return
        self.recipients.append(_address(argument))
        self.options += tuple(argument.partition("> ")[2].split())
        self.say("250 2.1.5 recipient ok")

    async def do_data(self, _argument: str) -> None:
        if self.recipients or self.server.always_goes_ahead:
            self.takes_message = True
            self.say("354 go ahead")
        else:
            self.say("503 5.5.1 RCPT first" if self.sender is None else "554 5.5.1 no valid recipients")

    async def do_bdat(self, argument: str) -> None:
        size, _, last = argument.partition(" ")
        self.chunks += await self.exactly(int(size))
        if not self.recipients:
            self.say("503 5.5.1 no valid recipients")
        elif last.upper() == "LAST":
            await self.content(self.chunks)
        else:
            self.say("250 2.0.0 more")

    async def do_quit(self, _argument: str) -> None:
        self.say("221 2.0.0 bye")
        await self.flush()
        raise _Gone

    # The script

    def ask(self, command: str, argument: str) -> Any:
        """What the script wants at this moment."""
        if self.server.script is None:
            return None
        return self.server.script(Moment(command, argument, tuple(self.recipients), self.number))

    async def perform(self, answer: Any) -> bool:
        """Do what the script says; True when the usual behaviour is to follow."""
        match answer:
            case None | Also() | Saying() | Drip():
                return True
            case Slow(seconds):
                await self.flush()
                await asyncio.sleep(seconds)
                return True
            case str():
                self.say(answer)
            case Then(reply, act):
                self.say(reply)
                await self.perform(act)
            case Raw(octets, act):
                self.output += octets
                await self.perform(act) if act else None
            case Reset():
                await self.flush()
                self.reset()
                raise _Gone
            case Act.SILENCE:
                await self.flush()
                while True:
                    await self.more()
            case Act.GARBAGE:
                self.output += GARBAGE
            case Act.DISCONNECT | Act.KEEP_AND_DISCONNECT:
                await self.flush()
                raise _Gone
        return False

    async def reword(self, answer: Any, start: int) -> None:
        """Say otherwise what was said from there on."""
        match answer:
            case Saying(octets):
                self.output[start:] = octets
            case Drip(octets, seconds):
                del self.output[start:]
                for octet in octets:
                    await self.flush()
                    await asyncio.sleep(seconds)
                    self.output.append(octet)

    def reset(self) -> None:
        """Gone: what the client sends now is answered by its own machine's or ours, and not politely."""
        linger_not = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self.writer.transport.abort()

    # Octets

    async def line(self) -> bytes:
        """The next line, without its end."""
        return (await self.until(b"\r\n"))[:-2]

    async def dotted(self) -> bytes:
        """A message up to its lone dot, dots undone. Only CRLF.CRLF ends it."""
        if bytes(self.input[:3]) != b".\r\n":
            while len(self.input) < 3:
                await self.more()
        if self.input.startswith(b".\r\n"):
            del self.input[:3]
            return b""
        octets = await self.until(b"\r\n.\r\n")
        lines = octets[:-3].split(b"\r\n")
        return b"\r\n".join(line.removeprefix(b".") for line in lines)

    async def until(self, end: bytes) -> bytes:
        """What comes up to `end`."""
        while (at := self.input.find(end)) < 0:
            await self.more()
        return self.cut(at + len(end))

    async def exactly(self, size: int) -> bytes:
        """So many octets."""
        while len(self.input) < size:
            await self.more()
        return self.cut(size)

    def cut(self, size: int) -> bytes:
        """Take octets from the input."""
        octets = bytes(self.input[:size])
        del self.input[:size]
        return octets

    async def more(self) -> None:
        """Say what is to be said, then wait for input."""
        await self.flush()
        octets = await self.reader.read(1 << 16)
        if not octets:
            raise _Gone
        self.server.reads += 1
        self.input += octets

    async def drop_input(self) -> None:
        """As a server does that empties its input before each reply."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.reader.read(1 << 16), 0.01)
        self.input.clear()

    def say(self, reply: str) -> None:
        """A reply, to be written together with those after it."""
        self.output += reply.encode("utf-8", "surrogateescape") + b"\r\n"

    async def flush(self) -> None:
        """Write what was said, in as many pieces as wanted."""
        octets, self.output = bytes(self.output), bytearray()
        size = self.server.pieces or len(octets)
        for start in range(0, len(octets), size or 1):
            self.writer.write(octets[start : start + size])
            await self.writer.drain()
            if self.server.pieces:
                await asyncio.sleep(0)


def _address(argument: str) -> str:
    """What stands in angle brackets after FROM: or TO:."""
    return argument.partition("<")[2].partition(">")[0]
