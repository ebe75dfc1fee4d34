"""The OpenAPI 3.1 document: every route with its scope and everything that it may answer, refusals included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

import dispatcher
from dispatcher.pipeline.access import PREFIX
from dispatcher.web.api.problems import Fault, Problem
from dispatcher.web.api.routes import SECURITY
from dispatcher.web.problems import MEDIA_TYPE

REFUSALS = {
    400: "It is not well formed.",
    401: "There is no token, or one that opens nothing.",
    403: "The token lacks the scope.",
    404: "There is no such thing.",
    408: "The body took too long to arrive.",
    409: "It is at odds with how things stand.",
    413: "The body is larger than we read.",
    415: "The body is not JSON.",
    422: "Something in it is not valid.",
    429: "There were too many requests. `Retry-After` says when to come back.",
    503: "The database does not answer. Nothing was changed.",
}
ALWAYS = (401, 403, 413, 429, 503)
WITH_BODY = (400, 408, 415, 422)
ABOUT = """Publish articles, keep topics and people, see what was sent. Lists are paged by cursor, every POST takes an
`Idempotency-Key`, every refusal is a problem document (RFC 9457)."""


def document(app: FastAPI, server: str) -> dict[str, Any]:
    """The document of an app whose routes are reached under a server's URL."""
    made = get_openapi(
        title="dispatcher",
        version=dispatcher.__version__,
        description=ABOUT,
        routes=app.routes,
        openapi_version="3.1.0",
        servers=[{"url": server}],
    )
    schemas = made["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    _, problems = models_json_schema(
        [(Problem, "serialization"), (Fault, "serialization")], ref_template="#/components/schemas/{model}"
    )
    schemas |= problems["$defs"]
    made["components"]["securitySchemes"] = {
        SECURITY: {"type": "http", "scheme": "bearer", "description": f"A token of `dispatcher tokens add`: {PREFIX}…"}
    }
    for path, method, operation in _operations(made):
        _tell_refusals(path, method, operation)
    return made


def _operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in made["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _tell_refusals(path: str, method: str, operation: dict[str, Any]) -> None:
    """Everything that this kind of request can be refused for, as a problem document."""
    answers = operation["responses"]
    answers.pop("422", None)
    statuses = {*ALWAYS, *(int(status) for status in answers if int(status) >= 400)}
    if "requestBody" in operation:
        statuses |= set(WITH_BODY)
    if "{" in path:
        statuses.add(404)
    if method == "post":
        statuses |= {409, 422}
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    if places & {"query", "header"}:
        statuses.add(422)
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ())):
        statuses.add(400)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in sorted(statuses):
        answers[str(status)] = {"description": REFUSALS[status], "content": content}
