"""The preview page's server: on loopback, for whoever sits there, and for no page of anybody else's.

Readers' mails are shown, and a copy may be sent. So every request must name this machine as its host (another site's
name that leads here is refused), and to send takes the page's own token and origin.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator
from importlib import resources
from typing import TypeVar
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher import clock
from dispatcher.config.addresses import mailbox
from dispatcher.errors import DispatcherError
from dispatcher.model.values import Outcome, OutcomeKind
from dispatcher.pipeline.studio import Asked, Shown, Studio
from dispatcher.web.guard import HEADERS
from dispatcher.web.preview.page import Offer, page
from dispatcher.web.preview.query import Query
from dispatcher.web.viewer.frame import framed, policy
from dispatcher.web.viewer.mail import Mail, read
from dispatcher.web.viewer.panes import View

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
FOUND = 50  # readers that are offered
KEPT = 20  # mails that are kept for their frames, and outcomes for the page that asks
_FIRST = Query()
Key = TypeVar("Key")
Value = TypeVar("Value")
_ROOMS = {"viewer.css": "viewer", "preview.css": "preview", "preview.js": "preview"}
_SAID = {OutcomeKind.ACCEPTED: "Sent", OutcomeKind.DEFERRED: "Not now", OutcomeKind.REJECTED: "Refused",
         OutcomeKind.UNCERTAIN: "Nobody knows whether it was sent"}  # fmt: skip


class Pages:
    """The pages over a studio. Copies go to `to` unless another address is given; `first` is what is shown first."""

    def __init__(self, studio: Studio, to: str = "", first: Query = _FIRST) -> None:
        self._studio, self._to, self._first = studio, to, first
        self._token = secrets.token_urlsafe()
        self._mails: dict[Asked, Mail] = {}
        self._told: dict[str, str] = {}

    def app(self) -> ASGIApp:
        """The site."""
        routes = [
            Route("/", self._page),
            Route("/body", self._body),
            Route("/mail.eml", self._source),
            Route("/readers", self._readers),
            Route("/events", self._events),
            Route("/send", self._send, methods=["POST"]),
            *(Route(f"/{name}", _asset) for name in _ROOMS),
        ]
        return _Door(Starlette(routes=routes))

    async def _page(self, request: Request) -> Response:
        query = Query.of(request.query_params) if request.query_params else self._first
        version = self._studio.version
        shown, mail = await self._look(query.asked)
        told = self._told.get(request.query_params.get("told", ""), "")
        offer = Offer(await self._studio.readers(query.reader, FOUND), self._studio.locales, self._studio.newsletters)
        html = page(query, shown, mail, offer, version=version, token=self._token, to=self._to, told=told)
        return HTMLResponse(html)

    async def _look(self, asked: Asked) -> tuple[Shown, Mail | None]:
        """What there is to see now; its frames are served from what is kept here."""
        shown = await self._studio.show(asked)
        if shown.preview is None:
            return shown, None
        mail = read(shown.preview.raw, number=1, recipient=shown.preview.envelope.recipient, at=clock.now())
        _keep(self._mails, asked, mail)
        return shown, mail

    async def _mail(self, request: Request) -> Mail:
        asked = Query.of(request.query_params).asked
        mail = self._mails.get(asked) or (await self._look(asked))[1]
        if mail is None:
            raise HTTPException(404, "There is nothing to show.")
        return mail

    async def _body(self, request: Request) -> Response:
        view = Query.of(request.query_params).view
        html = framed(await self._mail(request), dark=view is View.DARK)
        return HTMLResponse(html, headers={"Content-Security-Policy": policy(shows_pictures=view is not View.PLAIN)})

    async def _source(self, request: Request) -> Response:
        mail = await self._mail(request)
        headers = {"Content-Disposition": 'attachment; filename="preview.eml"'}
        return Response(mail.raw, media_type="message/rfc822", headers=headers)

    async def _readers(self, request: Request) -> Response:
        start = Query.of({"reader": request.query_params.get("start", "")}).reader
        return JSONResponse(await self._studio.readers(start, FOUND))

    async def _events(self, request: Request) -> Response:
        """Server-sent events (HTML Living Standard §9.2): the version, now and whenever it changes."""

        async def stream() -> AsyncIterator[str]:
            seen: int | None = -1
            while seen is not None:
                seen = await self._studio.news(seen)
                if seen is not None:
                    yield f"data: {seen}\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def _send(self, request: Request) -> Response:
        if request.headers.get("origin", "") != f"http://{request.headers['host']}":
            raise HTTPException(403, "This form is not of this page.")
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if not hmac.compare_digest(form.get("token", "").encode(), self._token.encode()):
            raise HTTPException(403, "This form is not of a page that is open now. Go back, and load it again.")
        query, number = Query.of(form), secrets.token_hex(8)
        _keep(self._told, number, await self._sent(query.asked, form.get("to", "")))
        return RedirectResponse(query.path("/", told=number), 303)

    async def _sent(self, asked: Asked, to: str) -> str:
        """What became of a copy, in words."""
        try:
            self._to = mailbox(to.strip()).address
            return _words(await self._studio.send(asked, self._to), self._to)
        except (DispatcherError, ValueError) as error:
            return f"Not sent: {error}"


class _Door:
    """Lets in who asks for this machine by its own name, and says on every answer what a browser may do with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        app = self._app if scope["type"] != "http" or _is_ours(scope) else _STRANGE
        await app(scope, receive, sealed)


def _is_ours(scope: Scope) -> bool:
    try:
        return urlsplit(f"http://{Headers(scope=scope).get('host', '')}").hostname in _HOSTS
    except ValueError:
        return False


_HOSTS = ("127.0.0.1", "localhost", "::1")
_STRANGE = PlainTextResponse("This page is for this machine only.", 421)
_HEADERS = {**HEADERS, "Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
"""Without any referrer a browser would not tell the origin of a form."""


async def _asset(request: Request) -> Response:
    name = request.url.path.removeprefix("/")
    text = (resources.files(f"dispatcher.web.{_ROOMS[name]}") / name).read_text("utf-8")
    return Response(text, media_type="text/css" if name.endswith(".css") else "text/javascript")


def _words(outcome: Outcome, to: str) -> str:
    code = " ".join(filter(None, (str(outcome.code or ""), outcome.enhanced, outcome.text)))
    relay = f" by {outcome.relay}" if outcome.relay else ""
    return f"{_SAID[outcome.kind]} to {to}{relay}: {code}" if code else f"{_SAID[outcome.kind]} to {to}{relay}."


def _keep(kept: dict[Key, Value], key: Key, value: Value) -> None:
    """Keep the latest few."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > KEPT:
        del kept[next(iter(kept))]
