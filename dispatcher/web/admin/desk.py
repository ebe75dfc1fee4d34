"""What every admin page has: its frame, its forms, and one way of changing things, which never forgets the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from dispatcher import clock
from dispatcher.model.access import Audit
from dispatcher.pipeline import audit
from dispatcher.store import Transaction, audits
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of, visitor_of
from dispatcher.web.pages import at, page

Noun = TypeVar("Noun")

HEADERS = {"Referrer-Policy": "same-origin"}
"""Forms tell their origin only where pages tell their referrer; nobody else ever gets it."""

HIGHEST = 2**31 - 1  # of the numbers that rows have
NEWS = timedelta(minutes=2)  # for how long a page repeats what was just done


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done, as the audit log has it, and the page to go on to."""

    action: str
    subject: str
    to: str
    detail: dict[str, Any] = field(default_factory=dict)


async def desk_page(
    request: Request, who: Signed, name: str, *, status: int = 200, headers: dict[str, str] | None = None, **known: Any
) -> HTMLResponse:
    """A page of ours: `templates/web/admin/NAME.html.j2`, in English with 24 hours, in the site's zone."""
    path = str(request.scope["path"])
    known |= {"me": who, "csrf": who.csrf, "here": path, "said": await _said(request, who)}
    ctx = context_of(request)
    known |= {
        "has_newsletters": len(ctx.newsletters) > 1,
        "newsletter_of": lambda topic: ctx.letter(topic.newsletter_id).name,
    }
    return await page(
        request, f"web/admin/{name}.html.j2", status=status, locale="en-GB", headers=HEADERS | (headers or {}), **known
    )


async def acting(
    request: Request, who: Signed, work: Callable[[Transaction, datetime], Awaitable[Done]]
) -> RedirectResponse:
    """Change something and log it, in one transaction; then on to the page that shows it."""
    ctx, now = context_of(request), clock.now()
    async with ctx.store.write() as tx:
        done = await work(tx, now)
        number = await audit.note(
            tx, who.actor, done.action, done.subject, now, ip=visitor_of(request).ip, **done.detail
        )
    mark = "&" if "?" in done.to else "?"
    return RedirectResponse(at(ctx, f"{done.to}{mark}said={number}"), 303)


async def texts(request: Request, *names: str) -> dict[str, str]:
    """Fields of a form as plain text; what is missing is empty."""
    form = await request.form()
    found = {name: form.get(name, "") for name in names}
    return {name: plain(value) if isinstance(value, str) else "" for name, value in found.items()}


def plain(text: str) -> str:
    """Text as a database takes it: PostgreSQL knows no NUL."""
    return text.replace("\0", "").strip()


async def numbers(request: Request, name: str) -> list[int]:
    """The ticked boxes of a form."""
    form = await request.form()
    given = [row_number(value) for value in form.getlist(name) if isinstance(value, str)]
    return [number for number in given if number is not None]


def row_number(text: str) -> int | None:
    """The number that a text writes, if a row can have it."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST))
    return int(text) if is_number and int(text) <= HIGHEST else None


def number_in_path(request: Request) -> int:
    """The number that a path names. HTTPException 404 if it cannot be one."""
    return known_or_404(row_number(str(request.path_params["number"])))


def known_or_404(found: Noun | None) -> Noun:
    """What was looked for, or HTTPException 404."""
    if found is None:
        raise HTTPException(404)
    return found


async def _said(request: Request, who: Signed) -> Audit | None:
    """What this operator has just done, if the address names it: never words that an address brings along."""
    number = row_number(request.query_params.get("said", ""))
    if number is None:
        return None
    async with context_of(request).store.read() as tx:
        found = await audits.get(tx, number)
    is_theirs = found is not None and found.actor == who.actor and clock.now() - found.at < NEWS
    return found if is_theirs else None
