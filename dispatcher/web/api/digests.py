"""/digests: what was composed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from dispatcher.pipeline.links import url_of, viewing
from dispatcher.store import articles, outbox, pages, topics
from dispatcher.web.api.fields import Id
from dispatcher.web.api.paging import Listed, page_of
from dispatcher.web.api.problems import not_found
from dispatcher.web.api.routes import Calling, made, needs, router
from dispatcher.web.api.schemas.digests import DigestListing, DigestShown, DigestWhole

routes = router("digests")


@routes.get("/digests", response_model=Listed[DigestShown], **needs("digests:read"))
async def list_digests(call: Calling, asked: Annotated[DigestListing, Query()]) -> Response:
    """Digests, newest first."""
    page = page_of("digests", asked)
    async with call.ctx.store.read() as tx:
        found = await pages.digests(tx, before=page.before, limit=page.reach, since=asked.since)
    shown = [DigestShown.of(one, call.ctx.letter(one.newsletter_id).slug) for one in found[: asked.limit]]
    return call.page(shown, page.cut([one.id or 0 for one in found]))


@routes.get("/digests/{digest_id}", response_model=DigestWhole, **needs("digests:read"))
async def show_digest(call: Calling, digest_id: Id) -> Response:
    """One digest with its stories."""
    async with call.ctx.store.read() as tx:
        found = (await outbox.digests(tx, [digest_id])).get(digest_id)
        if found is None or found.letter:
            raise not_found(f"digest {digest_id}")
        told = await articles.by_ids(tx, [item[0] for item in found.items])
        names = {topic.name for topic in await topics.every(tx)}
    labels = {label for _, _, _, label, others in found.items for label in (label, *others)}
    view = url_of(call.ctx.door, call.ctx.keyring, viewing(digest_id)) if labels <= names else ""
    newsletter = call.ctx.letter(found.newsletter_id).slug
    return call.response(made(200, DigestWhole.with_items(found, newsletter, view, told, names)))
