"""/subscribe: the form, its answer, and the trial of a reader's own query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.pipeline import optin
from dispatcher.pipeline.choices import Choices, Faults, check
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.disposable import disposable_domains
from dispatcher.pipeline.optin import Proof
from dispatcher.web.asking import context_of, visitor_of
from dispatcher.web.pages import page
from dispatcher.web.readers import slips
from dispatcher.web.readers.fields import LONGEST, Fields, cleaned, form_of, read
from dispatcher.web.readers.form import Form, queries_of, spoken
from dispatcher.web.readers.slips import Pace
from dispatcher.web.words import best_language

router = APIRouter()
TOO_OFTEN = {"Retry-After": "3600"}  # seconds: a network's limit is by the hour


@router.get("/subscribe")
async def show(request: Request) -> Response:
    """The form, with the topics, address and queries filled in that stand in its own address."""
    ctx, locale = context_of(request), visitor_of(request).locale
    if not is_open(ctx):
        return await closed(request)
    fields = read(request.query_params, zone=ctx.settings.site.timezone, lang=locale)
    return await Form(request, fields, locale).show()


@router.post("/subscribe")
async def take(request: Request) -> Response:
    """What was sent: the same answer whoever reads at that address, and whether or not anybody does."""
    ctx, now, pace = context_of(request), clock.now(), Pace()
    if not is_open(ctx):
        return await closed(request)
    sent = await form_of(request)
    locale = best_language(str(sent.get("lang", "")), visitor_of(request).locale)
    fields = read(sent, zone=ctx.settings.site.timezone, lang=locale)
    slip = slips.read(ctx, fields.token, now, fields.newsletter)
    form = Form(request, fields, slip.locale if slip else locale, is_embedded=sent.get("embed") == "1")
    if fields.do in ("try", "more"):
        return await form.show()
    if fields.website or (slip and slip.is_hasty(now, ctx.settings.subscribe.min_time)):
        await pace.wait()  # a robot, that need not know that it was seen through
        return await form.thank()
    if slip is None:
        return await replace(form, fields=_unsigned(request, fields), is_unsigned=True).show()
    choices, faults = await _checked(ctx, fields)
    if faults:
        return await replace(form, faults=faults).show()
    if not await optin.request(ctx, choices, _proof(request, slip.wording, fields.origin), now):
        raise HTTPException(429, headers=TOO_OFTEN)
    await pace.wait()
    return await form.thank()


@router.get("/subscribe/try")
async def try_out(request: Request, q: str = "") -> Response:
    """What a query would have found, as a piece of a page."""
    ctx = context_of(request)
    if not is_open(ctx) or not ctx.settings.subscribe.own_topics:
        raise HTTPException(404)
    found = await queries_of(request, [cleaned(q)] if cleaned(q) else [], is_trial=True)
    return await page(request, "web/tried.html.j2", query=found[0] if found else None)


def is_open(ctx: Context) -> bool:
    """Whether anybody can subscribe. Without a public address, no mail could carry a link to confirm with."""
    return ctx.settings.subscribe.open and bool(ctx.settings.web.public_url)


async def closed(request: Request) -> Response:
    """Nobody can subscribe here; says whether that is meant."""
    is_meant = not context_of(request).settings.subscribe.open
    return await page(request, "web/closed.html.j2", status=403, is_meant=is_meant)


async def _checked(ctx: Context, fields: Fields) -> tuple[Choices, Faults]:
    async with ctx.store.read() as tx:
        offered = await optin.offered(tx)
    choices, faults = check(
        fields.choices(),
        offered=offered,
        locales=spoken(ctx),
        own_topics=ctx.settings.subscribe.own_topics,
        disposable=disposable_domains(ctx),
    )
    missing: Mapping[str, str] = {} if fields.consent else {"consent": "missing"}
    return choices, Faults({**faults.fields, **missing}, faults.queries)


def _unsigned(request: Request, fields: Fields) -> Fields:
    """A form that we did not make: its words of consent were not ours, and we keep in mind where it stood."""
    return replace(fields, token="", consent="", origin=fields.origin or _elsewhere(request))


def _proof(request: Request, wording: str, origin: str) -> Proof:
    visitor, ours = visitor_of(request), f"{context_of(request).settings.web.public_url}/subscribe"
    source = origin or _elsewhere(request) or ours
    return Proof(wording, source, visitor.ip, visitor.network, visitor.user_agent)


def _elsewhere(request: Request) -> str:
    """The page of another site that a form was sent from, as far as the browser says; empty for our own."""
    headers, ours = request.headers, context_of(request).settings.web.public_url
    said = cleaned(headers.get("referer", "") or headers.get("origin", ""))[:LONGEST]
    host = request.headers.get("host", "")
    is_ours = said == "null" or said.startswith((f"{ours}/", f"http://{host}/", f"https://{host}/"))
    return "" if is_ours or said.rstrip("/") == ours else said
