"""The audit log: who changed what, newest first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.store import audits
from dispatcher.web.admin.desk import desk_page
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of

SHOWN = 50


async def show(request: Request, who: Signed) -> Response:
    """A page of the log; `before` names the line that it goes on from."""
    text = request.query_params.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    async with context_of(request).store.read() as tx:
        found = await audits.latest(tx, SHOWN + 1, before_id=before)
    older = found[SHOWN - 1].id if len(found) > SHOWN else None
    return await desk_page(request, who, "log", lines=found[:SHOWN], older=older, is_first=before is None)
