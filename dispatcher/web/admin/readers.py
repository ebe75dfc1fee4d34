"""Readers: find one, see what they follow and get, pause, resume, unsubscribe, erase; see their next digest."""

from __future__ import annotations

from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dispatcher.errors import StoreError
from dispatcher.model.audience import Subscriber
from dispatcher.model.values import PausedBy, SubscriberStatus
from dispatcher.pipeline import departure, enrolment
from dispatcher.pipeline.admission import suppressed
from dispatcher.pipeline.hooks import announce
from dispatcher.pipeline.preview import Preview, Silence, preview
from dispatcher.pipeline.proof import harmless
from dispatcher.store import Transaction, desk, outbox, subscribers, topics
from dispatcher.web.admin.desk import Done, acting, desk_page, known_or_404, number_in_path, plain
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of
from dispatcher.web.guard import POLICY

SHOWN = 25
LETTER = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""A digest in its frame: its own inline styles and nothing else. No script, no form, no picture from outside, which
would tell strangers that somebody looks."""


async def find(request: Request, who: Signed) -> Response:
    """People by the beginning of their address."""
    start = plain(request.query_params.get("email", "")).lower()[:254]
    async with context_of(request).store.read() as tx:
        found = await desk.readers(tx, start, SHOWN)
    return await desk_page(request, who, "readers", readers=found, start=start)


async def one(request: Request, who: Signed) -> Response:
    """One person: what they follow, when they are next due, what they were sent."""
    ctx, reader = context_of(request), await _found(request)
    number = reader.id or 0
    async with ctx.store.read() as tx:
        mine = (await subscribers.subscriptions(tx, [number])).get(number, [])
        due = (await subscribers.schedules(tx, [number])).get(number, [])
        sent = await outbox.listing(tx, subscriber_id=number, limit=10)
        known = await topics.by_ids(tx, [subscription.topic_id for subscription in mine])
        reason = (await suppressed(ctx, tx, [reader.email])).get(reader.email)
    return await desk_page(
        request, who, "reader", reader=reader, reason=reason, sent=sent,
        due=[row for row in due if row.next_due_at],
        follows=[(known[s.topic_id], s) for s in mine if s.topic_id in known],
    )  # fmt: skip


async def pause(request: Request, who: Signed) -> Response:
    """Send a person nothing until somebody resumes them."""
    ctx, reader = context_of(request), await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        if not await enrolment.pause(tx, reader, PausedBy.OPERATOR, ctx.newsletter.id or 0, now):
            raise StoreError(f"{reader.email} is {reader.status.value}; only active people can be paused")
        return Done("pause reader", f"reader {reader.id}", f"/admin/readers/{reader.id}")

    return await acting(request, who, work)


async def resume(request: Request, who: Signed) -> Response:
    """Send again to a person who was paused."""
    ctx, reader = context_of(request), await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        if not await enrolment.resume(tx, reader, ctx.newsletter.id or 0, now):
            raise StoreError(f"{reader.email} is {reader.status.value}; only paused people can be resumed")
        return Done("resume reader", f"reader {reader.id}", f"/admin/readers/{reader.id}")

    return await acting(request, who, work)


async def unsubscribe(request: Request, who: Signed) -> Response:
    """Unsubscribe a person: they come back only by themselves."""
    ctx, number = context_of(request), number_in_path(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        reader = known_or_404(await subscribers.lock(tx, number))
        if reader.status in (SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.ERASED):
            raise StoreError("they have left already")
        await departure.leave(ctx, tx, reader, enrolment.EVERY, now, departure.said_by(who.actor))
        return Done("unsubscribe reader", f"reader {number}", f"/admin/readers/{number}")

    return await acting(request, who, work)


async def erase(request: Request, who: Signed) -> Response:
    """Forget a person. Their number is all that the log keeps of them."""
    ctx, number = context_of(request), number_in_path(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        reader = known_or_404(await subscribers.lock(tx, number))
        if reader.status == SubscriberStatus.ERASED:
            raise StoreError("they have been erased already")
        await enrolment.erase(tx, ctx.address_key, reader, now)
        await announce(ctx, tx, "unsubscribed", now, key=f"admin:{number}:{now}", subscriber_id=number, erased=True)
        return Done("erase reader", f"reader {number}", "/admin/readers")

    return await acting(request, who, work)


async def next_digest(request: Request, who: Signed) -> Response:
    """The digest that a person would get next, in a frame that can do nothing."""
    reader = await _found(request)
    seen = await preview(harmless(context_of(request)), reader.email)
    silence = seen if isinstance(seen, Silence) else None
    framed = {"Content-Security-Policy": f"{POLICY}; frame-src 'self'"}
    return await desk_page(request, who, "preview", headers=framed, reader=reader, seen=seen, silence=silence)


async def letter(request: Request, who: Signed) -> Response:
    """What stands in the frame."""
    seen = await preview(harmless(context_of(request)), (await _found(request)).email)
    if not isinstance(seen, Preview):
        raise HTTPException(404)
    return HTMLResponse(seen.html, headers={"Content-Security-Policy": LETTER})


async def _found(request: Request) -> Subscriber:
    """A person who was not erased."""
    number = number_in_path(request)
    async with context_of(request).store.read() as tx:
        found = (await subscribers.by_ids(tx, [number])).get(number)
    return known_or_404(found if found is None or found.email else None)
