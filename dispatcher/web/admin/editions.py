"""Editions: look, write, prove, schedule, send, pause, resume, cancel."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dispatcher import clock
from dispatcher.errors import ConfigError, TemplateError
from dispatcher.model.edition import Edition, EditionStatus
from dispatcher.pipeline import editions
from dispatcher.pipeline.circulation import circulation
from dispatcher.pipeline.editions import EditionError
from dispatcher.pipeline.manuscript import instant
from dispatcher.pipeline.proof import NOBODY, harmless, proof, send_proof
from dispatcher.store import Transaction
from dispatcher.store import editions as rows
from dispatcher.web.admin.desk import Done, acting, desk_page, known_or_404, number_in_path, texts
from dispatcher.web.admin.readers import LETTER
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of
from dispatcher.web.guard import POLICY

SHOWN = 200
NAME = "text"
"""Stands before the lines in which mistakes are told."""

BLANK = """---
subject: What a week
preheader: What you missed, and what comes next
send_at: {tomorrow} 07:30
---
Dear readers,

write **here**.

```stories
since: 7d
limit: 5
```
"""
"""What the form for a new one begins with."""


async def listing(request: Request, who: Signed) -> Response:
    """The editions, and a form for one more."""
    return await _listing(request, who, BLANK.format(tomorrow=(clock.now() + timedelta(days=1)).date()), "")


async def add(request: Request, who: Signed) -> Response:
    """Keep a manuscript as a draft."""
    source = (await texts(request, "source"))["source"]
    try:
        return await acting(request, who, _writing(request, who, source))
    except (ConfigError, EditionError) as error:
        return await _listing(request, who, source, str(error), status=422)


async def one(request: Request, who: Signed) -> Response:
    """One edition: how far it is, how it looks, and a form to change it."""
    found = await _found(request)
    return await _one(request, who, found, found.source, "")


async def edit(request: Request, who: Signed) -> Response:
    """Put another text in the place of a draft."""
    found, source = await _found(request), (await texts(request, "source"))["source"]
    try:
        return await acting(request, who, _writing(request, who, source, instead_of=found))
    except (ConfigError, EditionError) as error:
        return await _one(request, who, found, source, str(error), status=422)


async def letter(request: Request, who: Signed) -> Response:
    """What stands in the frame: an edition as a reader would get it now."""
    seen = await proof(harmless(context_of(request)), await _found(request), clock.now(), to=NOBODY)
    return HTMLResponse(seen.html, headers={"Content-Security-Policy": LETTER})


async def prove(request: Request, who: Signed) -> Response:
    """Send a proof to one address."""
    ctx, found, to = context_of(request), await _found(request), (await texts(request, "to"))["to"]

    async def work(tx: Transaction, now: datetime) -> Done:
        return Done("send proof of edition", found.slug, f"/admin/editions/{found.id}")

    try:
        await send_proof(ctx, found, clock.now(), to)
        return await acting(request, who, work)
    except (EditionError, TemplateError) as error:
        return await _one(request, who, found, found.source, str(error), status=422)


async def schedule(request: Request, who: Signed) -> Response:
    """Have an edition leave at a time, or at the one that it names itself."""
    given, zone = (await texts(request, "at"))["at"], context_of(request).settings.site.timezone

    async def work(tx: Transaction, slug: str, now: datetime) -> dict[str, Any]:
        try:
            at = instant(given, zone, in_reader_zone=False) if given else None
        except ValueError as error:
            raise EditionError(str(error)) from None
        return {"send_at": (await editions.schedule(tx, slug, now, at=at)).send_at}

    return await _moved(request, who, "schedule", work)


async def send(request: Request, who: Signed) -> Response:
    """Have an edition leave now."""

    async def work(tx: Transaction, slug: str, now: datetime) -> dict[str, Any]:
        await editions.schedule(tx, slug, now, at=now)
        return {}

    return await _moved(request, who, "send", work)


async def move(request: Request, who: Signed) -> Response:
    """Make it a draft again, pause, resume or cancel it."""
    how = request.path_params["move"]
    act = known_or_404(editions.MOVES.get(how))

    async def work(tx: Transaction, slug: str, now: datetime) -> dict[str, Any]:
        return {"mails": await act(tx, slug, now)}

    return await _moved(request, who, how, work)


async def _moved(request: Request, who: Signed, how: str, move: Any) -> Response:
    found = await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        detail = await move(tx, found.slug, now)
        return Done(f"{how} edition", found.slug, f"/admin/editions/{found.id}", detail)

    try:
        return await acting(request, who, work)
    except EditionError as error:
        return await _one(request, who, found, found.source, str(error), status=422)


def _writing(request: Request, who: Signed, source: str, instead_of: Edition | None = None) -> Any:
    """Keeps a text, as `acting` wants it done."""
    ctx = context_of(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        kept = await editions.keep(ctx, tx, source, now, name=NAME, by=who.actor)
        if instead_of is not None and kept.slug != instead_of.slug:
            raise EditionError(f"with this subject it would be another edition: add the line `slug: {instead_of.slug}`")
        return Done("write edition", kept.slug, f"/admin/editions/{kept.id}", {"version": kept.version})

    return work


async def _listing(request: Request, who: Signed, source: str, error: str, status: int = 200) -> Response:
    async with context_of(request).store.read() as tx:
        found = await rows.every(tx, limit=SHOWN)
    return await desk_page(request, who, "editions", status=status, editions=found, source=source, error=error)


async def _one(request: Request, who: Signed, found: Edition, source: str, error: str, status: int = 200) -> Response:
    async with context_of(request).store.read() as tx:
        found = await editions.named(tx, found.slug)
        came = await circulation(tx, found)
    is_open = found.status in (EditionStatus.DRAFT, EditionStatus.SCHEDULED)
    known = {"edition": found, "source": source, "error": error, "is_open": is_open, **asdict(came)}
    framed = {"Content-Security-Policy": f"{POLICY}; frame-src 'self'"}
    return await desk_page(request, who, "edition", status=status, headers=framed, **known)


async def _found(request: Request) -> Edition:
    number = number_in_path(request)
    async with context_of(request).store.read() as tx:
        return known_or_404((await rows.by_ids(tx, [number])).get(number))
