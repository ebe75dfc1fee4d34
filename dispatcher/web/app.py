"""The app: every part in its place, and the pages for what goes wrong."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context
from dispatcher.web.admin import routes as admin
from dispatcher.web.api import PREFIX as API
from dispatcher.web.api import api
from dispatcher.web.api import refused as api_refused
from dispatcher.web.asking import context_of
from dispatcher.web.guard import Guard
from dispatcher.web.pages import STATIC, at, page
from dispatcher.web.readers import (
    account,
    archive,
    confirm,
    embed,
    feeds,
    lost,
    preferences,
    subscribe,
    unsubscribe,
    view,
)

log = logger("web")


def build(ctx: Context) -> ASGIApp:
    """Everything we serve, behind the guard."""
    # a redirect would be to whatever host the visitor names
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_api_route("/", home, methods=["GET"])
    app.add_api_route("/health", health, methods=["GET"])
    admin.include(app)
    app.mount("/static", _Static(directory=STATIC))
    app.mount(API, api())
    for part in (subscribe, confirm, lost, embed, unsubscribe, preferences, account, view, feeds, archive):
        app.include_router(part.router)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, failed)
    return Guard(app, ctx)


async def home(request: Request) -> Response:
    """The front door leads to the form."""
    return RedirectResponse(at(context_of(request), "/subscribe"), 303)


async def health(request: Request) -> Response:
    """Whether we are there and the database answers."""
    async with context_of(request).store.read():
        return JSONResponse({"status": "ok"})


async def refused(request: Request, error: Exception) -> Response:
    """What is not there or not allowed, in words."""
    if f"{request.url.path}/".startswith(f"{API}/"):  # where a path cannot be routed at all: it has a line break
        return await api_refused(request, error)
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return await page(request, "web/error.html.j2", status=status, headers=headers, status_code=status)


async def gone(request: Request, error: Exception) -> Response:
    """They hung up before they had finished: nobody is there to be told."""
    return Response(status_code=400)


async def failed(request: Request, error: Exception) -> Response:
    """A mistake of ours: logged in full, told without any of it."""
    log.error("a page failed", path=request.url.path.split("/")[1], exc_info=error)
    return await page(request, "web/error.html.j2", status=500, status_code=500)


class _Static(StaticFiles):
    """Files that never change under one address: the address holds their version."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """As Starlette makes it, but kept by browsers."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
