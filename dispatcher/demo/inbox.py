"""The inbox in the browser: who got what, as it arrives, and each mail as HTML, text, headers and source.

Everything comes from here: no resource from elsewhere, and a mail's HTML is shown in a frame that may run nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from typing import TypeVar

from aiohttp import web

from dispatcher.demo import pages
from dispatcher.demo.mailbox import Mailbox
from dispatcher.demo.pages import Account
from dispatcher.web.viewer.frame import HERE, framed, policy
from dispatcher.web.viewer.mail import Mail
from dispatcher.web.viewer.panes import View

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ALIVE = 15.0  # seconds between two signs of life to a page that waits for mail
Answer = TypeVar("Answer", bound=web.StreamResponse)


class Inbox:
    """The pages over a mailbox. `accounts` are listed before they have mail; `hint` is a line beneath the title."""

    def __init__(self, mailbox: Mailbox, hint: str = "", accounts: Sequence[Account] = ()) -> None:
        self._mailbox, self._hint, self._accounts = mailbox, hint, accounts

    def app(self) -> web.Application:
        """The site."""
        app = web.Application()
        app.router.add_get("/", self._list)
        app.router.add_get(r"/mails/{number:\d{1,9}}", self._mail)
        app.router.add_get(r"/mails/{number:\d{1,9}}/body", self._body)
        app.router.add_get(r"/mails/{number:\d{1,9}}.eml", self._source)
        app.router.add_get("/events", self._events)
        app.router.add_get("/{name:(?:inbox|viewer)\\.(?:css|js)}", self._asset)
        return app

    async def _list(self, request: web.Request) -> web.Response:
        return self._page(request, None, View.HTML)

    async def _mail(self, request: web.Request) -> web.Response:
        return self._page(request, self._find(request), _view(request))

    def _page(self, request: web.Request, mail: Mail | None, view: View) -> web.Response:
        html = pages.page(
            list(self._mailbox.mails),
            accounts=self._accounts,
            hint=self._hint,
            chosen=request.query.get("to", ""),
            mail=mail,
            view=view,
        )
        return _guarded(web.Response(text=html, content_type="text/html"), PAGE_POLICY)

    async def _body(self, request: web.Request) -> web.Response:
        view = _view(request)
        html = framed(self._find(request), dark=view is View.DARK)
        rules = policy(HERE, shows_pictures=view is not View.PLAIN)
        return _guarded(web.Response(text=html, content_type="text/html"), rules)

    async def _source(self, request: web.Request) -> web.Response:
        mail = self._find(request)
        return _guarded(web.Response(body=mail.raw, content_type="message/rfc822"), PAGE_POLICY)

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        room = "dispatcher.web.viewer" if name.startswith("viewer") else "dispatcher.demo"
        if not (file := resources.files(room) / name).is_file():
            raise web.HTTPNotFound
        text = file.read_text("utf-8")
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return _guarded(web.Response(text=text, content_type=kind), PAGE_POLICY)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events (HTML Living Standard §9.2): one for every change of the mailbox, until the page goes."""
        stream = _guarded(web.StreamResponse(headers={"Content-Type": "text/event-stream"}), PAGE_POLICY)
        await stream.prepare(request)
        seen = -1  # the page may be older than this connection: the first event comes at once
        with suppress(ConnectionResetError):  # the page was closed
            while True:
                try:
                    seen = await asyncio.wait_for(self._mailbox.news(seen), ALIVE)
                    await stream.write(f"data: {seen}\n\n".encode())
                except TimeoutError:
                    await stream.write(b": still here\n\n")
        return stream

    def _find(self, request: web.Request) -> Mail:
        mail = self._mailbox.find(int(request.match_info["number"]))
        if mail is None:
            raise web.HTTPNotFound(text="This mail is no longer kept.")
        return mail


def _view(request: web.Request) -> View:
    try:
        return View(request.query.get("view", View.HTML))
    except ValueError:
        raise web.HTTPNotFound(text="There is no such view.") from None


def _guarded(answer: Answer, policy: str) -> Answer:
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer
