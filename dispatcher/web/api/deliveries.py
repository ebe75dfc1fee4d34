"""/deliveries: who got what, who did not, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Body, Query
from starlette.responses import Response

from dispatcher.outbox.story import timeline
from dispatcher.store import Transaction, outbox, pages, stories
from dispatcher.web.api.fields import Id
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.paging import Listed, page_of
from dispatcher.web.api.problems import ProblemError, not_found
from dispatcher.web.api.routes import Call, Calling, IdempotencyKey, made, needs, router
from dispatcher.web.api.schemas.deliveries import (
    AttemptShown,
    DeliveryListing,
    DeliveryShown,
    DeliveryStory,
    MomentShown,
    Retry,
)

routes = router("deliveries")
MaybeRetry = Annotated[Retry | None, Body()]


@routes.get("/deliveries", response_model=Listed[DeliveryShown], **needs("deliveries:read"))
async def list_deliveries(call: Calling, asked: Annotated[DeliveryListing, Query()]) -> Response:
    """Deliveries, newest first."""
    page = page_of("deliveries", asked)
    same: dict[str, Any] = {"status": asked.status, "kind": asked.kind, "subscriber_id": asked.subscriber}
    async with call.ctx.store.read() as tx:
        found = await pages.deliveries(tx, before=page.before, limit=page.reach, since=asked.since, **same)
    shown = [DeliveryShown.of(delivery) for delivery in found[: asked.limit]]
    return call.page(shown, page.cut([delivery.id or 0 for delivery in found]))


@routes.get("/deliveries/{delivery_id}", response_model=DeliveryStory, **needs("deliveries:read"))
async def show_delivery(call: Calling, delivery_id: Id) -> Response:
    """One delivery with every attempt at it."""
    async with call.ctx.store.read() as tx:
        return call.response(made(200, await _story(tx, delivery_id)))


@routes.post("/deliveries/{delivery_id}/retry", response_model=DeliveryStory, **needs("deliveries:write", 409))
async def retry_delivery(
    call: Calling, delivery_id: Id, asked: MaybeRetry = None, idempotency_key: IdempotencyKey = None
) -> Response:
    """Send again what failed, expired, is held or deferred. A suppressed address stays suppressed."""
    expires_at = call.now + timedelta(hours=(asked or Retry()).hours)

    async def requeue(tx: Transaction) -> int:
        return await outbox.requeue(tx, [delivery_id], call.now, expires_at)

    return await _move(call, delivery_id, requeue, "retry")


@routes.post("/deliveries/{delivery_id}/cancel", response_model=DeliveryStory, **needs("deliveries:write", 409))
async def cancel_delivery(call: Calling, delivery_id: Id, idempotency_key: IdempotencyKey = None) -> Response:
    """Withdraw a delivery that has not left."""

    async def cancel(tx: Transaction) -> int:
        return await outbox.cancel(tx, [delivery_id], call.now)

    return await _move(call, delivery_id, cancel, "cancel")


async def _move(call: Call, delivery_id: int, move: Callable[[Transaction], Awaitable[int]], verb: str) -> Response:
    async def work(tx: Transaction) -> Reply:
        before = await _story(tx, delivery_id)
        if not await move(tx):
            raise ProblemError(409, f"Nobody can {verb} a delivery that is {before.status}.")
        await call.note(tx, f"{verb} delivery", delivery_id)
        return made(200, await _story(tx, delivery_id))

    return await call.once(work)


async def _story(tx: Transaction, delivery_id: int) -> DeliveryStory:
    found = await outbox.get(tx, delivery_id)
    if found is None:
        raise not_found(f"delivery {delivery_id}")
    attempts, events, suppressions = await stories.of(tx, found)
    told = timeline(found, attempts, events, suppressions)
    return DeliveryStory(
        **DeliveryShown.of(found).model_dump(),
        attempts_made=[AttemptShown.of(attempt) for attempt in attempts],
        story=[MomentShown.model_validate(moment, from_attributes=True) for moment in told],
    )
