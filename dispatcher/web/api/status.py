"""/status: what `dispatcher status --json` says."""

from __future__ import annotations

from starlette.responses import Response

from dispatcher.store import figures
from dispatcher.web.api.routes import Calling, made, needs, router
from dispatcher.web.api.schemas.status import StatusShown

routes = router("status")


@routes.get("/status", response_model=StatusShown, **needs("status:read"))
async def show_status(call: Calling) -> Response:
    """Counts of everything, and whether a daemon runs."""
    return call.response(made(200, StatusShown(**await figures.overview(call.ctx.store))))
