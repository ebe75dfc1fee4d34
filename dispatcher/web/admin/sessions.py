"""Sessions: a random cookie, of which the database keeps the SHA-256, and what follows from it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.model.access import Operator, Visit
from dispatcher.model.values import Role
from dispatcher.pipeline.context import Context
from dispatcher.store import Transaction, operators
from dispatcher.web.asking import Visitor, context_of
from dispatcher.web.pages import at

IDLE, LONGEST = timedelta(hours=12), timedelta(days=7)
NOTED = timedelta(minutes=5)  # how often we write down that a session goes on
_RANK = {Role.VIEWER: 0, Role.EDITOR: 1, Role.OWNER: 2}


@dataclass(frozen=True, slots=True)
class Signed:
    """Somebody who is signed in. `csrf` stands in every form of theirs and in nobody else's."""

    operator: Operator
    visit: Visit
    csrf: str

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        return f"operator:{self.operator.name}"

    def may(self, role: str) -> bool:
        """Whether they may do what this role may."""
        return _RANK[self.operator.role] >= _RANK[Role(role)]


async def current(request: Request, now: datetime) -> Signed | None:
    """Who is signed in, if anybody is."""
    ctx = context_of(request)
    token = request.cookies.get(cookie_name(ctx), "")
    if not token:
        return None
    async with ctx.store.read() as tx:
        found = await operators.visit(tx, _digest(token), now)
    if found is None:
        return None
    visit, operator = found
    if now - visit.seen_at >= NOTED:
        async with ctx.store.write() as tx:
            await operators.see(tx, visit.id or 0, now, _expiry(visit.created_at, now))
    return Signed(operator, visit, _csrf(ctx, visit))


async def begin(tx: Transaction, operator: Operator, visitor: Visitor, now: datetime) -> str:
    """Sign an operator in; returns the cookie's value, which is always a new one, so that none can be planted."""
    token = secrets.token_urlsafe(32)
    visit = Visit(
        operator_id=operator.id or 0,
        token_hash=_digest(token),
        ip=visitor.ip,
        user_agent=visitor.user_agent,
        created_at=now,
        seen_at=now,
        expires_at=_expiry(now, now),
    )
    await operators.begin_visit(tx, visit)
    return token


def keep_cookie(ctx: Context, response: Response, token: str) -> None:
    """Give the browser its cookie. `__Host-` binds it to this host and to https."""
    response.set_cookie(
        cookie_name(ctx), token, max_age=int(LONGEST.total_seconds()), path=_path(ctx), secure=_is_https(ctx),
        httponly=True, samesite="strict",
    )  # fmt: skip


def drop_cookie(ctx: Context, response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(cookie_name(ctx), path=_path(ctx), secure=_is_https(ctx), httponly=True, samesite="strict")


def cookie_name(ctx: Context) -> str:
    """The name of the cookie."""
    return "__Host-dispatcher" if _is_https(ctx) else "dispatcher"


def _is_https(ctx: Context) -> bool:
    return ctx.settings.web.public_url.startswith("https://")


def _path(ctx: Context) -> str:
    return "/" if _is_https(ctx) else at(ctx, "/admin")


def _expiry(created_at: datetime, now: datetime) -> datetime:
    return min(created_at + LONGEST, now + IDLE)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _csrf(ctx: Context, visit: Visit) -> str:
    return hmac.new(ctx.site_key, f"admin form:{visit.token_hash}".encode(), hashlib.sha256).hexdigest()
