"""The API for programs, under /api/v1: bearer tokens with scopes, JSON in and out, problem documents for refusals.

request ─▶ routes.Route ─▶ auth      whose token, which scope          before anything is read
                │
                ├─▶ schemas          what is sent, checked as config checks it
                ├─▶ articles … status   a module for each resource: asks `pipeline`, as the commands do
                ├─▶ idempotency      a POST that comes twice acts once
                └─▶ problems         every refusal, our own mistakes included, is one document (RFC 9457)
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from dispatcher.web.api import (
    articles,
    deliveries,
    digests,
    editions,
    newsletters,
    sending,
    status,
    subscribers,
    subscriptions,
    topics,
    trials,
)
from dispatcher.web.api.document import document
from dispatcher.web.api.problems import ProblemError, answer
from dispatcher.web.asking import context_of
from dispatcher.web.pages import at

PREFIX = "/api"
VERSION = "/v1"
RESOURCES = (
    articles, topics, newsletters, trials, subscribers, subscriptions, deliveries, digests, editions, sending, status,
)  # fmt: skip

__all__ = ["PREFIX", "api", "first", "refused"]


def api() -> ASGIApp:
    """The app to mount at `PREFIX`: what lies beside the version that there is gets a problem document too."""
    versions = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    versions.mount(VERSION, first())
    versions.add_exception_handler(HTTPException, refused)
    return versions


def first() -> FastAPI:
    """Version 1."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for resource in RESOURCES:
        app.include_router(resource.routes)
    app.add_api_route("/openapi.json", show_document, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(HTTPException, refused)
    return app


async def show_document(request: Request) -> Response:
    """The OpenAPI document, for anybody: it says nothing of what is kept here."""
    ctx = context_of(request)
    app: FastAPI = request.app
    root = ctx.settings.web.public_url or at(ctx, "")
    return JSONResponse(document(app, f"{root}{PREFIX}{VERSION}"))


async def refused(request: Request, error: Exception) -> Response:
    """What no route has taken: no such path, no such method."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = ", ".join(_methods(request.url.path.removeprefix(PREFIX + VERSION)))
        error = ProblemError(405, f"This address takes {allowed}.", headers={"Allow": allowed})
    return answer(request, error)


def _methods(path: str) -> list[str]:
    """All methods of a path (RFC 9110 §15.5.6); the framework knows those of one route only."""
    routes = [route for resource in RESOURCES for route in resource.routes.routes if isinstance(route, APIRoute)]
    found = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    return sorted(found) or ["GET"]
