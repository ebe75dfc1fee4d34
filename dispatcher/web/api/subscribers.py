"""/subscribers: who reads. The operator vouches for whom a program brings, or the person is asked by mail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from dispatcher.model.audience import Subscriber
from dispatcher.model.values import Origin, PausedBy, SubscriberStatus
from dispatcher.pipeline import departure, enrolment, hooks
from dispatcher.pipeline.admission import admit
from dispatcher.pipeline.departure import NOBODY
from dispatcher.pipeline.entries import address, subscriber_entry
from dispatcher.store import Transaction, pages, subscribers, topics
from dispatcher.store.engine import in_turn
from dispatcher.web.api import people
from dispatcher.web.api.asking import ask
from dispatcher.web.api.fields import Id
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.paging import Listed, page_of
from dispatcher.web.api.problems import ProblemError, not_found
from dispatcher.web.api.routes import Call, Calling, IdempotencyKey, made, needs, router
from dispatcher.web.api.schemas.subscribers import (
    Asked,
    Departure,
    NewSubscriber,
    SubscriberChange,
    SubscriberListing,
    SubscriberShown,
)

routes = router("subscribers")


@routes.get("/subscribers", response_model=Listed[SubscriberShown], **needs("subscribers:read", 404))
async def list_subscribers(call: Calling, asked: Annotated[SubscriberListing, Query()]) -> Response:
    """People, newest first. Who was erased is gone."""
    page = page_of("subscribers", asked)
    async with call.ctx.store.read() as tx:
        topic = await topics.by_slug(tx, asked.topic) if asked.topic else None
        if asked.topic and topic is None:
            raise not_found(f"topic {asked.topic!r}")
        found = await pages.subscribers(
            tx,
            before=page.before,
            limit=page.reach,
            email=address(asked.email) if asked.email else None,
            status=asked.status,
            topic_id=topic.id if topic else None,
        )
        shown = await people.shown(call, tx, found[: asked.limit])
    return call.page(shown, page.cut([one.id or 0 for one in found]))


@routes.post(
    "/subscribers",
    status_code=201,
    response_model=SubscriberShown,
    **needs("subscribers:write", 409, answers={202: Asked}),
)
async def add_subscriber(call: Calling, asked: NewSubscriber, idempotency_key: IdempotencyKey = None) -> Response:
    """Enrol somebody for whose consent you vouch (201), or ask them by mail to confirm (202)."""
    if asked.confirm:
        return await ask(call, asked)
    entry = asked.entry()

    async def work(tx: Transaction) -> Reply:
        await in_turn(tx, "declare")  # others may bring the same newcomer at this moment
        found = await subscribers.by_email(tx, entry.email.lower())
        if found is not None and found.status != SubscriberStatus.UNSUBSCRIBED:
            raise ProblemError(409, f"{entry.email} is here already, as subscriber {found.id}.")
        slugs, said = await people.offered(tx), frozenset(asked.model_fields_set)
        await admit(call.ctx, tx, entry, slugs, call.now, origin=Origin.API, consent=asked.consent, given=said)
        reader = await subscribers.by_email(tx, entry.email.lower())
        assert reader is not None
        await call.note(tx, "add subscriber", reader.id, consent=asked.consent)
        followed = [follow.topic for follow in entry.topics]
        await _announce(call, tx, "subscribed", reader.id or 0, reader=reader, topics=followed)
        return made(201, await people.shown_again(call, tx, reader.id or 0))

    return await call.once(work)


@routes.get("/subscribers/{subscriber_id}", response_model=SubscriberShown, **needs("subscribers:read"))
async def show_subscriber(call: Calling, subscriber_id: Id) -> Response:
    """One person with what they follow."""
    async with call.ctx.store.read() as tx:
        return call.response(made(200, await people.shown_again(call, tx, subscriber_id)))


@routes.patch("/subscribers/{subscriber_id}", response_model=SubscriberShown, **needs("subscribers:write", 409))
async def change_subscriber(call: Calling, subscriber_id: Id, asked: SubscriberChange) -> Response:
    """Change what is named. What the reader decided themselves stands, and what the configuration says."""
    said = asked.said()

    async def work(tx: Transaction) -> Reply:
        found = await people.held(tx, subscriber_id)
        if theirs := sorted(said.keys() & set(found.chosen)):
            raise ProblemError(409, f"The reader decided this themselves: {', '.join(theirs)}.")
        entry = subscriber_entry(email=found.email, **said)
        await admit(call.ctx, tx, entry, {}, call.now, origin=Origin.API, given=frozenset(said))
        if said:
            await call.note(tx, "change subscriber", subscriber_id, fields=sorted(said))
        return made(200, await people.shown_again(call, tx, subscriber_id))

    return await call.act(work)


@routes.delete("/subscribers/{subscriber_id}", status_code=204, **needs("subscribers:write"))
async def remove_subscriber(call: Calling, subscriber_id: Id, asked: Annotated[Departure, Query()]) -> Response:
    """Unsubscribe somebody, effective with the answer. Neither the configuration nor an import brings them back."""

    async def work(tx: Transaction) -> Reply:
        found = await people.held(tx, subscriber_id)
        letter = _letter(call, asked.newsletter)
        if asked.erase:
            await enrolment.erase(tx, call.ctx.address_key, found, call.now)
            await _announce(call, tx, "unsubscribed", found.id or 0, subscriber_id=found.id, erased=True)
        elif found.status != SubscriberStatus.UNSUBSCRIBED:
            await departure.leave(call.ctx, tx, found, letter, call.now, replace(NOBODY, source=call.caller.actor))
        await call.note(tx, "erase subscriber" if asked.erase else "unsubscribe", subscriber_id)
        return Reply(204)

    return await call.act(work)


@routes.post(
    "/subscribers/{subscriber_id}/pause", response_model=SubscriberShown, **needs("subscribers:write", 409)
)  # fmt: skip
async def pause_subscriber(call: Calling, subscriber_id: Id, idempotency_key: IdempotencyKey = None) -> Response:
    """Send somebody nothing until they are resumed."""

    async def pause(tx: Transaction, found: Subscriber) -> bool:
        return await enrolment.pause(tx, found, PausedBy.OPERATOR, call.ctx.newsletter.id or 0, call.now)

    return await _switch(call, subscriber_id, pause, "pause")


@routes.post(
    "/subscribers/{subscriber_id}/resume", response_model=SubscriberShown, **needs("subscribers:write", 409)
)  # fmt: skip
async def resume_subscriber(call: Calling, subscriber_id: Id, idempotency_key: IdempotencyKey = None) -> Response:
    """Send again to somebody who was paused. Whoever unsubscribed comes back only by themselves."""

    async def resume(tx: Transaction, found: Subscriber) -> bool:
        if found.paused_by == PausedBy.READER:
            raise ProblemError(409, "The reader paused this themselves; only they can resume it.")
        return await enrolment.resume(tx, found, call.ctx.newsletter.id or 0, call.now)

    return await _switch(call, subscriber_id, resume, "resume")


def _letter(call: Call, slug: str) -> int:
    """The newsletter with this slug; EVERY without one. ProblemError 404 if there is none."""
    if not slug:
        return enrolment.EVERY
    found = next((one for one in call.ctx.newsletters.values() if one.slug == slug), None)
    if found is None:
        raise not_found(f"newsletter {slug!r}")
    return found.id or 0


async def _switch(
    call: Call, subscriber_id: int, change: Callable[[Transaction, Subscriber], Awaitable[bool]], verb: str
) -> Response:
    async def work(tx: Transaction) -> Reply:
        found = await people.held(tx, subscriber_id)
        if not await change(tx, found):
            raise ProblemError(409, f"Nobody can {verb} somebody who is {found.status}.")
        await call.note(tx, f"{verb} subscriber", subscriber_id)
        return made(200, await people.shown_again(call, tx, subscriber_id))

    return await call.once(work)


async def _announce(
    call: Call, tx: Transaction, event: str, number: int, *, reader: Subscriber | None = None, **data: Any
) -> None:
    key = f"api:{number}:{call.now.isoformat()}"
    await hooks.announce(call.ctx, tx, event, call.now, key=key, reader=reader, **data)
