"""/u/TOKEN, to leave with one click or to get less instead, and /r/TOKEN, to take a departure back.

A POST to /u/TOKEN ends everything, whatever it carries: its body is not even read (RFC 8058 §3.1, §3.2). So what else
the page offers is sent elsewhere. GET and HEAD only ever show.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dispatcher import clock
from dispatcher.digest.slots import Letterhead
from dispatcher.errors import TokenError
from dispatcher.pipeline import departure
from dispatcher.pipeline.belonging import is_itself
from dispatcher.pipeline.departure import Standing
from dispatcher.pipeline.enrolment import EVERY
from dispatcher.pipeline.less import Instead, Less
from dispatcher.pipeline.links import leaving
from dispatcher.web.asking import context_of
from dispatcher.web.pages import page
from dispatcher.web.readers.fields import form_of
from dispatcher.web.readers.links import dead_link, masked, path_of, proof_of

router = APIRouter()

LONGEST_PAUSE = 366  # days
PAUSES = (7, 30, 90)
FEW = 5
"""Topics that get a button each; more stand in a list."""


@router.api_route("/u/{token}", methods=["GET", "HEAD"])
async def show(request: Request, token: str) -> Response:
    """Who would leave what, and what else could be done."""
    try:
        found = await departure.look(context_of(request), token, clock.now())
    except TokenError:
        return await dead_link(request)
    return await _page(request, "web/unsubscribe.html.j2", found, token=token)


@router.post("/u/{token}")
async def leave(request: Request, token: str) -> Response:
    """Leave. Programs get a line, people a page that can take it back; 200 for everybody whose link is ours."""
    try:
        found = await departure.leave_by_token(
            context_of(request), token, clock.now(), proof_of(request, "/u"), is_person="page" in request.query_params
        )
    except TokenError:
        return await dead_link(request)
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("unsubscribed\n")
    undo = path_of(context_of(request), found.undo) if found.undo else ""
    return await _page(request, "web/unsubscribed.html.j2", found, undo=undo)


@router.post("/u/{token}/instead")
async def stay(request: Request, token: str) -> Response:
    """Get less rather than nothing."""
    instead = _instead(str((await form_of(request)).get("do", "")))
    try:
        found = await departure.stay(context_of(request), token, clock.now(), instead)
    except TokenError:
        return await dead_link(request)
    return await _page(request, "web/stayed.html.j2", found, is_back=False)


@router.post("/r/{token}")
async def undo(request: Request, token: str) -> Response:
    """Take a departure back, in full or in part."""
    instead = _instead(str((await form_of(request)).get("do", "")))
    try:
        found = await departure.undo(
            context_of(request), token, clock.now(), proof_of(request, "undo", is_page=False), instead
        )
    except TokenError:
        return await dead_link(request, may_have_lapsed=True)
    return await _page(request, "web/stayed.html.j2", found, is_back=True)


def _instead(text: str) -> Instead:
    """What a button says: "but-12", "weekly", "monthly", "pause-30"; anything else asks for no less."""
    match text.split("-"):
        case ["weekly"]:
            return Instead(less=Less.WEEKLY)
        case ["monthly"]:
            return Instead(less=Less.MONTHLY)
        case ["but", number] if re.fullmatch("[0-9]{1,12}", number):
            return Instead(but=int(number))
        case ["pause", days] if re.fullmatch("[0-9]{1,3}", days):
            return Instead(pause=min(int(days), LONGEST_PAUSE))
        case _:
            return Instead()


async def _page(request: Request, name: str, found: Standing, **known: Any) -> Response:
    """A page about a reader, in their language and zone. Somebody we forgot looks like somebody who has left."""
    ctx, reader = context_of(request), found.reader if found.is_here or known.get("undo") else None
    return await page(
        request,
        name,
        locale=reader.locale if reader else "",
        timezone=reader.timezone if reader else "",
        reader=reader,
        address=masked(reader.email) if reader else "",
        site=Letterhead.of(ctx.letter(found.newsletter_id)),
        others=found.others if reader else (),
        every=path_of(ctx, leaving(reader.id or 0, EVERY)) if reader and found.others else "",
        topics=found.topics,
        only_written=bool(found.topics) and all(map(is_itself, found.topics)),
        few=FEW,
        pauses=() if found.others else PAUSES,
        way=path_of(ctx, found.way) if found.way else "",
        **known,
    )
