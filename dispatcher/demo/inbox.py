"""The inbox in the browser: who got what, as it arrives, and each mail as HTML, text, headers and source.

Everything comes from here: no resource from elsewhere, and a mail's HTML is shown in a frame that may run nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from typing import TypeVar

from aiohttp import web

from dispatcher.demo import pages
from dispatcher.demo.mailbox import Mail, Mailbox
from dispatcher.demo.pages import Account, View

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Pictures from this machine only: a demo that fetched others would tell somebody that it runs.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http://127.0.0.1:* data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
ALIVE = 15.0  # seconds between two signs of life to a page that waits for mail
Answer = TypeVar("Answer", bound=web.StreamResponse)
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


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
        app.router.add_get("/{name:inbox\\.(css|js)}", self._asset)
        return app

    async def _list(self, request: web.Request) -> web.Response:
        return self._page(request, None, View.HTML)

    async def _mail(self, request: web.Request) -> web.Response:
        try:
            view = View(request.query.get("view", View.HTML))
        except ValueError:
            raise web.HTTPNotFound(text="There is no such view.") from None
        return self._page(request, self._find(request), view)

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
        """The mail's HTML as it is, but for one thing: its links open beside the inbox, not inside the frame."""
        html = self._find(request).html or "<p>This mail has no HTML part.</p>"
        head = _HEAD.search(html)
        cut = head.end() if head else 0
        html = f'{html[:cut]}<base target="_blank">{html[cut:]}'
        return _guarded(web.Response(text=html, content_type="text/html"), MAIL_POLICY)

    async def _source(self, request: web.Request) -> web.Response:
        mail = self._find(request)
        return _guarded(web.Response(body=mail.raw, content_type="message/rfc822"), PAGE_POLICY)

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        text = (resources.files("dispatcher.demo") / name).read_text("utf-8")
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


def _guarded(answer: Answer, policy: str) -> Answer:
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer
