"""Topics: look, add, edit, pause, resume, remove. What config declares is changed there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.config.settings import TopicEntry
from dispatcher.errors import StoreError
from dispatcher.model.content import Topic
from dispatcher.model.values import Origin
from dispatcher.pipeline import catalogue
from dispatcher.pipeline.entries import EntryError, topic_entry
from dispatcher.store import Transaction, desk, topics
from dispatcher.web.admin.desk import Done, acting, desk_page, known_or_404, number_in_path, texts
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of

FIELDS = ("slug", "name", "query", "description", "language", "public")
BLANK = dict.fromkeys(FIELDS, "") | {"public": "yes"}
SHOWN = 500


async def listing(request: Request, who: Signed) -> Response:
    """The publisher's topics, and a form for one more. Readers' own are nobody else's business."""
    return await _listing(request, who, BLANK, "")


async def add(request: Request, who: Signed) -> Response:
    """Add a topic."""
    ctx, given = context_of(request), await texts(request, *FIELDS)

    async def work(tx: Transaction, now: datetime) -> Done:
        entry = _entry(given)
        await catalogue.add_topic(ctx, tx, entry, now, origin=Origin.WEB)
        return Done("add topic", entry.slug, "/admin/topics", {"query": entry.query})

    try:
        return await acting(request, who, work)
    except (EntryError, StoreError) as error:
        return await _listing(request, who, given, str(error), status=422)


async def one(request: Request, who: Signed) -> Response:
    """One topic, and a form to change it."""
    found = await _found(request)
    return await _one(request, who, found, _given(found), "")


async def edit(request: Request, who: Signed) -> Response:
    """Change a topic."""
    ctx, found, given = context_of(request), await _found(request), await texts(request, *FIELDS)
    given["slug"] = found.slug

    async def work(tx: Transaction, now: datetime) -> Done:
        await catalogue.edit_topic(ctx, tx, found, _entry(given), now)
        return Done("edit topic", found.slug, f"/admin/topics/{found.id}", {"before": _given(found), "after": given})

    try:
        return await acting(request, who, work)
    except (EntryError, StoreError) as error:
        return await _one(request, who, found, given, str(error), status=422)


async def pause(request: Request, who: Signed) -> Response:
    """Have nothing match a topic until it is resumed."""
    return await _switch(request, who, on=False)


async def resume(request: Request, who: Signed) -> Response:
    """Have a topic matched again."""
    return await _switch(request, who, on=True)


async def remove(request: Request, who: Signed) -> Response:
    """Remove a topic and everybody's subscription to it."""
    ctx, found = context_of(request), await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        await catalogue.remove_topic(ctx, tx, found)
        return Done("remove topic", found.slug, "/admin/topics", {"query": found.query_text})

    return await acting(request, who, work)


async def _switch(request: Request, who: Signed, *, on: bool) -> Response:
    found = await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        await catalogue.switch_topic(tx, found, on=on)
        return Done("resume topic" if on else "pause topic", found.slug, f"/admin/topics/{found.id}")

    return await acting(request, who, work)


async def _listing(request: Request, who: Signed, given: dict[str, str], error: str, status: int = 200) -> Response:
    async with context_of(request).store.read() as tx:
        found = await topics.every(tx)
    return await desk_page(
        request, who, "topics", status=status, topics=found[:SHOWN], more=len(found) - SHOWN, given=given, error=error
    )


async def _one(
    request: Request, who: Signed, found: Topic, given: dict[str, str], error: str, status: int = 200
) -> Response:
    ctx = context_of(request)
    async with ctx.store.read() as tx:
        matches, followers = await desk.topic_figures(tx, found)
    known: dict[str, Any] = {"topic": found, "given": given, "error": error, "file": ctx.settings.file}
    known |= {"matches": matches, "followers": followers, "is_declared": catalogue.declares_topic(ctx, found.slug)}
    return await desk_page(request, who, "topic", status=status, **known)


async def _found(request: Request) -> Topic:
    """A topic of the publisher's. A reader's own does not exist here."""
    number = number_in_path(request)
    async with context_of(request).store.read() as tx:
        found = (await topics.by_ids(tx, [number])).get(number)
    return known_or_404(found if found is None or found.owner_id is None else None)


def _given(topic: Topic) -> dict[str, str]:
    """A topic as its form shows it."""
    return {
        "slug": topic.slug, "name": topic.name, "query": topic.query_text, "description": topic.description,
        "language": topic.language, "public": "yes" if topic.is_public else "",
    }  # fmt: skip


def _entry(given: dict[str, str]) -> TopicEntry:
    said = {name: given[name] for name in ("slug", "name", "query", "description", "language")}
    return topic_entry(**said, public=bool(given["public"]))
