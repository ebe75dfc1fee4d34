"""/lost: the link to what a reader gets, mailed once more. Whether anybody reads at that address is not told."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.config.addresses import reader_email
from dispatcher.pipeline import optin
from dispatcher.pipeline.entries import address
from dispatcher.web.asking import context_of, visitor_of
from dispatcher.web.pages import page
from dispatcher.web.readers.fields import cleaned, form_of
from dispatcher.web.readers.slips import Pace
from dispatcher.web.readers.subscribe import TOO_OFTEN

router = APIRouter()


@router.get("/lost")
async def show(request: Request) -> Response:
    """The form."""
    return await page(request, "web/lost.html.j2", email="", is_faulty=False)


@router.post("/lost")
async def take(request: Request) -> Response:
    """The same answer whoever reads at that address."""
    ctx, pace = context_of(request), Pace()
    sent = await form_of(request)
    email = cleaned(str(sent.get("email", "")))
    if not _is_address(email):
        return await page(request, "web/lost.html.j2", status=422, email=email, is_faulty=True)
    is_robot = bool(sent.get("website"))
    if not is_robot and not await optin.lost(ctx, address(email), visitor_of(request).network, clock.now()):
        raise HTTPException(429, headers=TOO_OFTEN)
    await pace.wait()
    return await page(request, "web/sent.html.j2", address=email, is_lost=True)


def _is_address(text: str) -> bool:
    try:
        return bool(reader_email(text))
    except ValueError:
        return False
