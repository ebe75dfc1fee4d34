"""The opening of a conversation with a relay, over aiosmtplib: connect, greet, secure, log in.

Then the open transport is handed over to a protocol of ours that carries the mail: an Outcome depends on how far a
transaction had come, and a reply counts only if it stands where it belongs.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import aiosmtplib
from aiosmtplib import SMTPHeloError, SMTPResponseException

from dispatcher.delivery.commands import Offers
from dispatcher.delivery.outcomes import Stage, classify
from dispatcher.delivery.relay import Encryption, Relay
from dispatcher.delivery.trouble import FAILURES, words_for
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FAREWELL_TIMEOUT = 5.0
TLS_NOT_AVAILABLE = 454
METHOD_UNKNOWN = frozenset({500, 502, 504})


class _StoppedError(Exception):
    """The conversation cannot go on; carries the Outcome. Never leaves this module."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Connection:
    """A conversation up to where mail may be sent. After anything unexpected it is closed and never used again."""

    def __init__(self, relay: Relay, tls_context: ssl.SSLContext) -> None:
        self._relay = relay
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
    def offers(self) -> Offers:
        """What the relay offered after the last EHLO."""
        return dict(self._client.esmtp_extensions)

    async def open(self, helo: str) -> Outcome | None:
        """Connect, secure and log in, greeting as `helo` or, when empty, as our bare address. None, or the failure."""
        try:
            with self._at(Stage.CONNECT):
                await self._client.connect()
            await self._greet(helo)
            await self._secure(helo)
            await self._log_in()
            if not self._client.is_connected:  # it has greeted us, and hung up
                raise self._stop(words_for(ConnectionError(), Stage.EHLO, self._relay))
        except _StoppedError as stopped:
            self.abort()
            return stopped.outcome
        except BaseException:
            self.abort()
            raise
        return None

    def hand_over_to(self, protocol: asyncio.BaseProtocol) -> asyncio.Transport:
        """Give the open transport to a protocol that goes on by itself. Only `abort` is of use here after that."""
        transport = cast(asyncio.Transport, self._client.transport)
        transport.pause_reading()  # uvloop decides how to read for whom when it begins to
        transport.set_protocol(protocol)
        transport.resume_reading()
        return transport

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

    # From what happened to an Outcome

    @contextmanager
    def _at(self, stage: Stage) -> Iterator[None]:
        """Whatever fails inside failed at `stage`."""
        try:
            yield
        except SMTPResponseException as error:
            # A positive reply of the wrong sort is no reply to this, and -1 is what the library calls that.
            code = error.code if error.code >= 400 else -1
            raise _StoppedError(classify(code, "", error.message, stage=stage)) from error
        except FAILURES as error:
            raise self._stop(words_for(error, stage, self._relay)) from error

    def _stop(self, text: str) -> _StoppedError:
        return _StoppedError(Outcome(OutcomeKind.DEFERRED, text=text, blame=Blame.RELAY))
