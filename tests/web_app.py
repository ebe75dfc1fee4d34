"""The web room on a free loopback port, and a browser without JavaScript, cookies or patience in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from dispatcher.pipeline.context import Context
from dispatcher.web import server


@dataclass(frozen=True)
class Got:
    """An answer, read whole."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


class Client:
    """Asks one site; follows no redirect, keeps no cookie unless it is sent by hand."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def get(self, path: str, **more: object) -> Got:
        """GET a path of the site."""
        return await self.ask("GET", path, **more)

    async def post(self, path: str, data: object = None, **more: object) -> Got:
        """POST a form (a mapping or FormData) or bytes to a path of the site."""
        return await self.ask("POST", path, data=data, **more)

    async def ask(self, method: str, path: str, **more: object) -> Got:
        """Any request."""
        path = path.removeprefix(self.url)
        async with self.session.request(method, self.url + path, allow_redirects=False, **more) as answer:  # type: ignore[arg-type]
            return Got(answer.status, await answer.text(), {k.lower(): v for k, v in answer.headers.items()})


@asynccontextmanager
async def serving(ctx: Context) -> AsyncIterator[Client]:
    """The whole web app of a context behind a real server, and a client for it."""
    jar = aiohttp.DummyCookieJar()
    async with server.serving(ctx, "127.0.0.1:0") as url, aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Client(session, url)
