"""Deliveries: what stands where, one delivery's story, and send again, approve, cancel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.errors import StoreError
from dispatcher.model.values import DeliveryStatus
from dispatcher.store import Transaction, desk, outbox
from dispatcher.web.admin.desk import Done, acting, desk_page, known_or_404, number_in_path, numbers, texts
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of

SHOWN = 50
LIFE = timedelta(hours=12)  # how long a delivery that is sent again may take
RETRIABLE = (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED, DeliveryStatus.DEFERRED)
CANCELLABLE = (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED, DeliveryStatus.HELD)


async def listing(request: Request, who: Signed) -> Response:
    """Deliveries of one status: those that wait for a person first."""
    status = _status(request.query_params.get("status", "held"))
    async with context_of(request).store.read() as tx:
        found = await desk.deliveries(tx, status, SHOWN)
    return await desk_page(
        request, who, "deliveries", deliveries=found, chosen=status, statuses=list(DeliveryStatus), verbs=_verbs(status)
    )


async def one(request: Request, who: Signed) -> Response:
    """One delivery's story."""
    number = number_in_path(request)
    async with context_of(request).store.read() as tx:
        delivery = known_or_404(await outbox.get(tx, number))
        attempts = await outbox.attempts(tx, number)
    return await desk_page(
        request, who, "delivery", delivery=delivery, attempts=attempts, verbs=_verbs(delivery.status)
    )


async def change(request: Request, who: Signed) -> Response:
    """Send again, approve or cancel the deliveries that were ticked."""
    ids, given = await numbers(request, "ids"), await texts(request, "verb", "status", "one")
    verb, status = given["verb"], _status(given["status"])
    if verb not in VERBS or not ids:
        raise StoreError("nothing was ticked; go back and choose deliveries first")
    back = f"/admin/deliveries/{ids[0]}" if given["one"] else f"/admin/deliveries?status={status}"

    async def work(tx: Transaction, now: datetime) -> Done:
        count = await VERBS[verb](tx, ids, now)
        if not count:
            raise StoreError("none of them can be changed so any more; something else has happened to them meanwhile")
        named = f"{len(ids)} deliveries" if len(ids) > 1 else f"delivery {ids[0]}"
        return Done(f"{verb} {'deliveries' if len(ids) > 1 else 'delivery'}", named, back, {"ids": ids, "done": count})

    return await acting(request, who, work)


async def _retry(tx: Transaction, ids: Sequence[int], now: datetime) -> int:
    """Only what did not arrive: what is held may have, and needs approving."""
    wanted = [number for number in ids if await _stands(tx, number, RETRIABLE)]
    return await outbox.requeue(tx, wanted, now, now + LIFE)


async def _approve(tx: Transaction, ids: Sequence[int], now: datetime) -> int:
    """What is held goes out, though it may arrive twice."""
    wanted = [number for number in ids if await _stands(tx, number, (DeliveryStatus.HELD,))]
    return await outbox.requeue(tx, wanted, now, now + LIFE)


VERBS: dict[str, Callable[[Transaction, Sequence[int], datetime], Awaitable[int]]] = {
    "retry": _retry,
    "approve": _approve,
    "cancel": outbox.cancel,
}


async def _stands(tx: Transaction, number: int, statuses: Sequence[DeliveryStatus]) -> bool:
    found = await outbox.get(tx, number)
    return found is not None and found.status in statuses


def _verbs(status: DeliveryStatus) -> list[str]:
    """What can be done to deliveries of a status."""
    offered = [("approve", status == DeliveryStatus.HELD), ("retry", status in RETRIABLE)]
    return [verb for verb, fits in [*offered, ("cancel", status in CANCELLABLE)] if fits]


def _status(text: str) -> DeliveryStatus:
    try:
        return DeliveryStatus(text)
    except ValueError:
        raise HTTPException(404) from None
