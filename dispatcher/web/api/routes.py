"""What every route does before and after its own work: who calls, may they, is it JSON; and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.pipeline import audit
from dispatcher.pipeline.context import Context
from dispatcher.store import Transaction
from dispatcher.web.api.auth import Caller, authenticate
from dispatcher.web.api.idempotency import HEADER, REPLAYED, First, Reply, Work, claim_of, nothing_first, once
from dispatcher.web.api.paging import Item, Listed, link_to_next
from dispatcher.web.api.problems import ProblemError, answer
from dispatcher.web.asking import context_of, visitor_of
from dispatcher.web.pages import at

SECURITY = "token"
"""The name of the security scheme in the OpenAPI document."""


class Route(APIRoute):
    """A route that asks for a token before it reads anything, and answers every error with a problem document."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, guarded. A mistake of ours is caught here too, so that no page for people answers it."""
        handle, scope = super().get_route_handler(), scope_of(self)

        async def guarded(asked: Request) -> Response:
            request = Document(asked.scope, asked.receive)
            try:
                now = clock.now()
                request.state.call = Call(request, await authenticate(request, scope, now), now)
                if self.body_field is not None and _has_body(request):
                    _check_media_type(request)
                return await handle(request)
            except Exception as error:
                return answer(request, error)

        return guarded


class Document(Request):
    """A request whose body is JSON to the letter (RFC 8259): no NaN, no lone surrogates, which nothing can store."""

    async def json(self) -> Any:
        """What the body says. ValueError or RecursionError if it says nothing."""
        found = json.loads(await self.body(), parse_constant=_refuse_constant)
        json.dumps(found, ensure_ascii=False).encode()
        return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a program: who, when, and the ways to answer it."""

    request: Request
    caller: Caller
    now: datetime

    @property
    def ctx(self) -> Context:
        """What every step is given."""
        return context_of(self.request)

    async def act(self, work: Work) -> Response:
        """Do something that a repeat does no harm to: in one transaction."""
        async with self.ctx.store.write() as tx:
            reply = await work(tx)
        return self.response(reply)

    async def once(self, work: Work, first: First = nothing_first) -> Response:
        """Do something that a repeat must not do again, if the request has an Idempotency-Key."""
        key = self.request.headers.get(HEADER)
        if key is None:
            await first()
            return await self.act(work)
        claim = await claim_of(self.request, self.caller.token_id, key, self.now)
        return self.response(await once(self.ctx.store, claim, work, first))

    async def note(self, tx: Transaction, action: str, subject: object, **detail: Any) -> None:
        """Write into the audit log what this program did."""
        ip = visitor_of(self.request).ip
        await audit.note(tx, self.caller.actor, action, str(subject), self.now, ip=ip, **detail)

    def response(self, reply: Reply) -> Response:
        """The answer as it goes out; what was created says where it is."""
        headers = {REPLAYED: "true"} if reply.is_replayed else {}
        if reply.status == 201 and self.request.method == "POST":
            headers["Location"] = at(self.ctx, f"{self.request.url.path}/{reply.location}")
        media_type = "application/json" if reply.body else None
        return Response(reply.body or None, reply.status, headers, media_type)

    def page(self, items: Sequence[Item], next_cursor: str | None) -> Response:
        """One page of a list."""
        path = at(self.ctx, self.request.url.path)
        headers = {"Link": link_to_next(self.request, path, next_cursor)} if next_cursor else {}
        body = Listed[BaseModel](items=list(items), next_cursor=next_cursor).model_dump_json(serialize_as_any=True)
        return Response(body, 200, headers, "application/json")


def _call_of(request: Request) -> Call:
    call: Call = request.state.call
    return call


Calling = Annotated[Call, Depends(_call_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(alias=HEADER, min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$",
           description="Names this request: sent again with the same key within a day, it is answered the same and "
           "does nothing."),
]  # fmt: skip


def router(tag: str) -> APIRouter:
    """Where the routes of one resource are put."""
    return APIRouter(tags=[tag], route_class=Route)


def needs(scope: str, *refusals: int, answers: Mapping[int, type[BaseModel]] | None = None) -> dict[str, Any]:
    """What the OpenAPI document says of a route: the scope, which `Route` asks for, and what else it may answer."""
    documents = {status: {"model": model} for status, model in (answers or {}).items()}
    return {
        "openapi_extra": {"security": [{SECURITY: [scope]}]},
        "responses": {status: {"description": HTTPStatus(status).phrase} for status in refusals} | documents,
    }


def scope_of(route: APIRoute) -> str:
    """The scope that a route was made with."""
    scope: str = (route.openapi_extra or {})["security"][0][SECURITY][0]
    return scope


def made(status: int, body: BaseModel) -> Reply:
    """A reply with a document in it."""
    return Reply(status, body.model_dump_json())


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _check_media_type(request: Request) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != "application/json":
        raise ProblemError(
            415, "Send the body as Content-Type: application/json.", headers={"Accept": "application/json"}
        )
