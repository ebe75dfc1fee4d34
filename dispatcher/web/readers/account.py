"""/v/TOKEN, good for an hour and mailed on request: have one's data, move to another address, be erased.
/a/TOKEN, mailed to that other address: confirm it. GET only ever shows."""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.errors import TokenError
from dispatcher.pipeline import account, relocation
from dispatcher.pipeline.account import Holder
from dispatcher.pipeline.dossier import dossier
from dispatcher.pipeline.links import preferring
from dispatcher.tokens import Purpose
from dispatcher.web.asking import context_of
from dispatcher.web.pages import at, page
from dispatcher.web.readers.fields import form_of
from dispatcher.web.readers.links import dead_link, moved_link, path_of, proof_of

router = APIRouter()

RETRY_AFTER = "3600"  # seconds: the limit of a network is by the hour
LONGEST_ADDRESS = 254  # characters, RFC 5321 §4.5.3.1.3 without the brackets


@router.api_route("/v/{token}", methods=["GET", "HEAD"])
async def show(request: Request, token: str) -> Response:
    """What can be done with a fresh link."""
    return await _shown(request, token, "web/account.html.j2")


@router.api_route("/v/{token}/erase", methods=["GET", "HEAD"])
async def ask_again(request: Request, token: str) -> Response:
    """Whether somebody is sure: it cannot be taken back."""
    return await _shown(request, token, "web/erase.html.j2")


@router.post("/v/{token}/erase")
async def erase(request: Request, token: str) -> Response:
    """Forget everything but the hash that keeps us from writing again. All links are dead afterwards, this one too."""
    try:
        is_done = await account.erase(context_of(request), token, clock.now(), proof_of(request, "/v"))
    except TokenError:
        return await dead_link(request, may_have_lapsed=True)
    return await page(request, "web/erased.html.j2") if is_done else await moved_link(request)


@router.post("/v/{token}/export")
async def export(request: Request, token: str) -> Response:
    """Everything we know of the link's holder, as a file."""
    ctx, now = context_of(request), clock.now()
    try:
        async with ctx.store.read() as tx:
            found = await account.holder(ctx, tx, token, Purpose.VERIFY, now)
            if found is None:
                return await moved_link(request)
            known = await dossier(ctx, tx, found.reader, now)
    except TokenError:
        return await dead_link(request, may_have_lapsed=True)
    name = f"{ctx.newsletter.slug}-{now:%Y-%m-%d}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(json.dumps(known, ensure_ascii=False, indent=2), 200, headers, "application/json")


@router.post("/v/{token}/address")
async def change_address(request: Request, token: str) -> Response:
    """Take a new address. Whoever reads there, and whether anybody may be written to there, is not told."""
    ctx, now = context_of(request), clock.now()
    written = str((await form_of(request)).get("email", "")).strip()
    address = relocation.checked(written) if len(written) <= LONGEST_ADDRESS else ""
    try:
        async with ctx.store.write() as tx:
            found = await account.holder(ctx, tx, token, Purpose.VERIFY, now, lock=True)
            if found is None or not found.is_here:
                return await moved_link(request)
            is_new = bool(address) and address != found.endpoint.address
            if is_new and not await relocation.ask(ctx, tx, found, address, proof_of(request, "/v"), now):
                raise HTTPException(429, headers={"Retry-After": RETRY_AFTER})
    except TokenError:
        return await dead_link(request, may_have_lapsed=True)
    if not is_new:
        return await _page(
            request, "web/account.html.j2", token, found, status=422, email=written, is_same=bool(address)
        )
    return await _page(request, "web/address_sent.html.j2", token, found, email=address)


@router.api_route("/a/{token}", methods=["GET", "HEAD"])
async def show_address(request: Request, token: str) -> Response:
    """Which address would be used from now on."""
    ctx = context_of(request)
    try:
        async with ctx.store.read() as tx:
            found = await relocation.look(ctx, tx, token, clock.now())
    except TokenError:
        return await dead_link(request, may_have_lapsed=True)
    return await _moving(request, token, found)


@router.post("/a/{token}")
async def confirm_address(request: Request, token: str) -> Response:
    """Use it from now on; a second time says the same."""
    try:
        found = await relocation.confirm(context_of(request), token, proof_of(request, "/a"), clock.now())
    except TokenError:
        return await dead_link(request, may_have_lapsed=True)
    return await _moving(request, token, found, is_now=True)


async def _moving(request: Request, token: str, found: relocation.Move | None, *, is_now: bool = False) -> Response:
    if found is None:
        return await page(request, "web/address_gone.html.j2", status=410)
    return await page(
        request,
        "web/address.html.j2",
        locale=found.reader.locale,
        timezone=found.reader.timezone,
        email=found.opt_in.address,
        is_done=found.is_done or is_now,
        path=at(context_of(request), f"/a/{token}"),
    )


async def _shown(request: Request, token: str, name: str) -> Response:
    ctx = context_of(request)
    try:
        async with ctx.store.read() as tx:
            found = await account.holder(ctx, tx, token, Purpose.VERIFY, clock.now())
    except TokenError:
        return await dead_link(request, may_have_lapsed=True)
    return await _page(request, name, token, found) if found else await moved_link(request)


async def _page(
    request: Request, name: str, token: str, found: Holder, *, status: int = 200, email: str = "", is_same: bool = False
) -> Response:
    ctx = context_of(request)
    return await page(
        request,
        name,
        status=status,
        locale=found.reader.locale,
        timezone=found.reader.timezone,
        address=found.endpoint.address,
        is_here=found.is_here,
        path=at(ctx, f"/v/{token}"),
        preferences=path_of(ctx, preferring(found.reader.id or 0, found.endpoint.id or 0)),
        email=email,
        is_wrong=status == 422,
        is_same=is_same,
    )
