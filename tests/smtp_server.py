"""A real SMTP server for tests: aiosmtpd on loopback, in a thread of its own, with a catalogue of misbehaviours.

    async with SmtpServer(script=in_turn("CONTENT", "451 4.3.0 later")) as server:
        ...                                   # a client in this process or in another one talks to server.port
        await server.wait_for(1)
        server.messages[0].data

A *script* is asked at every command. It answers None (behave), a reply to give instead ("450 4.2.1 later"; bytes, for
what is not text), or an Act:

    Act.DISCONNECT    close without a reply             Act.SILENCE    never answer
    Act.GARBAGE       answer what is no SMTP            Act.KEEP_AND_DISCONNECT   (CONTENT) keep the message, then close
    Then("421 4.3.2 closing", Act.DISCONNECT)           a reply, and then an act
    Slow(0.2)                                           behave, a little later

The commands are BANNER, EHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA (before 354), CONTENT (after the final dot), RSET,
QUIT. `stop()` closes every connection; `start()` listens on the same port again, and the messages stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

GARBAGE = b"\x00\xff HTTP/1.1 400 Bad Request\r\n\r\n"


class Act(Enum):
    """What a server may do besides replying."""

    DISCONNECT = auto()
    SILENCE = auto()
    GARBAGE = auto()
    KEEP_AND_DISCONNECT = auto()


@dataclass(frozen=True, slots=True)
class Then:
    """A reply followed by an act, such as 421 and the end of the connection."""

    reply: str
    act: Act


@dataclass(frozen=True, slots=True)
class Slow:
    """Behave, but only after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What the script is asked about. `argument` is the address for MAIL and RCPT, else the rest of the command."""

    command: str
    argument: str
    recipients: tuple[str, ...]
    connection: int


@dataclass(frozen=True, slots=True)
class Received:
    """One accepted message, dots undone, exactly as it came otherwise."""

    envelope_from: str
    recipients: tuple[str, ...]
    data: bytes
    at: datetime
    connection: int = 0
    tls: bool = False
    options: tuple[str, ...] = ()


Answer = str | bytes | Act | Then | Slow | None
Script = Callable[[Moment], Answer]


def always(command: str, answer: Answer) -> Script:
    """The same answer to every such command."""
    return lambda moment: answer if moment.command == command else None


def in_turn(command: str, *answers: Answer) -> Script:
    """One answer after the other to such commands, then good behaviour."""
    left = iter(answers)
    return lambda moment: next(left, None) if moment.command == command else None


def for_recipients(answers: Mapping[str, Answer], command: str = "RCPT") -> Script:
    """An answer per recipient, given at RCPT or at CONTENT."""

    def script(moment: Moment) -> Answer:
        if moment.command != command:
            return None
        asked = (moment.argument,) if command == "RCPT" else moment.recipients
        return next((answers[recipient] for recipient in asked if recipient in answers), None)

    return script


def together(*scripts: Script) -> Script:
    """The first answer that any of the scripts gives."""

    def script(moment: Moment) -> Answer:
        return next((answer for one in scripts if (answer := one(moment)) is not None), None)

    return script


class SmtpServer:
    """See the module. Usable with `with` and `async with`.

    `auth` are the users and passwords that AUTH accepts; `auth_in_clear` offers AUTH without TLS; `tls` makes it offer
    STARTTLS, or speak TLS at once with `implicit_tls`; `hide` leaves EHLO keywords out; `max_size` is what SIZE says.
    `commands` is every command line received, without the content, as (connection, line).
    """

    def __init__(
        self,
        *,
        script: Script | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        auth: Mapping[str, str] | None = None,
        auth_in_clear: bool = False,
        hide: tuple[str, ...] = (),
        max_size: int = 33_554_432,
    ) -> None:
        self.port = port
        self.host = "127.0.0.1"
        self.script = script
        self.tls, self.implicit_tls = tls, implicit_tls
        self.auth = dict(auth or {})
        self.auth_in_clear = auth_in_clear
        self.hide = tuple(word.upper() for word in hide)
        self.max_size = max_size
        self.messages: list[Received] = []
        self.commands: list[tuple[int, str]] = []
        self.connections = 0
        self._live: set[_Conversation] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; on the same port as before when started again."""
        ready = threading.Event()
        failure: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(ready, failure), name="smtp-server", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            raise failure[0]

    def stop(self) -> None:
        """Close the port and every connection, at once."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._thread = self._loop = None

    def disconnect_everybody(self) -> None:
        """Close every connection but keep listening, as a restarting server would."""
        assert self._loop is not None
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._abort_all)
        self._loop.call_soon_threadsafe(done.set)
        done.wait()

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._live)

    def to(self, recipient: str) -> list[Received]:
        """The messages one recipient got."""
        return [message for message in self.messages if recipient in message.recipients]

    async def wait_for(self, count: int, within: float = 10.0) -> list[Received]:
        """The messages, once there are at least `count`; TimeoutError if there never are."""
        await self.wait_until(lambda: len(self.messages) >= count, within)
        return self.messages

    async def wait_until(self, is_true: Callable[[], bool], within: float = 10.0) -> None:
        """Wait for something that the server's thread will bring about."""
        async with asyncio.timeout(within):
            while not is_true():  # noqa: ASYNC110 (the other side is a thread, it has no asyncio.Event to set)
                await asyncio.sleep(0.01)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _run(self, ready: threading.Event, failure: list[BaseException]) -> None:
        loop = self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda _loop, _context: None)  # conversations are cut short here, and that is fine
        try:
            listener = loop.run_until_complete(self._listen(loop))
        except BaseException as error:
            failure.append(error)
            ready.set()
            loop.close()
            return
        ready.set()
        loop.run_forever()
        listener.close()
        self._abort_all()
        loop.run_until_complete(_finish_tasks())
        loop.close()

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> asyncio.Server:
        at_once = self.tls if self.implicit_tls else None
        listener = await loop.create_server(lambda: _Conversation(self, loop), self.host, self.port, ssl=at_once)
        self.port = listener.sockets[0].getsockname()[1]
        return listener

    def _abort_all(self) -> None:
        for conversation in list(self._live):
            if conversation.transport is not None:
                conversation.transport.abort()  # type: ignore[attr-defined]


async def _finish_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Conversation(SMTP):
    """One client's connection: aiosmtpd, with the script asked first."""

    def __init__(self, server: SmtpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._test = server
        server.connections += 1
        self.number = server.connections
        self._greeted = False
        super().__init__(
            _Handler(server, self),
            loop=loop,
            hostname="relay.test",
            ident="ESMTP",
            enable_SMTPUTF8=True,
            data_size_limit=server.max_size,
            tls_context=None if server.implicit_tls else server.tls,
            auth_require_tls=not (server.implicit_tls or server.auth_in_clear),
            authenticator=self._check_login,
        )
        for command in ("EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "QUIT"):
            self._smtp_methods[command] = self._scripted(command, self._smtp_methods[command])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the client in."""
        super().connection_made(transport)
        self._test._live.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Count the client out."""
        self._test._live.discard(self)
        with contextlib.suppress(AssertionError):
            super().connection_lost(error)

    def eof_received(self) -> bool:
        """A client that has left takes its conversation with it, whatever it was doing."""
        super().eof_received()
        return False

    async def push(self, status: Any) -> None:
        """The first thing pushed is the banner."""
        if not self._greeted:
            self._greeted = True
            answer = self.ask("BANNER", "")
            if answer is not None and not await self.perform(answer):
                return
        await super().push(status)

    def ask(self, command: str, argument: str) -> Answer:
        """The script's answer for this moment."""
        if self._test.script is None:
            return None
        recipients = tuple(self.envelope.rcpt_tos) if self.envelope else ()
        return self._test.script(Moment(command, argument, recipients, self.number))

    async def perform(self, answer: Answer) -> bool:
        """Do what the script says; True when the usual behaviour is to follow."""
        match answer:
            case Slow(seconds):
                await asyncio.sleep(seconds)
                return True
            case str() | bytes():
                await super().push(answer.encode() if isinstance(answer, str) else answer)
            case Then(reply, act):
                await super().push(reply)
                await self.perform(act)
            case Act.SILENCE:
                await asyncio.sleep(3600)
            case Act.GARBAGE:
                self._writer.write(GARBAGE)
                await self._writer.drain()
            case Act.DISCONNECT | Act.KEEP_AND_DISCONNECT:
                self._writer.close()
                raise asyncio.CancelledError  # how aiosmtpd ends a conversation
        return False

    def _scripted(self, command: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def scripted(argument: str | None) -> None:
            self._test.commands.append((self.number, f"{command} {argument or ''}".strip()))
            answer = self.ask(command, _address(argument or "") if command in ("MAIL", "RCPT") else argument or "")
            if answer is None or await self.perform(answer):
                await method(argument)

        # aiosmtpd's HELP looks for these.
        for name in ("__smtp_syntax__", "__smtp_syntax_extended__", "__smtp_syntax_when__"):
            if hasattr(method, name):
                setattr(scripted, name, getattr(method, name))
        return scripted

    def _check_login(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, login: Any) -> AuthResult:
        assert isinstance(login, LoginPassword)
        is_right = self._test.auth.get(login.login.decode()) == login.password.decode()
        return AuthResult(success=is_right, handled=False)


class _Handler:
    """aiosmtpd's hooks."""

    def __init__(self, server: SmtpServer, conversation: _Conversation) -> None:
        self._test = server
        self._conversation = conversation

    async def handle_EHLO(  # noqa: N802 (the hook's name)
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Leave out what is to be hidden, and AUTH where there is nobody to log in."""
        session.host_name = hostname
        hidden = self._test.hide if self._test.auth else (*self._test.hide, "AUTH")
        kept = [line for line in responses[1:] if line[4:].split()[0] not in hidden]
        lines = [responses[0], *kept]
        return [f"250{'-' if line is not lines[-1] else ' '}{line[4:]}" for line in lines]

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the message, unless the script refuses it."""
        answer = self._conversation.ask("CONTENT", "")
        if answer is Act.KEEP_AND_DISCONNECT:
            self._keep(session, envelope)
        elif isinstance(answer, str):
            if answer.startswith("2"):
                self._keep(session, envelope)
            return answer
        if answer is None or await self._conversation.perform(answer):
            self._keep(session, envelope)
            return "250 2.0.0 kept"
        raise asyncio.CancelledError

    def _keep(self, session: Session, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        self._test.messages.append(
            Received(
                envelope_from=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                data=bytes(content),
                at=datetime.now(UTC),
                connection=self._conversation.number,
                tls=session.ssl is not None or self._test.implicit_tls,
                options=tuple(envelope.mail_options),
            )
        )


def _address(argument: str) -> str:
    """What stands in angle brackets after FROM: or TO:."""
    return argument.partition("<")[2].rpartition(">")[0]
