"""The one guarded HTTP client: every hop checked by the address really connected to, every answer bounded.

Whatever a server does comes back as a value: a `Response` or a `Failure` in words.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from dispatcher import clock
from dispatcher.sources.addresses import refusal
from dispatcher.sources.decoding import DecodingError, decode
from dispatcher.sources.retry_after import parse_retry_after

MAX_HOPS = 5
MAX_REPLY = 65_536  # octets of the answer to a POST that are read
POST_TIMEOUT = 15.0  # seconds
_REDIRECTS = {301, 302, 303, 307, 308}
_FEEDS = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9"
_ACCEPT = f"{_FEEDS}, application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered: 200 with a decoded body, or 304 with an empty one. Header names are lower-case."""

    status: int
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source could not be read, in words. Permanent: asking again will not help (410, an unusable URL)."""

    reason: str
    is_permanent: bool = False
    retry_after: timedelta | None = None
    status: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said to a POST: its status, or 0 without an answer; why it did not take it, if it did not."""

    status: int
    reason: str = ""
    retry_after: timedelta | None = None


class Fetcher:
    """A polite, suspicious HTTP client; use as `async with Fetcher(user_agent) as fetcher`.

    Two connection pools, so that a connection opened for a source with `allow_private` is never reused by another.
    Cookies are not kept and proxies from the environment not used.
    """

    def __init__(
        self,
        user_agent: str,
        timeout: float = 30,
        connect_timeout: float = 10,
        max_bytes: int = 5_000_000,
        max_decoded: int = 20_000_000,
        max_ratio: int = 100,
        ports: frozenset[int] = frozenset({80, 443}),
    ) -> None:
        self._headers = {"User-Agent": user_agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self._max_bytes, self._max_decoded, self._max_ratio = max_bytes, max_decoded, max_ratio
        self._ports = ports
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()

    async def get(
        self,
        url: str,
        *,
        etag: str = "",
        last_modified: str = "",
        allow_private: bool = False,
        steps: list[str] | None = None,
    ) -> Response | Failure:
        """Fetch `url`, conditionally when validators are given (RFC 9110 §13.1). Never raises for what a server does.

        `allow_private` opens loopback and private hosts, and every port, for this request and its redirects alone.
        `steps` is told what is asked and answered, in words.
        """
        validators = _validators(etag, last_modified)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow(url, validators, allow_private, [] if steps is None else steps)
        except TimeoutError as error:
            return Failure(str(error) or f"no complete answer within {self._timeout:g} seconds")
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            return Failure(_words(error))

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool = False) -> Reply:
        """POST `body`. Never raises for what a server does.

        Redirects are not followed: they would lead what is meant for one server to another. Of the answer only the
        beginning is read.
        """
        target = hop(url, ports=None if allow_private else self._ports)
        if isinstance(target, Failure):
            return Reply(0, target.reason)
        said = {"Accept": "*/*", "Accept-Encoding": "identity", **headers}
        try:
            async with asyncio.timeout(min(self._timeout, POST_TIMEOUT)):
                session = self._session(allow_private)
                async with session.post(target, data=body, headers=said, allow_redirects=False) as answer:
                    return _reply(answer, await _beginning(answer))
        except TimeoutError as error:
            return Reply(0, str(error) or f"no complete answer within {min(self._timeout, POST_TIMEOUT):g} seconds")
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            return Reply(0, _words(error))

    def _session(self, allow_private: bool) -> aiohttp.ClientSession:
        if allow_private not in self._sessions:
            self._sessions[allow_private] = self._opened(allow_private)
        return self._sessions[allow_private]

    def _opened(self, allow_private: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=_guarded_sockets(allow_private)),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            auto_decompress=False,
            trust_env=False,
        )

    async def _follow(
        self, address: str, validators: dict[str, str], allow_private: bool, steps: list[str]
    ) -> Response | Failure:
        ports = None if allow_private else self._ports
        url = hop(address, ports=ports)
        for _ in range(MAX_HOPS + 1):
            if isinstance(url, Failure):
                return url
            steps.append(f"asked for {url}")
            async with self._session(allow_private).get(url, headers=validators, allow_redirects=False) as answer:
                steps.append(_told(answer))
                if answer.status not in _REDIRECTS:
                    return await self._take(answer, is_conditional=bool(validators))
                url = hop(answer.headers.get("Location", ""), origin=url, ports=ports)
        return Failure(f"more than {MAX_HOPS} redirects; the last led to {url}")

    async def _take(self, answer: aiohttp.ClientResponse, *, is_conditional: bool) -> Response | Failure:
        if answer.status == 304 and is_conditional:
            return _response(answer, b"")
        if answer.status not in (200, 203):
            return _refused(answer)
        if (answer.content_length or 0) > self._max_bytes:
            return Failure(f"the answer is larger than {self._max_bytes:,} bytes", status=answer.status)
        try:
            body = await decode(
                self._wire(answer),
                answer.headers.get("Content-Encoding", ""),
                max_decoded=self._max_decoded,
                max_ratio=self._max_ratio,
            )
        except DecodingError as error:
            return Failure(str(error), status=answer.status)
        return _response(answer, body)

    async def _wire(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        taken = 0
        async for chunk in answer.content.iter_any():
            taken += len(chunk)
            if taken > self._max_bytes:
                raise DecodingError(f"the answer is larger than {self._max_bytes:,} bytes")
            yield chunk


def hop(address: str, *, origin: URL | None = None, ports: frozenset[int] | None = None) -> URL | Failure:
    """The URL to ask next, or why it must not be asked: scheme, userinfo, port, downgrade (standards W2, W6)."""
    where = f"redirected to {address[:200]!r}: " if origin is not None else ""
    try:
        url = origin.join(URL(address)) if origin is not None else URL(address.strip())
        problem = _problem(url, ports) if address else "redirected without saying where to"
    except ValueError as error:
        problem = f"not a usable URL ({error})"
    if not problem and origin is not None and origin.scheme == "https" and url.scheme == "http":
        problem = "will not go from https back to http"
    return Failure(where + problem, is_permanent=origin is None) if problem else url.with_fragment(None)


def _problem(url: URL, ports: frozenset[int] | None) -> str:
    if url.scheme not in ("http", "https"):
        return f"only http and https can be fetched, not {url.scheme or 'a bare path'}"
    if not url.host:
        return "the URL names no host"
    if url.user is not None or url.password is not None:
        return "a URL with a user name or password in it is not fetched"
    if ports is not None and url.port not in ports:
        return f"port {url.port} is not allowed; a source with allow_private = true may use any port"
    return ""


def _guarded_sockets(allow_private: bool) -> Any:
    """Sockets only for addresses that may be reached: the last look before connecting, behind any resolver."""

    def create(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, target = address
        if why := refusal(str(target[0]), allow_private=allow_private):
            raise PermissionError(f"refused to connect to {target[0]}: it is {why}")
        return socket.socket(family=family, type=kind, proto=protocol)

    return create


def _told(answer: aiohttp.ClientResponse) -> str:
    """An answer in a line: its status, and the headers that decide what becomes of it."""
    shown = ("Location", "Content-Type", "Content-Length", "Content-Encoding", "ETag", "Last-Modified", "Retry-After")
    said = [f"{name}: {_storable(answer.headers[name])[:200]}" for name in shown if name in answer.headers]
    return ", ".join([f"the server answered {answer.status}", *said])


def _validators(etag: str, last_modified: str) -> dict[str, str]:
    pairs = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in pairs.items() if value}


def _response(answer: aiohttp.ClientResponse, body: bytes) -> Response:
    headers = {name.lower(): _storable(value) for name, value in answer.headers.items()}
    etag, last_modified = (_validator(answer.headers.get(name, "")) for name in ("ETag", "Last-Modified"))
    return Response(answer.status, str(answer.url), headers, body, etag, last_modified)


def _storable(value: str) -> str:
    """Header bytes that are not UTF-8 arrive as surrogates, which no database and no later request can carry."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _validator(value: str) -> str:
    """A validator we can send back verbatim; one we cannot is worse than none."""
    return value if value.isascii() and value.isprintable() and len(value) <= 1000 else ""


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """What fits of an answer that nobody needs; one that goes on costs its connection."""
    start = b""
    async for chunk in answer.content.iter_any():
        start += chunk
        if len(start) > MAX_REPLY:
            answer.close()
            break
    return start[:MAX_REPLY]


def _reply(answer: aiohttp.ClientResponse, start: bytes) -> Reply:
    if 200 <= answer.status < 300:
        return Reply(answer.status)
    failure, said = _refused(answer), " ".join(start[:300].decode("utf-8", "replace").split())
    return Reply(answer.status, f"{failure.reason}: {said}" if said else failure.reason, failure.retry_after)


def _refused(answer: aiohttp.ClientResponse) -> Failure:
    try:
        words = f"the server answered {answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        words = f"the server answered {answer.status}"
    retry_after = parse_retry_after(answer.headers.get("Retry-After", ""), now=clock.now())
    return Failure(words, is_permanent=answer.status == 410, retry_after=retry_after, status=answer.status)


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host {error.host} cannot be found"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {error.host} cannot be trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "the server closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off in the middle"
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        return f"the server's answer is not HTTP: {error.message}"[:300]
    return str(error)[:300] or type(error).__name__
