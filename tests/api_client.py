"""A program in front of a real server: it has a token, speaks JSON, and keeps what it was answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import builders
import web_app

from dispatcher import clock
from dispatcher.model.audience import Subscriber
from dispatcher.model.values import Origin
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.access import issue
from dispatcher.pipeline.context import Context
from dispatcher.store import topics

ROOT = "/api/v1"
TOPICS = [{"slug": "sea", "query": "harbour OR ferry"}, {"slug": "all", "query": "*", "name": "Everything"}]


@dataclass(frozen=True)
class Told:
    """An answer, read whole."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The document in it."""
        return json.loads(self.text)

    @property
    def is_problem(self) -> bool:
        """Whether it is a whole problem document."""
        whole = {"type", "title", "status", "detail", "instance"}
        is_typed = self.headers["content-type"] == "application/problem+json"
        return is_typed and whole <= self.json.keys() and self.json["status"] == self.status


@dataclass(frozen=True)
class Program:
    """Whoever has a token, and the context behind the server it asks."""

    client: web_app.Client
    ctx: Context
    token: str = ""

    def with_token(self, token: str) -> Program:
        """Another program at the same server."""
        return Program(self.client, self.ctx, token)

    async def with_scopes(self, name: str, *scopes: str, **more: Any) -> Program:
        """Another program, with a new token of its own."""
        return self.with_token(await token_of(self.ctx, name, *scopes, **more))

    async def ask(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Told:
        """Any request. `headers` are written with underscores: `idempotency_key`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("authorization", f"Bearer {self.token}")
        if raw is None and body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("content-type", "application/json")
        got = await self.client.ask(method, ROOT + path, data=raw, headers=sent)
        return Told(got.status, got.text, got.headers)

    async def get(self, path: str, **headers: str) -> Told:
        """GET a path under the root of the API."""
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Told:
        """POST a document."""
        return await self.ask("POST", path, body, **headers)

    async def put(self, path: str, body: Any) -> Told:
        """PUT a document."""
        return await self.ask("PUT", path, body)

    async def patch(self, path: str, body: Any) -> Told:
        """PATCH with a document."""
        return await self.ask("PATCH", path, body)

    async def delete(self, path: str) -> Told:
        """DELETE what is at a path."""
        return await self.ask("DELETE", path)


async def token_of(ctx: Context, name: str, *scopes: str, expires_at: datetime | None = None) -> str:
    """A new token."""
    async with ctx.store.write() as tx:
        return await issue(tx, name, scopes, clock.now(), actor="cli", expires_at=expires_at)


@asynccontextmanager
async def program(folder: Path, database_url: str, **sections: Any) -> AsyncIterator[Program]:
    """A program that may do everything, at a server with two topics."""
    chosen = builders.settings(folder, database_url, **{"topics": TOPICS, **sections})
    async with builders.world(chosen, clock.now()) as ctx, web_app.serving(ctx) as client:
        yield Program(client, ctx, await token_of(ctx, "shop", "*"))


async def reader(ctx: Context, email: str = "ann@reader.example", *slugs: str, **changes: Any) -> int:
    """Somebody who reads, by the web unless `changes` say otherwise; returns their number."""
    now = clock.now()
    values = {"email": email, "origin": Origin.WEB, "created_at": now, **changes}
    async with ctx.store.write() as tx:
        person = await enrolment.enrol(tx, ctx.address_key, Subscriber(**values))
        for slug in slugs:
            topic = await topics.by_slug(tx, slug)
            assert topic is not None
            await enrolment.follow(tx, person, topic, person.cadence, origin=person.origin, now=now)
        await enrolment.reschedule(tx, person, ctx.newsletter.id or 0, now)
    return person.id or 0
