"""A program that is told things: a real HTTP server on loopback that keeps every POST and answers by a script.

`async with HookServer() as hooks:` then `hooks.url("/shop")`; `hooks.script["/shop"]` holds answers used up in order:
a status, a Said, or something to wait for first. Without one it answers 204.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class Said:
    """An answer. `after` is waited for before it is given; with `hangs_up` there is none."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: asyncio.Event | None = None
    hangs_up: bool = False


@dataclass(frozen=True)
class Told:
    """One POST as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        """What it says."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """The event's id, as the header has it."""
        return self.headers["webhook-id"]


class HookServer:
    """An aiohttp server on a free loopback port."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.script: dict[str, list[int | Said]] = defaultdict(list)
        self._arrived = asyncio.Condition()
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def url(self, path: str) -> str:
        """The address of a path on this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Told]:
        """What one path was told."""
        return [told for told in self.told if told.path == path]

    async def wait_for(self, count: int, path: str = "") -> None:
        """Return when so many POSTs have come, to one path or to any."""
        async with self._arrived:
            await asyncio.wait_for(
                self._arrived.wait_for(lambda: len(self.at(path) if path else self.told) >= count), 30
            )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert request.method == "POST"
        told = Told(request.path, headers, await request.read())
        async with self._arrived:
            self.told.append(told)
            self._arrived.notify_all()
        waiting = self.script[request.path]
        said = waiting.pop(0) if waiting else Said()
        said = Said(said) if isinstance(said, int) else said
        if said.after is not None:
            await said.after.wait()
        if said.hangs_up:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=said.status, headers=said.headers, body=said.body)
