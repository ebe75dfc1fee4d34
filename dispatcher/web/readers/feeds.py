"""/archive/feed.atom: the archive's issues for feed readers (RFC 4287), of all public topics or of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.digest.render import tidy
from dispatcher.digest.slots import Letterhead
from dispatcher.model.outbound import Newsletter
from dispatcher.pipeline import holdings
from dispatcher.pipeline.holdings import Number, Offer, Writing, lasting_id, summaries
from dispatcher.store import issues
from dispatcher.web.asking import context_of
from dispatcher.web.conditional import mark_of, unchanged, validators
from dispatcher.web.pages import version_of_pages, written
from dispatcher.web.readers.archive import BOTH, PUBLIC, offer_of, opened
from dispatcher.web.readers.form import OPEN_TO_ALL

router = APIRouter()

ENTRIES = 20
"""Issues in one feed."""


@router.api_route("/archive/feed.atom", methods=BOTH)
async def of_all(request: Request) -> Response:
    """The newest issues of all topics, and the newest editions."""
    ctx = opened(request)
    async with ctx.store.read() as tx:
        known = await holdings.offers(ctx, tx)
        offers = list(known.values())
        found = await issues.newest(tx, {offer.topic_id for offer in offers}, ENTRIES)
        shown = await holdings.numbers(ctx, tx, offers, found)
        writings = (await holdings.writings(ctx, tx, known))[:ENTRIES]
    return await _feed(request, ctx.newsletter, None, shown, writings)


@router.api_route("/archive/{slug}/feed.atom", methods=BOTH)
async def of_topic(request: Request, slug: str) -> Response:
    """The newest issues of a topic."""
    ctx = opened(request)
    async with ctx.store.read() as tx:
        offer = await offer_of(ctx, tx, slug)
        found = await issues.page(tx, offer.topic_id, before=None, limit=ENTRIES)
        shown = await holdings.numbers(ctx, tx, [offer], found)
    return await _feed(request, offer.newsletter, offer, shown)


async def _feed(
    request: Request, newsletter: Newsletter, offer: Offer | None, shown: Sequence[Number],
    writings: Sequence[Writing] = (),
) -> Response:  # fmt: skip
    """A feed, unless they have it already."""
    ctx = context_of(request)
    instants = [*[number.issue.created_at for number in shown], *[writing.sent_at for writing in writings]]
    updated_at = max(instants, default=_EMPTY_SINCE)
    told = [(writing.edition.id, writing.edition.version, writing.sent_at) for writing in writings]
    mark = mark_of(
        version_of_pages(ctx), newsletter.model_dump(), offer.topic.model_dump() if offer else None, told,
        [(number.standing.mark, number.offer.topic.name) for number in shown],
    )  # fmt: skip
    headers = {**OPEN_TO_ALL, **PUBLIC, **validators(mark, updated_at)}
    if same := unchanged(request, mark, updated_at, headers):
        return same
    text = written(
        ctx,
        "web/feed.atom.j2",
        locale=newsletter.language,
        newsletter=Letterhead.of(newsletter),
        base=ctx.settings.web.public_url,
        path=f"/archive/{offer.topic.slug}" if offer else "/archive",
        offer=offer,
        feed_id=lasting_id(newsletter, offer.topic.slug if offer else ""),
        updated_at=updated_at,
        summaries=await summaries(ctx, shown),
        writings=writings,
    )
    return Response(_fit_for_xml(text), headers=headers, media_type="application/atom+xml")


_EMPTY_SINCE = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_NOT_IN_XML = re.compile("[\ufffe\uffff]")


def _fit_for_xml(text: str) -> str:
    """Without the characters that XML 1.0 §2.2 has no place for."""
    return _NOT_IN_XML.sub("", tidy(text))
