"""/sending: what keeps mail back, and to keep it back or let it go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Body
from starlette.responses import Response

from dispatcher.pipeline import safety
from dispatcher.pipeline.standing import standing
from dispatcher.store import Transaction
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.routes import Call, Calling, IdempotencyKey, made, needs, router
from dispatcher.web.api.schemas.sending import PauseAsked, SendingShown

routes = router("sending")
MaybePause = Annotated[PauseAsked | None, Body()]


@routes.get("/sending", response_model=SendingShown, **needs("status:read"))
async def show_sending(call: Calling) -> Response:
    """What keeps mail back, how today compares with the usual, and what came back."""
    async with call.ctx.store.read() as tx:
        return call.response(await _shown(call, tx))


@routes.post("/sending/pause", response_model=SendingShown, **needs("deliveries:write"))
async def pause_sending(call: Calling, asked: MaybePause = None, idempotency_key: IdempotencyKey = None) -> Response:
    """Keep mail back, in every process. What waits too long expires. Twice is as good as once."""
    wish = asked or PauseAsked()

    async def pause(tx: Transaction) -> Any:
        return await safety.pause(call.ctx, tx, wish.scope, call.now, call.caller.actor, reason=wish.reason)

    return await _do(call, pause)


@routes.post("/sending/resume", response_model=SendingShown, **needs("deliveries:write"))
async def resume_sending(call: Calling, idempotency_key: IdempotencyKey = None) -> Response:
    """Let go what was kept back by hand, or because too much came back. Far more than usual waits for its approval."""

    async def resume(tx: Transaction) -> Any:
        return await safety.resume(call.ctx, tx, call.now, call.caller.actor)

    return await _do(call, resume)


@routes.post("/sending/approve", response_model=SendingShown, **needs("deliveries:write"))
async def approve_sending(call: Calling, idempotency_key: IdempotencyKey = None) -> Response:
    """Let go what is far more than usual: for a day, and for up to twice what waits now."""

    async def approve(tx: Transaction) -> Any:
        return await safety.approve(call.ctx, tx, call.now, call.caller.actor)

    return await _do(call, approve)


async def _do(call: Call, change: Callable[[Transaction], Awaitable[Any]]) -> Response:
    async def work(tx: Transaction) -> Reply:
        await change(tx)
        return await _shown(call, tx)

    return await call.once(work)


async def _shown(call: Call, tx: Transaction) -> Reply:
    return made(200, SendingShown.of(await standing(call.ctx, tx, call.now)))
