"""The inbox in the browser: a list that refreshes itself, and each mail as HTML, text, headers and source.

No scripts, no resources from elsewhere; a mail's HTML is shown in a frame that may run nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib import resources
from urllib.parse import quote

from aiohttp import web

from dispatcher.demo.mailbox import Mail, Mailbox

REFRESH = 3  # seconds
VIEWS = {"html": "HTML", "text": "Text", "headers": "Headers", "raw": "Source"}
PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'"
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; sandbox allow-popups"


class Inbox:
    """The pages over a mailbox. `hint` is a line beneath the title."""

    def __init__(self, mailbox: Mailbox, hint: str = "") -> None:
        self._mailbox, self._hint = mailbox, hint

    def app(self) -> web.Application:
        """The site."""
        app = web.Application()
        app.router.add_get("/", self._list)
        app.router.add_get("/inbox.css", self._style)
        app.router.add_get(r"/mails/{number:\d+}", self._mail)
        app.router.add_get(r"/mails/{number:\d+}/body", self._body)
        app.router.add_get(r"/mails/{number:\d+}.eml", self._source)
        return app

    async def _list(self, request: web.Request) -> web.Response:
        chosen = request.query.get("to", "")
        mails = [mail for mail in self._mailbox.mails if chosen in ("", mail.recipient)]
        readers = sorted({mail.recipient for mail in self._mailbox.mails})
        return self._page("Inbox", _readers(readers, chosen) + _rows(mails), refresh=True)

    async def _mail(self, request: web.Request) -> web.Response:
        mail = self._find(request)
        chosen = request.query.get("view", "html")
        if chosen not in VIEWS:
            raise web.HTTPNotFound
        links = "".join(
            f'<a href="/mails/{mail.number}?view={view}"{_current(view == chosen)}>{label}</a>'
            for view, label in VIEWS.items()
        )
        content = (
            f'<p><a href="/">← all mails</a></p><h2>{escape(mail.subject)}</h2>'
            f'<p class="facts">to {escape(mail.recipient)} from {escape(str(mail.message["From"]))}, '
            f"{mail.at:%H:%M:%S} UTC, {len(mail.raw):,} bytes</p>"
            f'<nav class="views" aria-label="Views">{links}'
            f'<a href="/mails/{mail.number}.eml" download>Download</a></nav>'
            f"{_view(mail, chosen)}"
        )
        return self._page(mail.subject, content)

    async def _body(self, request: web.Request) -> web.Response:
        mail = self._find(request)
        answer = web.Response(text=mail.body("html") or "<p>This mail has no HTML part.</p>", content_type="text/html")
        return _guarded(answer, MAIL_POLICY)

    async def _source(self, request: web.Request) -> web.Response:
        mail = self._find(request)
        return _guarded(web.Response(body=mail.raw, content_type="message/rfc822"), PAGE_POLICY)

    async def _style(self, request: web.Request) -> web.Response:
        css = (resources.files("dispatcher.demo") / "inbox.css").read_text("utf-8")
        return _guarded(web.Response(text=css, content_type="text/css"), PAGE_POLICY)

    def _find(self, request: web.Request) -> Mail:
        mail = self._mailbox.find(int(request.match_info["number"]))
        if mail is None:
            raise web.HTTPNotFound(text="This mail is no longer kept.")
        return mail

    def _page(self, title: str, content: str, *, refresh: bool = False) -> web.Response:
        again = f'<meta http-equiv="refresh" content="{REFRESH}">' if refresh else ""
        html = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
            '<link rel="stylesheet" href="/inbox.css"></head><body>'
            f'<header><h1><a href="/">Inbox</a></h1><p>{escape(self._hint)}</p></header>'
            f"<main>{content}</main></body></html>"
        )
        return _guarded(web.Response(text=html, content_type="text/html"), PAGE_POLICY)


def _guarded(answer: web.Response, policy: str) -> web.Response:
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _current(is_current: bool) -> str:
    return ' aria-current="page"' if is_current else ""


def _readers(readers: Iterable[str], chosen: str) -> str:
    links = [f'<a href="/"{_current(not chosen)}>Everybody</a>']
    links += [f'<a href="/?to={quote(reader)}"{_current(reader == chosen)}>{escape(reader)}</a>' for reader in readers]
    return f'<nav class="readers" aria-label="Readers">{"".join(links)}</nav>'


def _rows(mails: Iterable[Mail]) -> str:
    rows = "".join(
        f'<li><a href="/mails/{mail.number}"><span class="to">{escape(mail.recipient)}</span>'
        f'<span class="subject">{escape(mail.subject)}</span><time class="at">{mail.at:%H:%M:%S}</time></a></li>'
        for mail in mails
    )
    return f'<ol class="mails">{rows}</ol>' if rows else '<p class="empty">No mail yet. It comes by itself.</p>'


def _view(mail: Mail, view: str) -> str:
    if view == "html":
        return f'<iframe src="/mails/{mail.number}/body" title="The mail" sandbox="allow-popups"></iframe>'
    if view == "headers":
        rows = "".join(
            f"<tr><th scope=row>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
            for name, value in mail.message.items()
        )
        return f"<table>{rows}</table>"
    text = mail.body("plain") if view == "text" else mail.raw.decode("utf-8", "replace")
    return f"<pre>{escape(text)}</pre>"
