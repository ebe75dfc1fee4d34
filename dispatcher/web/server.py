"""Serving the app: uvicorn on our own socket, inside our own loop, with our own signals."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dispatcher.config.networks import listen_pair
from dispatcher.errors import ListenError
from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context
from dispatcher.web.app import build

log = logger("web")

HEAD_WITHIN = 10.0  # seconds in which the head of a request must have arrived
HEAD_LIMIT = 32_768  # octets of it
KEEP_ALIVE = 15  # seconds that an idle connection stays
GRACE = 5  # seconds that answers under way get when we stop


@asynccontextmanager
async def serving(ctx: Context, listen: str | None = None) -> AsyncIterator[str]:
    """Serve while the body runs; gives the URL we listen at. ListenError if that address cannot be had."""
    async with listening(build(ctx), ctx.settings.web.listen if listen is None else listen) as url:
        yield url


@asynccontextmanager
async def listening(app: ASGIApp, listen: str, key: str = "[web] listen") -> AsyncIterator[str]:
    """The same for any app. `key` is what the operator names the address by."""
    listener = _listener(listen, key)
    config = uvicorn.Config(
        app, http=PatientProtocol, ws="none", lifespan="off", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=GRACE,
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]), name="web")
    try:
        while not (server.started or task.done()):  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        yield _url(listener)
    finally:
        server.should_exit = True
        await task
        listener.close()


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that does not wait for ever for the head of a request, nor read one without end."""

    def connection_made(self, transport: Any) -> None:
        """Somebody is there: the clock runs."""
        super().connection_made(transport)
        self._taken = 0
        self._is_in_head = True
        self._patience = self.loop.call_later(HEAD_WITHIN, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Read on, unless this head is longer than any we know."""
        self._taken += len(data)
        super().data_received(data)
        if self._is_in_head and self._taken > HEAD_LIMIT:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Another request on the same connection: the clock runs again."""
        super().on_message_begin()
        if not self._is_in_head:
            self._is_in_head, self._taken = True, 0
            self._patience = self.loop.call_later(HEAD_WITHIN, self._give_up)

    def on_headers_complete(self) -> None:
        """The head is here; the body's time is the guard's business."""
        self._is_in_head = False
        self._patience.cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        self._patience.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self._is_in_head and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's business: it tells us when to stop."""
        yield


def _listener(listen: str, key: str) -> socket.socket:
    host, port = listen_pair(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol must be named: asyncio turns Nagle's delay off only where it is, and an answer is two writes
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
        return listener
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ListenError(f"{key} = {listen!r}: {reason}; choose another address or port") from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
