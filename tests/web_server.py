"""A small real HTTP server on loopback, with the misbehaviours of the web.

`async with WebServer() as web:` then `web.url("/feed.xml")`. What it serves is set by path: `web.pages["/feed.xml"] =
Page(body=…)`; `web.requests` keeps every request it saw. Behaviours that HTTP libraries do not let one have (a reset,
a body that drips) are paths of a raw socket server beside it: `web.raw(bytes)`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import md5
from typing import Self

from aiohttp import web


@dataclass
class Page:
    """What a path answers. With `has_validators`, ETag and Last-Modified are sent and honoured."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/xml"
    headers: dict[str, str] = field(default_factory=dict)
    has_validators: bool = False

    @property
    def etag(self) -> str:
        """A validator that changes with the body."""
        return f'"{md5(self.body, usedforsecurity=False).hexdigest()}"'


class WebServer:
    """An aiohttp server on a free loopback port."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[web.BaseRequest] = []
        self.port = 0
        self._raw: list[asyncio.Server] = []
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._answer))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._raw:
            server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, path: str = "/feed.xml") -> str:
        """The address of a path on this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def raw(self, behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> str:
        """The address of a server that does with each connection what `behave` says, after the request was read."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                await behave(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._raw.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/feed.xml"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        page = self.pages.get(request.path)
        if page is None:
            return web.Response(status=404)
        headers = {"Content-Type": page.content_type, **page.headers}
        if page.has_validators:
            headers |= {"ETag": page.etag, "Last-Modified": "Sun, 22 Nov 2026 08:00:00 GMT"}
            if request.headers.get("If-None-Match") == page.etag:
                return web.Response(status=304, headers=headers)
        return web.Response(status=page.status, body=page.body, headers=headers)


def saying(answer: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A raw behaviour: write these bytes and close."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return behave


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A raw behaviour: a TCP reset instead of an answer."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A raw behaviour: an honest header, then one byte every so often, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A raw behaviour: a body without end, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
    while True:
        writer.write(b"<item/>" * 10_000)
        await writer.drain()
