"""The guard at the door: who asks, how often, how much, how slowly; and what every answer says about itself."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.shelf import Shelf
from dispatcher.web.asking import KEY, Asked, address_of, network_of
from dispatcher.web.limits import Limiter
from dispatcher.web.problems import problem

FORM_LIMIT, API_LIMIT = 100_000, 2_000_000  # octets of a body
DRAINED = 5_000_000  # octets of a refused body that we let pass by
BODY_WITHIN = 15.0  # seconds in which a body must have arrived
API_SHARE = 10  # programs may ask so many times more often than people
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
"""On every answer that says nothing else. No referrer and no store, because addresses hold tokens."""


class Guard:
    """ASGI middleware around the app."""

    def __init__(self, app: ASGIApp, ctx: Context) -> None:
        self._app, self._ctx, self._shelf = app, ctx, Shelf(ctx.store)
        per_minute = ctx.settings.web.requests_per_minute
        self._people, self._programs = Limiter(per_minute), Limiter(per_minute * API_SHARE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] != "http":
            return
        settings = self._ctx.settings.web
        ip = address_of(scope, settings.trusted_proxies)
        scope = {**scope, KEY: Asked(self._ctx, ip, self._shelf)} | _without_prefix(
            scope, urlsplit(settings.public_url).path
        )
        sealed = _sealed(send, is_https=settings.public_url.startswith("https://"))
        refusal = self._refusal(scope, ip)
        if refusal is not None:
            await _drain(receive)
            await refusal(scope, receive, sealed)
            return
        await self._app(scope, _Body(receive, _limit(scope)).receive, sealed)

    def _refusal(self, scope: Scope, ip: str) -> Response | None:
        if _declared_length(scope) > _limit(scope):
            return _plain(scope, 413, "This is more than we read.")
        if _is_free(scope):
            return None
        limiter = self._programs if _is_api(scope) else self._people
        wait = limiter.take(network_of(ip))
        return _plain(scope, 429, "Too many requests: please wait a moment.", wait) if wait else None


async def _drain(receive: Receive) -> None:
    """Let a refused body arrive, up to a point: who is cut off in the middle of sending never reads the answer."""
    left = DRAINED
    with suppress(TimeoutError):
        async with asyncio.timeout(BODY_WITHIN):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


class _Body:
    """Counts what arrives, and does not wait for ever for it: HTTPException 413, 408."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit
        self._until = asyncio.get_running_loop().time() + BODY_WITHIN
        self._is_complete = False

    async def receive(self) -> Message:
        if self._is_complete:
            return await self._receive()  # waits for the disconnect, as long as the answer takes
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "The request took too long to arrive.", {"Connection": "close"}) from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, "This is more than we read.", {"Connection": "close"})
        self._is_complete = not message.get("more_body", False)
        return message


def _without_prefix(scope: Scope, prefix: str) -> dict[str, str]:
    """The path without the prefix of `[web] url`, whether a proxy in front has cut it off or not."""
    prefix, path = prefix.rstrip("/"), scope["path"]
    return {"path": path[len(prefix) :] or "/"} if prefix and (path == prefix or path.startswith(f"{prefix}/")) else {}


def _sealed(send: Send, *, is_https: bool) -> Send:
    async def sealed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if is_https:
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        await send(message)

    return sealed


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            with suppress(ValueError):
                return int(value)
    return 0


def _is_api(scope: Scope) -> bool:
    return str(scope["path"]).startswith("/api/")


def _is_free(scope: Scope) -> bool:
    """What is never counted: mail providers post everybody's departures from a few networks, and must be let in."""
    path = str(scope["path"])
    is_departure = scope["method"] == "POST" and path.startswith("/u/") and path.count("/") == 2
    return is_departure or path.startswith(("/static/", "/health"))


def _limit(scope: Scope) -> int:
    return API_LIMIT if _is_api(scope) else FORM_LIMIT


def _plain(scope: Scope, status: int, reason: str, wait: float = 0) -> Response:
    headers = {"Retry-After": str(math.ceil(wait))} if wait else {}
    if status == 413:
        headers["Connection"] = "close"
    return (problem if _is_api(scope) else PlainTextResponse)(reason, status, headers)
