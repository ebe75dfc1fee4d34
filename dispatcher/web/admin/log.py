"""The audit log: who changed what, newest first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.store import audits
from dispatcher.web.admin.desk import desk_page, row_number
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of

SHOWN = 50


async def show(request: Request, who: Signed) -> Response:
    """A page of the log; `before` names the line that it goes on from."""
    before = row_number(request.query_params.get("before", ""))
    async with context_of(request).store.read() as tx:
        found = await audits.latest(tx, SHOWN + 1, before_id=before)
    older = found[SHOWN - 1].id if len(found) > SHOWN else None
    return await desk_page(request, who, "log", lines=found[:SHOWN], older=older, is_first=before is None)
