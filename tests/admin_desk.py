"""The admin pages of a small paper, and somebody signed in to them as a browser would be."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from builders import atom, settings, topic, world
from web_app import Client, Got, serving

from dispatcher import clock
from dispatcher.config.settings import SourceEntry
from dispatcher.model.access import Operator
from dispatcher.model.values import Role
from dispatcher.pipeline import operators as people
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.web.admin import sessions
from dispatcher.web.asking import Visitor
from dispatcher.web.pages import at

PASSWORD = "a horse in the harbour"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@dataclass
class Desk:
    """Somebody at the desk: their cookie, and the token that their forms carry."""

    client: Client
    cookie: str = ""
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> Got:
        """Look at a page."""
        return await self.client.get(path, headers={"Cookie": self.cookie, **headers})

    async def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> Got:
        """Send a form of theirs."""
        form = {"csrf": self.csrf, **(data or {})}
        sent = {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin", **headers}
        return await self.client.post(path, form, headers=sent)

    async def follow(self, answer: Got) -> Got:
        """The page that an answer leads to."""
        assert answer.status == 303, answer.text
        return await self.get(answer.headers["location"])


@asynccontextmanager
async def paper(folder: Path, url: str = "", **sections: Any) -> AsyncIterator[tuple[Context, Client]]:
    """A paper with a source, a topic and a reader of config's, one article, and its pages served."""
    now = clock.now()
    feed = atom(folder / "feed.xml", ("1", "The harbour gets a crane", now - timedelta(hours=1)))
    chosen = settings(
        folder,
        url or f"sqlite:///{folder}/subscribers.db",
        **{
            "sources": (SourceEntry(name="Gazette", url=str(feed)),),
            "topics": (topic("harbour", "harbour"),),
            "subscribers": ({"email": "ada@reader.example", "topics": ["harbour"]},),
            **sections,
        },
    )
    async with world(chosen, now) as ctx:
        await ingest(ctx, now, everything=True)
        async with serving(ctx) as client:
            yield ctx, client


async def hire(ctx: Context, name: str, role: Role) -> Operator:
    """A new operator. The hash is made once for all: making it is slow on purpose."""
    made = Operator(name=name, role=role, password=await _hash(), created_at=clock.now())
    async with ctx.store.write() as tx:
        await people.insert(tx, made)
    return made


async def signed_in(ctx: Context, client: Client, role: Role = Role.OWNER, name: str = "") -> Desk:
    """A new operator of a role, signed in without the slow password."""
    made = await hire(ctx, name or role.value, role)
    async with ctx.store.write() as tx:
        token = await sessions.begin(tx, made, Visitor("127.0.0.1", "127.0.0.0/24", "test", "en"), clock.now())
    desk = Desk(client, f"{sessions.cookie_name(ctx)}={token}")
    desk.csrf = csrf_of(await desk.get(at(ctx, "/admin/sessions")))
    return desk


async def enter(client: Client, name: str) -> Desk:
    """Sign in with a password."""
    answer = await client.post("/admin/sign-in", {"name": name, "password": PASSWORD, "next": "/admin"})
    assert answer.status == 303, answer.text
    desk = Desk(client, cookie_of(answer))
    desk.csrf = csrf_of(await desk.get("/admin/sessions"))
    return desk


def cookie_of(answer: Got) -> str:
    """The cookie that an answer gives, as a browser sends it back."""
    return answer.headers["set-cookie"].partition(";")[0]


def csrf_of(answer: Got) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text)
    assert found, answer.text
    return found[1]


_made: list[str] = []


async def _hash() -> str:
    from dispatcher.pipeline import passwords

    if not _made:
        _made.append(await passwords.hashed(PASSWORD))
    return _made[0]
