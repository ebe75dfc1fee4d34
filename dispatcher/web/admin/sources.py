"""Sources: look, add, edit, pause, resume, remove. What config declares is changed there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.config.settings import SourceEntry
from dispatcher.errors import SourceError
from dispatcher.model.content import Source
from dispatcher.model.values import Origin
from dispatcher.pipeline import catalogue
from dispatcher.pipeline.entries import EntryError, source_entry
from dispatcher.store import Transaction, sources
from dispatcher.web.admin.desk import Done, acting, desk_page, known_or_404, number_in_path, texts
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of

FIELDS = ("name", "url", "every", "tags", "priority")
BLANK = {"name": "", "url": "", "every": "15m", "tags": "", "priority": "5"}
WEB = ("http://", "https://")
SHOWN = 500


async def listing(request: Request, who: Signed) -> Response:
    """Every source with its health, and a form for one more."""
    return await _listing(request, who, BLANK, "")


async def add(request: Request, who: Signed) -> Response:
    """Add a source."""
    given = await texts(request, *FIELDS)

    async def work(tx: Transaction, now: datetime) -> Done:
        entry = _entry(given)
        await catalogue.add_source(tx, entry, now, origin=Origin.WEB)
        return Done("add source", entry.name, "/admin/sources", {"url": entry.url})

    try:
        return await acting(request, who, work)
    except (EntryError, SourceError) as error:
        return await _listing(request, who, given, str(error), status=422)


async def one(request: Request, who: Signed) -> Response:
    """One source, and a form to change it."""
    found = await _found(request)
    return await _one(request, who, found, _given(found), "")


async def edit(request: Request, who: Signed) -> Response:
    """Change a source."""
    ctx, found, given = context_of(request), await _found(request), await texts(request, *FIELDS)

    async def work(tx: Transaction, now: datetime) -> Done:
        entry = _entry(given, kept=found.url)
        await catalogue.edit_source(ctx, tx, found, entry, now)
        return Done("edit source", entry.name, f"/admin/sources/{found.id}", {"before": _given(found), "after": given})

    try:
        return await acting(request, who, work)
    except (EntryError, SourceError) as error:
        return await _one(request, who, found, given, str(error), status=422)


async def pause(request: Request, who: Signed) -> Response:
    """Stop reading a source."""
    found = await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        await catalogue.pause_source(tx, found)
        return Done("pause source", found.name, f"/admin/sources/{found.id}")

    return await acting(request, who, work)


async def resume(request: Request, who: Signed) -> Response:
    """Read a source again."""
    found = await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        await catalogue.resume_source(tx, found, now)
        return Done("resume source", found.name, f"/admin/sources/{found.id}")

    return await acting(request, who, work)


async def remove(request: Request, who: Signed) -> Response:
    """Stop reading a source for good."""
    ctx, found = context_of(request), await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        is_kept = await catalogue.remove_source(ctx, tx, found)
        return Done("remove source", found.name, "/admin/sources", {"kept_for_its_articles": is_kept})

    return await acting(request, who, work)


async def _listing(request: Request, who: Signed, given: dict[str, str], error: str, status: int = 200) -> Response:
    async with context_of(request).store.read() as tx:
        found = await sources.every(tx)
    return await desk_page(
        request, who, "sources", status=status, sources=found[:SHOWN], more=len(found) - SHOWN, given=given, error=error
    )


async def _one(
    request: Request, who: Signed, found: Source, given: dict[str, str], error: str, status: int = 200
) -> Response:
    ctx = context_of(request)
    known: dict[str, Any] = {"source": found, "given": given, "error": error, "file": ctx.settings.file}
    known["is_declared"] = catalogue.declares_source(ctx, found.name)
    return await desk_page(request, who, "source", status=status, **known)


async def _found(request: Request) -> Source:
    async with context_of(request).store.read() as tx:
        return known_or_404(await sources.get(tx, number_in_path(request)))


def _given(source: Source) -> dict[str, str]:
    """A source as its form shows it."""
    minutes, seconds = divmod(source.poll_every, 60)
    every = f"{source.poll_every}s" if seconds else f"{minutes}m"
    tags, priority = ", ".join(source.tags), str(source.priority)
    return {"name": source.name, "url": source.url, "every": every, "tags": tags, "priority": priority}


def _entry(given: dict[str, str], *, kept: str = "") -> SourceEntry:
    """A checked source. Pages may only bring what is on the web: files are the machine's, and config's business."""
    if given["url"] != kept and not given["url"].lower().startswith(WEB):
        raise EntryError("url: only http and https can be added here; files and folders by config or command")
    tags = [tag.strip() for tag in given["tags"].split(",") if tag.strip()]
    priority = given["priority"].strip() or "5"
    if not (priority.isascii() and priority.isdecimal() and 1 <= int(priority[:3]) <= 10):
        raise EntryError("priority: expected a whole number from 1 to 10")
    return source_entry(
        name=given["name"], url=given["url"], poll_every=given["every"], tags=tags, priority=int(priority)
    )
