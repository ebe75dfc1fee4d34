"""The form on other sites: /embed.js puts it there, /embed/form is what it puts, /embed tells operators how."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from dispatcher.pipeline import optin
from dispatcher.web.asking import context_of, visitor_of
from dispatcher.web.pages import STATIC, page
from dispatcher.web.readers.fields import read
from dispatcher.web.readers.form import OPEN_TO_ALL, Form
from dispatcher.web.readers.subscribe import closed, is_open
from dispatcher.web.words import best_language

router = APIRouter()
KEPT_AN_HOUR = {"Cache-Control": "public, max-age=3600"}


@router.get("/embed.js")
async def script(request: Request) -> Response:
    """What other sites load."""
    return FileResponse(STATIC / "embed.js", media_type="text/javascript", headers=OPEN_TO_ALL | KEPT_AN_HOUR)


@router.get("/embed/form")
async def piece(request: Request) -> Response:
    """The form as a piece of another site's page, in that page's language."""
    ctx = context_of(request)
    if not is_open(ctx):
        raise HTTPException(404, headers=OPEN_TO_ALL)
    lang = best_language(request.query_params.get("lang", ""), ctx.settings.site.language)
    fields = read(request.query_params, zone=ctx.settings.site.timezone, lang=lang)
    return await Form(request, fields, lang, is_embedded=True).show()


@router.get("/embed")
async def show(request: Request) -> Response:
    """What to copy into a page, in two forms."""
    ctx = context_of(request)
    if not is_open(ctx):
        return await closed(request)
    async with ctx.store.read() as tx:
        topics = list((await optin.offered(tx)).values())
    locale = visitor_of(request).locale
    return await page(request, "web/embed.html.j2", locale=locale, base=ctx.settings.web.public_url, topics=topics)
