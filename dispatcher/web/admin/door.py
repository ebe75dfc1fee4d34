"""The door: nobody sees a page without a session and the role for it, and nothing is changed by a form not ours."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dispatcher import clock
from dispatcher.errors import DispatcherError
from dispatcher.model.values import Role
from dispatcher.web.admin.desk import desk_page
from dispatcher.web.admin.sessions import Signed, current
from dispatcher.web.asking import context_of
from dispatcher.web.pages import at

Page = Callable[[Request, Signed], Awaitable[Response]]


def behind(role: Role, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page that only those with a role get to see."""

    async def endpoint(request: Request) -> Response:
        who = await current(request, clock.now())
        if who is None:
            return _to_sign_in(request)
        if not who.may(role):
            words = f"That takes the role of {role.value}; you are {who.operator.role.value}. An owner can change it."
            return await refusal(request, who, 403, words)
        if request.method == "POST" and not await _is_their_form(request, who):
            return await refusal(request, who, 403, "This form has lapsed or was not ours. Go back, and send it again.")
        try:
            return await page(request, who)
        except DispatcherError as error:
            return await refusal(request, who, 409, str(error))

    return endpoint


async def refusal(request: Request, who: Signed, status: int, words: str) -> Response:
    """A page that says why something was not done."""
    return await desk_page(request, who, "refused", status=status, words=words)


def comes_from_us(request: Request) -> bool:
    """Whether a browser says that a form was sent from a page of ours. Programs that say nothing are no browsers.

    Where the page with the form sends no referrer, Origin is "null", and Sec-Fetch-Site alone tells.
    """
    site, origin = request.headers.get("sec-fetch-site", ""), request.headers.get("origin", "")
    if site and site != "same-origin":
        return False
    ours = {request.headers.get("host", ""), urlsplit(context_of(request).settings.web.public_url).netloc}
    return origin in ("", "null") or urlsplit(origin).netloc in ours - {""}


async def _is_their_form(request: Request, who: Signed) -> bool:
    form = await request.form()
    given = form.get("csrf")
    return isinstance(given, str) and hmac.compare_digest(given.encode(), who.csrf.encode()) and comes_from_us(request)


def _to_sign_in(request: Request) -> Response:
    """To the form, and back here afterwards, if this is a page one can come back to."""
    if request.method not in ("GET", "HEAD", "POST"):
        raise HTTPException(405)
    path = request.scope["path"] if request.method != "POST" else "/admin"
    return RedirectResponse(at(context_of(request), f"/admin/sign-in?next={quote(path)}"), 303)
