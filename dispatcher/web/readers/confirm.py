"""/c/TOKEN: what the link of a confirmation mail shows, and the button that does it. Opening it does nothing."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.digest.slots import Letterhead
from dispatcher.pipeline import confirmation, optin
from dispatcher.pipeline.confirmation import Found, State
from dispatcher.pipeline.optin import Proof
from dispatcher.web.asking import context_of, visitor_of
from dispatcher.web.pages import at, page
from dispatcher.web.readers import slips
from dispatcher.web.readers.fields import form_of
from dispatcher.web.readers.slips import Pace
from dispatcher.web.readers.subscribe import TOO_OFTEN, closed, is_open

router = APIRouter()
STATUS = {State.PENDING: 200, State.CONFIRMED: 200, State.UNKNOWN: 404, State.BARRED: 403}
GONE = 410


@router.get("/c/{token}")
async def show(request: Request, token: str) -> Response:
    """What will be confirmed, and a button."""
    return await _shown(request, await confirmation.look(context_of(request), token, clock.now()))


@router.post("/c/{token}")
async def take(request: Request, token: str) -> Response:
    """Confirm; or, of a link that has lapsed, mail another."""
    ctx, pace = context_of(request), Pace()
    sent = await form_of(request)
    if sent.get("do") == "again":
        return await _renewed(request, token, pace)
    found = await confirmation.look(ctx, token, clock.now())
    if found.state == State.PENDING and found.opt_in:
        found = await confirmation.confirm(
            ctx, token, _proof(request, found.opt_in.locale, _page_of(found)), clock.now()
        )
    return await _shown(request, found)


async def _renewed(request: Request, token: str, pace: Pace) -> Response:
    ctx, now = context_of(request), clock.now()
    found = await confirmation.look(ctx, token, now)
    if found.state != State.LAPSED or found.opt_in is None:
        return await _shown(request, found)
    if not is_open(ctx):
        return await closed(request)
    if not await optin.renew(ctx, found.opt_in, _proof(request, found.opt_in.locale, _page_of(found)), now):
        raise HTTPException(429, headers=TOO_OFTEN)
    await pace.wait()
    locale, email = found.opt_in.locale, found.opt_in.address
    return await page(request, "web/sent.html.j2", locale=locale, address=email, is_lost=False)


async def _shown(request: Request, found: Found) -> Response:
    ctx = context_of(request)
    locale = found.opt_in.locale if found.opt_in else ""
    way = at(ctx, f"/p/{ctx.keyring.sign(found.way.purpose, *found.way.claims)}") if found.way else ""
    return await page(
        request,
        "web/confirmed.html.j2" if found.state == State.CONFIRMED else "web/confirm.html.j2",
        status=STATUS.get(found.state, GONE),
        locale=locale,
        state=found.state.value,
        choices=found.choices,
        labels=found.labels,
        site=Letterhead.of(ctx.letter(found.opt_in.newsletter_id if found.opt_in else None)),
        wording=slips.wording(ctx, locale or visitor_of(request).locale, _page_of(found)),
        way=way,
    )


def _page_of(found: Found) -> str:
    return found.choices.newsletter if found.choices else ""


def _proof(request: Request, locale: str, newsletter: str) -> Proof:
    ctx, visitor = context_of(request), visitor_of(request)
    source = f"{ctx.settings.web.public_url}/c/"  # without the token: a proof must not open anything
    return Proof(slips.wording(ctx, locale, newsletter), source, visitor.ip, visitor.network, visitor.user_agent)
