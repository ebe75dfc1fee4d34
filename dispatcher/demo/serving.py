"""A small web server on loopback, for as long as a `with` block lasts."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from aiohttp import web

HOST = "127.0.0.1"
NEXT = 10  # ports that are tried one after the other


@asynccontextmanager
async def serving(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serve an app; gives its URL. A port that is taken gives way to one of the next, or to any; 0 is any."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _listen(runner, [*range(port, min(port + NEXT, 65536)), 0] if port else [0])
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def free_port(first: int) -> int:
    """A port nobody listens on: `first` or one of the next, or any."""
    for port in [*range(first, min(first + NEXT, 65536)), 0]:
        with suppress(OSError), socket.create_server((HOST, port)) as found:
            return int(found.getsockname()[1])
    raise OSError("there is no free port")


async def _listen(runner: web.AppRunner, ports: Sequence[int]) -> None:
    first, *others = ports
    try:
        await web.TCPSite(runner, HOST, first).start()
    except OSError:
        if not others:
            raise
        await _listen(runner, others)
