"""One conversation with a relay, over aiosmtplib: connect, secure, log in; then MAIL, RCPT, DATA for each message.

Each command is driven by itself rather than through `sendmail`, because an Outcome depends on how far the conversation
had come, above all on whether the end of the message was handed over before it broke.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import aiosmtplib
from aiosmtplib import SMTPHeloError, SMTPResponseException

from dispatcher.delivery.commands import Announcement, Offers, announce
from dispatcher.delivery.envelope import Envelope
from dispatcher.delivery.line import Fate
from dispatcher.delivery.outcomes import Stage, classify, without_recipient
from dispatcher.delivery.relay import Encryption, Relay
from dispatcher.delivery.transport import Ready
from dispatcher.delivery.trouble import FAILURES, words_for
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FAREWELL_TIMEOUT = 5.0
GO_AHEAD = 354
SERVICE_CLOSING = 421
TLS_NOT_AVAILABLE = 454
METHOD_UNKNOWN = frozenset({500, 502, 504})


class _StoppedError(Exception):
    """The conversation cannot go on; carries the Outcome. Never leaves this module."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Connection:
    """One conversation. Used by one send at a time; after anything unexpected it is closed and never used again."""

    capacity = 1

    def __init__(self, relay: Relay, tls_context: ssl.SSLContext) -> None:
        self.transactions = 0
        self.stage = Stage.CONNECT
        self._relay = relay
        self._needs_reset = False
        self._recipient = ""
        self._client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            local_hostname=relay.helo or "localhost",  # set for good in `_greet`; without one it would ask the DNS
            timeout=relay.timeout,
            use_tls=relay.encryption is Encryption.FROM_THE_START,
            start_tls=False,
            tls_context=tls_context,
        )

    @property
    def is_open(self) -> bool:
        """Whether another message may be tried on it."""
        return self._client.is_connected

    @property
    def offers(self) -> Offers:
        """What the relay offered after the last EHLO; nothing once it is gone."""
        return dict(self._client.esmtp_extensions)

    @property
    def went_stale(self) -> bool:
        """Whether it broke between two messages, as when the server tires of waiting: no message's fault."""
        return not self.is_open and self.transactions > 1 and self.stage in (Stage.RSET, Stage.MAIL)

    async def open(self, helo: str) -> Outcome | None:
        """Connect, secure and log in, greeting as `helo` or, when empty, as our bare address. None, or the failure."""
        try:
            with self._at(Stage.CONNECT):
                await self._client.connect()
            await self._greet(helo)
            await self._secure(helo)
            await self._log_in()
        except _StoppedError as stopped:
            self.abort()
            return self._attributed(stopped.outcome)
        except BaseException:
            self.abort()
            raise
        return None

    def hand_over_to(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Give the open transport to a protocol that goes on by itself. Only `abort` is of use here after that."""
        transport = cast(asyncio.Transport, self._client.transport)
        transport.set_protocol(protocol)
        return transport

    async def send(self, envelope: Envelope, ready: Ready | None = None) -> Outcome | Fate | None:
        """One mail transaction. Nothing is awaited once the outcome is known, so that no cancellation can lose it."""
        if ready is not None and not await ready():
            return None
        self.transactions += 1
        self._recipient = envelope.recipient
        try:
            await self._announce(envelope)
            outcome = await self._hand_over(envelope.dotted)
        except _StoppedError as stopped:
            outcome = stopped.outcome
        except BaseException:
            self.abort()
            raise
        self._needs_reset = self._needs_reset and outcome.kind is not OutcomeKind.ACCEPTED
        return Fate.GIVEN_BACK if self.went_stale else self._attributed(outcome)

    async def quit(self) -> None:
        """Say goodbye, briefly, and close."""
        try:
            await self._client.quit(timeout=FAREWELL_TIMEOUT)
        except FAILURES:
            pass  # it is leaving anyway
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once. Closing politely would first send what is buffered: the rest of an abandoned message."""
        if self._client.transport is not None:
            cast(asyncio.WriteTransport, self._client.transport).abort()
        self._client.close()

    # Opening

    async def _greet(self, helo: str) -> None:
        """EHLO; an old server that does not know it gets HELO (RFC 5321 §3.2)."""
        with self._at(Stage.EHLO):
            self._client.local_hostname = helo or self._address_literal()
            try:
                await self._client.ehlo()
            except SMTPHeloError as error:
                if error.code < 500 or not self._client.is_connected:
                    raise
                await self._client.helo()

    def _address_literal(self) -> str:
        """Our own address in brackets, for a machine without a full name (RFC 5321 §4.1.3)."""
        address = str(self._client.get_transport_info("sockname")[0]).partition("%")[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    async def _secure(self, helo: str) -> None:
        """STARTTLS, where it is wanted; nothing learnt before it counts after it (RFC 3207 §4.2)."""
        wanted = self._relay.encryption
        if wanted not in (Encryption.STARTTLS, Encryption.WHEN_OFFERED):
            return
        with self._at(Stage.STARTTLS):
            if not self._client.supports_extension("starttls"):
                if wanted is Encryption.STARTTLS:
                    raise self._stop("the relay offers no STARTTLS, and it must not be used in clear")
                return
            try:
                await self._client.starttls()
            except SMTPResponseException as error:
                if wanted is Encryption.STARTTLS or not (error.code == TLS_NOT_AVAILABLE or 500 <= error.code < 600):
                    raise
                return  # offered, then refused: as good as not offered
        await self._greet(helo)

    async def _log_in(self) -> None:
        """AUTH by the first method both sides have. A wrong password is not tried again by another method."""
        if not self._relay.username:
            return
        client = self._client
        methods = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
        with self._at(Stage.AUTH):
            if client.get_transport_info("sslcontext") is None:
                raise self._stop("a password is never sent in clear")
            offered = [method for name, method in methods.items() if name in client.server_auth_methods]
            if not offered:
                raise self._stop("the relay offers no login by PLAIN, LOGIN or CRAM-MD5")
            for authenticate in offered:
                try:
                    await authenticate(self._relay.username, self._relay.password)
                    return
                except SMTPResponseException as error:
                    if error.code not in METHOD_UNKNOWN or authenticate is offered[-1]:
                        raise

    # One transaction

    async def _announce(self, envelope: Envelope) -> None:
        """RSET if the last message failed, then MAIL, RCPT and DATA, up to the relay's go-ahead."""
        if self._needs_reset:
            await self._command(Stage.RSET, b"RSET")
        announcement = self._announcement(envelope)
        self._needs_reset = True
        await self._command(Stage.MAIL, announcement.mail)
        await self._command(Stage.RCPT, announcement.rcpt)
        await self._command(Stage.DATA, b"DATA", positive=range(GO_AHEAD, GO_AHEAD + 1))

    def _announcement(self, envelope: Envelope) -> Announcement:
        self.stage = Stage.MAIL
        if not self.is_open:  # its extensions are forgotten by now, which must not look like a refusal
            raise self._stop(words_for(ConnectionError(), Stage.MAIL, self._relay))
        announcement = announce(envelope, self._client.esmtp_extensions, reports=self._relay.delivery_reports)
        if isinstance(announcement, Outcome):
            raise _StoppedError(announcement)
        return announcement

    async def _command(self, stage: Stage, command: bytes, *, positive: range = range(200, 300)) -> None:
        with self._at(stage):
            reply = await self._client.execute_command(command)
            if reply.code not in positive:
                # A positive reply of the wrong sort is out of step, and -1 is what the library calls that.
                raise SMTPResponseException(reply.code if reply.code >= 400 else -1, reply.message)

    async def _hand_over(self, dotted: bytes) -> Outcome:
        """Write the message and its end in one piece, and read the answer (RFC 5321 §4.1.1.4, §4.5.2)."""
        self.stage = Stage.CONTENT
        protocol, transport = self._client.protocol, cast(asyncio.WriteTransport, self._client.transport)
        kind = OutcomeKind.DEFERRED
        try:
            if protocol is None:
                raise ConnectionError
            protocol.write(dotted + b".\r\n")
            kind = OutcomeKind.UNCERTAIN
            reply = await protocol.read_response(timeout=self._relay.end_of_data_timeout)
        except FAILURES as error:
            # While its end is still in our own buffer, the relay cannot have the message.
            if transport is not None and transport.get_write_buffer_size() > 0:
                kind = OutcomeKind.DEFERRED
            self.abort()
            raise self._stop(words_for(error, self.stage, self._relay), kind) from error
        if transport.get_write_buffer_size() > 0:
            self.abort()  # answered before it had read everything: out of step from here on
            if reply.code < 400:
                raise self._stop("the relay accepted a message that it cannot have read")
        return self._answer(reply.code, reply.message)

    # From what happened to an Outcome

    @contextmanager
    def _at(self, stage: Stage) -> Iterator[None]:
        """Whatever fails inside failed at `stage`."""
        self.stage = stage
        try:
            yield
        except SMTPResponseException as error:
            raise _StoppedError(self._answer(error.code, error.message)) from error
        except FAILURES as error:
            self.abort()
            raise self._stop(words_for(error, stage, self._relay)) from error

    def _answer(self, code: int, text: str) -> Outcome:
        """Classify a reply; after "closing", a refused RSET, and what is no reply at all, nothing more can be said."""
        if code == SERVICE_CLOSING or self.stage is Stage.RSET or not 200 <= code < 600:
            self.abort()
        return classify(code, "", without_recipient(text, self._recipient), stage=self.stage)

    def _stop(self, text: str, kind: OutcomeKind = OutcomeKind.DEFERRED) -> _StoppedError:
        return _StoppedError(Outcome(kind, text=text, blame=Blame.RELAY))

    def _attributed(self, outcome: Outcome) -> Outcome:
        return replace(outcome, relay=self._relay.label)
