"""/archive: what was sent on public topics, for anybody; nothing at all while `[archive] public` does not say so."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dispatcher.digest.slots import Letterhead
from dispatcher.pipeline import holdings, views
from dispatcher.pipeline.archive import is_public
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.holdings import Offer
from dispatcher.pipeline.views import Standing
from dispatcher.store import Transaction, issues
from dispatcher.web.asking import context_of
from dispatcher.web.conditional import mark_of, unchanged, validators
from dispatcher.web.pages import page, version_of_pages, written
from dispatcher.web.readers.subscribe import is_open
from dispatcher.web.readers.view import POLICY, framed

router = APIRouter()

PUBLIC = {"Cache-Control": "public, max-age=300"}
A_PAGE = 20
"""Issues on one page."""

BOTH = ["GET", "HEAD"]


@router.api_route("/archive", methods=BOTH)
async def index(request: Request) -> Response:
    """Every newsletter with its topics and what was written for all of its readers."""
    ctx = opened(request)
    async with ctx.store.read() as tx:
        offers = await holdings.offers(ctx, tx)
        topics = await holdings.dated(tx, list(offers.values()))
        writings = await holdings.writings(ctx, tx, offers)
    shown = {paper.id: paper for paper in [*[o.newsletter for o in topics], *[w.newsletter for w in writings]]}
    papers = [
        (
            paper,
            [offer for offer in topics if offer.newsletter.id == paper.id],
            [writing for writing in writings if writing.newsletter.id == paper.id],
        )
        for paper in shown.values()
    ]
    locale = ctx.newsletter.language
    return await page(request, "web/archive.html.j2", locale=locale, headers=PUBLIC, papers=papers, **_known(ctx))


@router.api_route("/archive/{slug}", methods=BOTH)
async def topic(request: Request, slug: str, before: str = "") -> Response:
    """A topic's issues, newest first, a page at a time."""
    ctx, older_than = opened(request), day_of(before) if before else None
    async with ctx.store.read() as tx:
        offer = await offer_of(ctx, tx, slug)
        found = await issues.page(tx, offer.topic_id, before=older_than, limit=A_PAGE + 1)
        shown = await holdings.numbers(ctx, tx, [offer], found[:A_PAGE])
    return await page(
        request,
        "web/archive_topic.html.j2",
        locale=offer.newsletter.language,
        headers=PUBLIC,
        offer=offer,
        site=Letterhead.of(offer.newsletter),
        summaries=await holdings.summaries(ctx, shown),
        is_first=not before,
        older=found[A_PAGE - 1].issued_on if len(found) > A_PAGE else None,
        **_known(ctx),
    )


@router.api_route("/archive/{slug}/{day}", methods=BOTH)
async def issue(request: Request, slug: str, day: str) -> Response:
    """One issue, as its mail shows it, between the one before and the one after."""
    ctx, issued_on = opened(request), day_of(day)
    async with ctx.store.read() as tx:
        offer = await offer_of(ctx, tx, slug)
        found = await issues.on(tx, offer.topic_id, issued_on)
        if found is None:
            raise HTTPException(404)
        shown = await holdings.numbers(ctx, tx, [offer], [found])
        earlier, later = await issues.beside(tx, offer.topic_id, issued_on)
    if not shown:
        return await page(request, "web/gone.html.j2", status=410, locale=offer.newsletter.language)
    (number,) = shown
    return await _as_page(request, number.standing, f"/archive/{slug}/{day}", offer=offer, earlier=earlier, later=later)


@router.api_route("/editions/{slug}", methods=BOTH)
async def edition(request: Request, slug: str) -> Response:
    """What a person wrote for all readers of a newsletter."""
    ctx = opened(request)
    async with ctx.store.read() as tx:
        found = await holdings.writing(ctx, tx, slug)
    if found is None:
        raise HTTPException(404)
    return await _as_page(request, found[1], f"/editions/{slug}", offer=None, earlier=None, later=None)


async def _as_page(
    request: Request, standing: Standing, path: str, *, offer: Offer | None, earlier: date | None, later: date | None
) -> Response:
    """A mail's own HTML below a bar, unless they have it already."""
    ctx, paper = context_of(request), standing.newsletter
    name = offer.topic.name if offer else ""
    mark = mark_of(standing.mark, version_of_pages(ctx), path, name, paper.name, earlier, later, is_open(ctx))
    headers = {"Content-Security-Policy": POLICY, **PUBLIC, **validators(mark)}
    if same := unchanged(request, mark, None, headers):
        return same
    view = await views.show(ctx, standing)
    known: dict[str, Any] = {
        "paper": paper,
        "offer": offer,
        "path": path,
        "left_out": view.left_out,
        "earlier": earlier,
    }
    head, bar = (
        written(ctx, f"web/mail_{part}.html.j2", locale=paper.language, later=later, **known, **_known(ctx))
        for part in ("head", "bar")
    )
    return HTMLResponse(framed(view.html, head, bar), headers=headers)


def opened(request: Request) -> Context:
    """The context, if there is a public archive. HTTPException 404 if there is none."""
    ctx = context_of(request)
    if not is_public(ctx.settings):
        raise HTTPException(404)
    return ctx


async def offer_of(ctx: Context, tx: Transaction, slug: str) -> Offer:
    """A topic that anybody may read. HTTPException 404: whether there is another one of this name is not told."""
    found = (await holdings.offers(ctx, tx)).get(slug)
    if found is None:
        raise HTTPException(404)
    return found


def day_of(text: str) -> date:
    """A day in an address, in the one spelling that we write. HTTPException 404 if it is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise HTTPException(404) from None
    if day.isoformat() != text:
        raise HTTPException(404)
    return day


def _known(ctx: Context) -> dict[str, Any]:
    return {"base": ctx.settings.web.public_url, "is_open": is_open(ctx)}
