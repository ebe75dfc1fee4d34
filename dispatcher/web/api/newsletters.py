"""/newsletters: the publications of this installation. Config declares them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from dispatcher.store import newsletters, topics
from dispatcher.web.api.paging import Listed, Paging, page_of
from dispatcher.web.api.routes import Calling, needs, router
from dispatcher.web.api.schemas.newsletters import NewsletterShown

routes = router("newsletters")


@routes.get("/newsletters", response_model=Listed[NewsletterShown], **needs("topics:read"))
async def list_newsletters(call: Calling, asked: Annotated[Paging, Query()]) -> Response:
    """The newsletters that there are and were, newest first."""
    page, default = page_of("newsletters", asked), call.ctx.newsletter.id
    async with call.ctx.store.read() as tx:
        found = [one for one in await newsletters.every(tx) if page.before is None or (one.id or 0) < page.before]
        readers, offered = await newsletters.count_readers(tx), await topics.every(tx)
    found = found[::-1][: page.reach]
    theirs = {one.id: [t.slug for t in offered if (t.newsletter_id or default) == one.id] for one in found}
    shown = [NewsletterShown.of(one, theirs[one.id], readers.get(one.id or 0, 0)) for one in found[: asked.limit]]
    return call.page(shown, page.cut([one.id or 0 for one in found]))
