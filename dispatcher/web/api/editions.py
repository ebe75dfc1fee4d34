"""/editions: what people write: kept, looked at, scheduled, stopped."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from dispatcher.errors import ConfigError
from dispatcher.model.edition import Edition
from dispatcher.pipeline import editions
from dispatcher.pipeline.circulation import circulation
from dispatcher.pipeline.proof import NOBODY, harmless, proof, send_proof
from dispatcher.store import Transaction
from dispatcher.store import editions as rows
from dispatcher.web.api.fields import SlugInPath
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.paging import Listed, Paging, page_of
from dispatcher.web.api.problems import Fault, ProblemError, not_found
from dispatcher.web.api.routes import Call, Calling, IdempotencyKey, made, needs, router
from dispatcher.web.api.schemas.editions import (
    EditionRead,
    EditionShown,
    ManuscriptSent,
    ProofAsked,
    ProofShown,
    ScheduleAsked,
)

routes = router("editions")
NAME = "manuscript"
"""Stands before the lines in which mistakes are told."""


@routes.get("/editions", response_model=Listed[EditionShown], **needs("editions:read"))
async def list_editions(call: Calling, asked: Annotated[Paging, Query()]) -> Response:
    """The editions, newest first."""
    page = page_of("editions", asked)
    async with call.ctx.store.read() as tx:
        found = await rows.every(tx, before=page.before, limit=page.reach)
        await call.ctx.acquaint(tx, {one.newsletter_id for one in found})
    shown = [EditionShown.of(one, call.ctx.letter(one.newsletter_id).slug) for one in found[: asked.limit]]
    return call.page(shown, page.cut([one.id or 0 for one in found]))


@routes.post("/editions", status_code=201, response_model=EditionRead, **needs("editions:write", 409))
async def write_edition(call: Calling, asked: ManuscriptSent, idempotency_key: IdempotencyKey = None) -> Response:
    """Keep a manuscript as a draft; one of the same name, if it is not on its way yet, is replaced by it (200)."""

    async def work(tx: Transaction) -> Reply:
        kept = await _kept(call, tx, asked)
        await call.note(tx, "write edition", kept.slug, version=kept.version)
        return made(201 if kept.version == 1 else 200, await _read(call, tx, kept))

    return await call.once(work)


@routes.get("/editions/{slug}", response_model=EditionRead, **needs("editions:read"))
async def show_edition(call: Calling, slug: SlugInPath) -> Response:
    """One edition: for how many it is, who got it, who did not, and why."""
    async with call.ctx.store.read() as tx:
        return call.response(made(200, await _read(call, tx, await _found(tx, slug))))


@routes.get("/editions/{slug}/preview", response_model=ProofShown, **needs("editions:read"))
async def preview_edition(call: Calling, slug: SlugInPath) -> Response:
    """One edition as a reader would get it now."""
    async with call.ctx.store.read() as tx:
        found = await _found(tx, slug)
    seen = await proof(harmless(call.ctx), found, call.now, to=NOBODY)
    return call.response(made(200, ProofShown.of(seen)))


@routes.post("/editions/{slug}/test", status_code=204, **needs("editions:write", 409))
async def test_edition(call: Calling, slug: SlugInPath, asked: ProofAsked) -> Response:
    """Send a proof to one address and nobody else; its subject is marked."""
    async with call.ctx.store.read() as tx:
        found = await _found(tx, slug)
    await send_proof(call.ctx, found, call.now, asked.to)
    async with call.ctx.store.write() as tx:
        await call.note(tx, "send proof of edition", slug)
    return call.response(Reply(204))


@routes.post("/editions/{slug}/schedule", response_model=EditionRead, **needs("editions:write", 409))
async def schedule_edition(
    call: Calling, slug: SlugInPath, asked: ScheduleAsked, idempotency_key: IdempotencyKey = None
) -> Response:
    """Have an edition leave at a time, or at the one that it names itself."""

    async def work(tx: Transaction) -> Reply:
        await _found(tx, slug)
        found = await editions.schedule(tx, slug, call.now, at=asked.send_at)
        await call.note(tx, "schedule edition", slug, send_at=found.send_at)
        return made(200, await _read(call, tx, found))

    return await call.once(work)


@routes.post("/editions/{slug}/unschedule", response_model=EditionRead, **needs("editions:write", 409))
async def unschedule_edition(call: Calling, slug: SlugInPath, idempotency_key: IdempotencyKey = None) -> Response:
    """Make a scheduled edition a draft again."""
    return await _move(call, slug, "unschedule")


@routes.post("/editions/{slug}/pause", response_model=EditionRead, **needs("editions:write", 409))
async def pause_edition(call: Calling, slug: SlugInPath, idempotency_key: IdempotencyKey = None) -> Response:
    """Hold what has not left, and serve nobody more."""
    return await _move(call, slug, "pause")


@routes.post("/editions/{slug}/resume", response_model=EditionRead, **needs("editions:write", 409))
async def resume_edition(call: Calling, slug: SlugInPath, idempotency_key: IdempotencyKey = None) -> Response:
    """Go on with a paused edition."""
    return await _move(call, slug, "resume")


@routes.post("/editions/{slug}/cancel", response_model=EditionRead, **needs("editions:write", 409))
async def cancel_edition(call: Calling, slug: SlugInPath, idempotency_key: IdempotencyKey = None) -> Response:
    """End an edition for good: what has not left never will."""
    return await _move(call, slug, "cancel")


async def _move(call: Call, slug: str, how: str) -> Response:
    async def work(tx: Transaction) -> Reply:
        await _found(tx, slug)
        mails = await editions.MOVES[how](tx, slug, call.now)
        await call.note(tx, f"{how} edition", slug, mails=mails)
        return made(200, await _read(call, tx, await _found(tx, slug)))

    return await call.once(work)


async def _kept(call: Call, tx: Transaction, asked: ManuscriptSent) -> Edition:
    try:
        return await editions.keep(
            call.ctx, tx, asked.source, call.now, name=NAME, newsletter=asked.newsletter, by=call.caller.actor
        )
    except ConfigError as error:
        faults = [Fault(pointer="#/source", detail=str(problem)) for problem in error.problems]
        raise ProblemError(422, "What was sent is not valid.", errors=faults) from None


async def _found(tx: Transaction, slug: str) -> Edition:
    found = await rows.by_slug(tx, slug)
    if found is None:
        raise not_found(f"edition {slug!r}")
    return found


async def _read(call: Call, tx: Transaction, found: Edition) -> EditionRead:
    await call.ctx.acquaint(tx, {found.newsletter_id})
    return EditionRead.whole(found, call.ctx.letter(found.newsletter_id).slug, await circulation(tx, found))
