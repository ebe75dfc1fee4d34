"""/p/TOKEN: all that a reader gets, in one form. Whoever has the link may change it, for mails are forwarded, but sees
no whole address and takes nothing away: that needs a fresh link, mailed to the address itself."""

from __future__ import annotations

from collections.abc import Mapping

from babel.dates import get_day_names
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dispatcher import clock
from dispatcher.digest.voice import voice
from dispatcher.errors import TokenError
from dispatcher.model.values import Layout
from dispatcher.pipeline import account
from dispatcher.pipeline import preferences as chosen
from dispatcher.pipeline.account import Holder
from dispatcher.pipeline.belonging import grouped, is_itself
from dispatcher.pipeline.enrolment import EVERY
from dispatcher.pipeline.links import leaving
from dispatcher.pipeline.own_topics import LONGEST_QUERY
from dispatcher.pipeline.preferences import Sheet
from dispatcher.schedule.quiet import WEEK
from dispatcher.tokens import Purpose
from dispatcher.web.asking import context_of
from dispatcher.web.pages import at, page
from dispatcher.web.readers.fields import zones
from dispatcher.web.readers.links import dead_link, masked, moved_link, path_of
from dispatcher.web.readers.wishes import (
    LONGEST_NAME,
    LONGEST_PAUSE,
    OFTEN,
    Fault,
    Typed,
    often_of,
    read,
    typed_from,
    typed_of,
)
from dispatcher.web.words import languages

router = APIRouter()

MOST_FIELDS = 5_000


@router.api_route("/p/{token}", methods=["GET", "HEAD"])
async def show(request: Request, token: str) -> Response:
    """The form, filled in with what is."""
    ctx = context_of(request)
    try:
        async with ctx.store.read() as tx:
            found = await account.holder(ctx, tx, token, Purpose.PREFERENCES, clock.now())
            if found is None:
                return await moved_link(request)
            if not found.is_here:
                return await _left(request, found, token)
            sheet = await chosen.look(ctx, tx, found.reader, found.endpoint)
    except TokenError:
        return await dead_link(request)
    return await _form(request, token, sheet, typed_from(sheet), saved="saved" in request.query_params)


@router.post("/p/{token}")
async def save(request: Request, token: str) -> Response:
    """Take the form, all of it or nothing. A stale one brings nobody back who has left meanwhile."""
    ctx, now = context_of(request), clock.now()
    typed = typed_of(await request.form(max_files=0, max_fields=MOST_FIELDS))
    try:
        async with ctx.store.write() as tx:
            found = await account.holder(ctx, tx, token, Purpose.PREFERENCES, now, lock=True)
            if found is None:
                return await moved_link(request)
            if not found.is_here:
                return await _left(request, found, token)
            sheet = await chosen.look(ctx, tx, found.reader, found.endpoint)
            limit = ctx.settings.subscribe.own_topics
            wishes, faults = read(typed, sheet, now, locales=languages(), own_topics=limit)
            if not faults:
                await chosen.apply(ctx, tx, sheet, wishes, now)
    except TokenError:
        return await dead_link(request)
    if faults:
        return await _form(request, token, sheet, typed, faults)
    return RedirectResponse(at(ctx, f"/p/{token}?saved"), 303)


@router.post("/p/{token}/verify")
async def verify(request: Request, token: str) -> Response:
    """Mail a fresh link to the address itself. Says the same however often it is asked."""
    ctx, now = context_of(request), clock.now()
    try:
        async with ctx.store.write() as tx:
            found = await account.holder(ctx, tx, token, Purpose.PREFERENCES, now, lock=True)
            if found is None:
                return await moved_link(request)
            await account.mail_link(ctx, tx, found, now)
    except TokenError:
        return await dead_link(request)
    reader = found.reader
    return await page(
        request,
        "web/verify_sent.html.j2",
        locale=reader.locale,
        timezone=reader.timezone,
        address=masked(found.endpoint.address),
        back=at(ctx, f"/p/{token}"),
    )


async def _left(request: Request, found: Holder, token: str) -> Response:
    """Whoever has left may come back, by the front door, and still ask for their data."""
    return await page(
        request, "web/left.html.j2", locale=found.reader.locale, address=masked(found.endpoint.address), token=token
    )


NO_FAULTS: Mapping[str, Fault] = {}


async def _form(
    request: Request, token: str, sheet: Sheet, typed: Typed, faults: Mapping[str, Fault] = NO_FAULTS, *,
    saved: bool = False,
) -> Response:  # fmt: skip
    ctx, reader = context_of(request), sheet.reader
    named = get_day_names("wide", locale=voice(reader.locale, reader.timezone).locale)
    weekdays = {day: named[number] for number, day in enumerate(WEEK)}
    spoken, groups = languages(), grouped(ctx, sheet.offered, lambda line: line.topic)
    return await page(
        request,
        "web/preferences.html.j2",
        status=422 if faults else 200,
        locale=reader.locale,
        timezone=reader.timezone,
        sheet=sheet,
        reader=reader,
        address=masked(sheet.endpoint.address),
        typed=typed,
        faults=faults,
        saved=saved,
        path=at(ctx, f"/p/{token}"),
        groups=groups,
        itself=is_itself,
        leave_one=lambda group: path_of(ctx, leaving(reader.id or 0, group.newsletter.id or 0)),
        leave=path_of(ctx, leaving(reader.id or 0, EVERY if len(groups) > 1 else ctx.newsletter.id or 0)),
        usual=reader.cadence,
        often=OFTEN,
        often_of=often_of,
        usual_often=typed_from(sheet).one("often"),
        weekdays=weekdays,
        weekdays_of=lambda days: [weekdays.get(day, day) for day in days.split(",")],
        layouts=list(Layout),
        languages=spoken if reader.locale in spoken else {reader.locale: reader.locale, **spoken},
        zones=zones(),
        may_add=len(sheet.own) < ctx.settings.subscribe.own_topics or "query-new" in faults,
        own_topics=ctx.settings.subscribe.own_topics,
        longest_query=LONGEST_QUERY,
        longest_name=LONGEST_NAME,
        latest=(clock.now() + LONGEST_PAUSE).date(),
    )
