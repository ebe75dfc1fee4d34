"""Signing in, by password or by a link that works once; signing out; and the browsers one is signed in with."""

from __future__ import annotations

import asyncio
import math
import re
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dispatcher import clock
from dispatcher.errors import TokenError
from dispatcher.model.access import Operator
from dispatcher.observability.logs import logger
from dispatcher.pipeline import audit, passwords
from dispatcher.pipeline import operators as people
from dispatcher.store import Transaction, operators
from dispatcher.web.admin.desk import HEADERS, Done, acting, desk_page, number_in_path, texts
from dispatcher.web.admin.door import comes_from_us
from dispatcher.web.admin.sessions import Signed, begin, current, drop_cookie, keep_cookie
from dispatcher.web.asking import context_of, visitor_of
from dispatcher.web.limits import Limiter
from dispatcher.web.pages import at, page

log = logger("admin")

PER_MINUTE, AT_FIRST = 4, 10  # tries of one network, and of one name
_NEXT = re.compile(r"/admin(?:/[A-Za-z0-9-]+)*")


class Attempts:
    """How often somebody may try, and how many passwords are checked at a time."""

    def __init__(self) -> None:
        self.networks, self.names = Limiter(PER_MINUTE, AT_FIRST), Limiter(PER_MINUTE, AT_FIRST)
        self.turn = asyncio.Semaphore(passwords.AT_ONCE)


async def form(request: Request) -> Response:
    """The form; without any operator, which command makes one; for whoever is signed in, the way on."""
    ctx = context_of(request)
    if await current(request, clock.now()) is not None:
        return RedirectResponse(at(ctx, _next(request.query_params.get("next", ""))), 303)
    async with ctx.store.read() as tx:
        if not await operators.exist(tx):
            return await _page(request, "nobody")
    return await _page(request, "sign-in", onward=_next(request.query_params.get("next", "")), typed="", error="")


async def sign_in(request: Request) -> Response:
    """Check a name and a password. What is wrong with them is not said."""
    given = await texts(request, "name", "next")
    name, onward = given["name"].lower()[:64], _next(given["next"])
    if not comes_from_us(request):
        return await _again(request, 403, name, onward, "This form was sent from another site. Send it from here.")
    attempts: Attempts = request.app.state.attempts
    visitor = visitor_of(request)
    if wait := max(attempts.networks.take(visitor.network), attempts.names.take(name)):
        words = "Too many tries. Wait a minute, or use a link from `dispatcher operators link`."
        return await _again(request, 429, name, onward, words, {"Retry-After": str(math.ceil(wait))})
    secret = (await request.form()).get("password", "")
    async with context_of(request).store.read() as tx:
        operator = await operators.by_name(tx, name)
    stored = operator.password if operator and operator.is_active else ""
    is_right = await passwords.matches(secret if isinstance(secret, str) else "", stored, attempts.turn)
    if operator is None or not is_right:
        log.warning("a sign-in failed", network=visitor.network)
        return await _again(request, 401, name, onward, "This name and password do not go together.")
    return await _enter(request, operator, onward, "sign in")


async def link(request: Request) -> Response:
    """What a sign-in link opens: a button. Whatever only looks at links, as scanners do, changes nothing."""
    ctx = context_of(request)
    try:
        async with ctx.store.read() as tx:
            operator = await people.by_link(ctx, tx, request.path_params["token"], clock.now(), use=False)
    except TokenError as error:
        return await _lapsed(request, error)
    return await _page(request, "link", operator=operator)


async def use_link(request: Request) -> Response:
    """Sign in by a link, and use it up."""
    ctx = context_of(request)
    if not comes_from_us(request):
        return await _lapsed(request, TokenError("this form was sent from another site"))
    try:
        async with ctx.store.write() as tx:
            operator = await people.by_link(ctx, tx, request.path_params["token"], clock.now(), use=True)
    except TokenError as error:
        return await _lapsed(request, error)
    return await _enter(request, operator, "/admin", "sign in by link")


async def sign_out(request: Request, who: Signed) -> Response:
    """End this session."""
    ctx, now = context_of(request), clock.now()
    async with ctx.store.write() as tx:
        await operators.end_visit(tx, who.visit.operator_id, who.visit.id or 0)
        await audit.note(tx, who.actor, "sign out", who.operator.name, now, ip=visitor_of(request).ip)
    response = RedirectResponse(at(ctx, "/admin/sign-in"), 303)
    drop_cookie(ctx, response)
    return response


async def sessions(request: Request, who: Signed) -> Response:
    """The browsers that one is signed in with."""
    async with context_of(request).store.read() as tx:
        visits = await operators.visits(tx, who.visit.operator_id, clock.now())
    return await desk_page(request, who, "sessions", visits=visits)


async def end_session(request: Request, who: Signed) -> Response:
    """End one of one's own sessions."""
    number = number_in_path(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        if not await operators.end_visit(tx, who.visit.operator_id, number):
            raise HTTPException(404)
        return Done("end session", who.operator.name, "/admin/sessions")

    return await acting(request, who, work)


async def end_other_sessions(request: Request, who: Signed) -> Response:
    """End all of one's own sessions but this."""

    async def work(tx: Transaction, now: datetime) -> Done:
        count = await operators.end_visits(tx, who.visit.operator_id, but=who.visit.id or 0)
        return Done("end other sessions", who.operator.name, "/admin/sessions", {"sessions": count})

    return await acting(request, who, work)


async def _enter(request: Request, operator: Operator, onward: str, action: str) -> Response:
    """A new session, and away from the form. The one that was open in this browser, if any, ends."""
    ctx, now, visitor = context_of(request), clock.now(), visitor_of(request)
    before = await current(request, now)
    async with ctx.store.write() as tx:
        if before is not None:
            await operators.end_visit(tx, before.visit.operator_id, before.visit.id or 0)
        token = await begin(tx, operator, visitor, now)
        await audit.note(tx, f"operator:{operator.name}", action, operator.name, now, ip=visitor.ip)
    response = RedirectResponse(at(ctx, onward), 303)
    keep_cookie(ctx, response, token)
    return response


async def _again(
    request: Request, status: int, name: str, onward: str, error: str, headers: dict[str, str] | None = None
) -> Response:
    return await _page(request, "sign-in", status=status, headers=headers, onward=onward, typed=name, error=error)


async def _lapsed(request: Request, error: TokenError) -> Response:
    return await _page(request, "lapsed", status=410, reason=str(error))


async def _page(
    request: Request, name: str, *, status: int = 200, headers: dict[str, str] | None = None, **known: Any
) -> Response:
    """A page for somebody who is not signed in. Its address may hold a token, which no referrer may carry."""
    said = ({} if "token" in request.path_params else HEADERS) | (headers or {})
    return await page(request, f"web/admin/{name}.html.j2", status=status, locale="en-GB", headers=said, **known)


def _next(text: str) -> str:
    """Where to go on to: a page of ours, never another site."""
    return text if _NEXT.fullmatch(text) else "/admin"
