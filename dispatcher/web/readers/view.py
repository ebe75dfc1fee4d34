"""/d/TOKEN: a mail as a page, for whoever has its link: readers, and those they forward it to."""

from __future__ import annotations

import re

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dispatcher import clock
from dispatcher.errors import TokenError
from dispatcher.pipeline import views
from dispatcher.pipeline.views import Standing, View
from dispatcher.store import outbox
from dispatcher.tokens import Purpose
from dispatcher.web.asking import context_of
from dispatcher.web.conditional import mark_of, unchanged, validators
from dispatcher.web.pages import page, version_of_pages, written
from dispatcher.web.readers.links import dead_link

router = APIRouter()

POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src https:; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""Of pages that are mails: their styles stand in their tags, and their pictures are elsewhere. Nothing runs."""

PRIVATE = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Cache-Control": "private, no-cache"}


@router.api_route("/d/{token}", methods=["GET", "HEAD"])
async def show(request: Request, token: str) -> Response:
    """The mail as it was sent, while it is kept; it says nothing about the reader whose mail it was."""
    ctx = context_of(request)
    try:
        digest_id = ctx.keyring.read(token, Purpose.VIEW, clock.now()).number(0)
    except TokenError:
        return await dead_link(request)
    async with ctx.store.read() as tx:
        standings = await views.look(ctx, tx, (await outbox.digests(tx, [digest_id])).values())
    if not standings:
        return await page(request, "web/gone.html.j2", status=410, headers=PRIVATE)
    (standing,) = standings
    mark = mark_of(standing.mark, version_of_pages(ctx))
    headers = {"Content-Security-Policy": POLICY, **PRIVATE, **validators(mark)}
    return unchanged(request, mark, None, headers) or _as_page(
        request, standing, await views.show(ctx, standing), headers
    )


def _as_page(request: Request, standing: Standing, view: View, headers: dict[str, str]) -> Response:
    """The mail's own HTML, below a note if something of it is missing."""
    if not view.left_out:
        return HTMLResponse(view.html, headers=headers)
    ctx, locale = context_of(request), standing.digest.locale
    head = written(ctx, "web/mail_head.html.j2", locale=locale, paper=None)
    bar = written(ctx, "web/mail_bar.html.j2", locale=locale, paper=None, left_out=view.left_out)
    return HTMLResponse(framed(view.html, head, bar), headers=headers)


def framed(html: str, head: str, top: str) -> str:
    """A mail's document with more at the end of its head, and at the top of its body."""
    html = _HEAD.sub(lambda found: head + found[0], html, count=1)
    framed_html, done = _BODY.subn(lambda found: found[0] + top, html, count=1)
    return framed_html if done else top + html


_HEAD = re.compile("</head>", re.IGNORECASE)
_BODY = re.compile("<body(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)
