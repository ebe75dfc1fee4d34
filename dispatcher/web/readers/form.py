"""The subscribe form as a page of ours, and as a piece of other sites' pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.digest.slots import Letterhead
from dispatcher.pipeline import optin
from dispatcher.pipeline.belonging import grouped
from dispatcher.pipeline.choices import Faults, faulty_queries
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.shelf import Tried
from dispatcher.web.asking import context_of, shelf_of
from dispatcher.web.pages import page
from dispatcher.web.readers import slips
from dispatcher.web.readers.fields import Fields, caret, zones
from dispatcher.web.words import languages

OPEN_TO_ALL = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""What a form in other sites' pages needs: it is answered to anybody alike, and knows no cookies."""


NONE = Faults()


@dataclass(frozen=True, slots=True)
class Query:
    """One of a reader's own queries as a page shows it: what is wrong with it, where, or what it would have found."""

    text: str
    error: str = ""
    place: str = ""
    tried: Tried | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A form that is to be shown: `faults` beneath the fields; `is_unsigned` asks to press the button once more."""

    request: Request
    fields: Fields
    locale: str
    faults: Faults = NONE
    is_unsigned: bool = False
    is_embedded: bool = False

    async def show(self) -> Response:
        """The form, by itself or as a piece of another page."""
        return await (self._piece() if self.is_embedded else self._page())

    async def thank(self) -> Response:
        """What everybody is told who has sent it, whatever was done."""
        name = "web/embedded_sent.html.j2" if self.is_embedded else "web/sent.html.j2"
        headers = OPEN_TO_ALL if self.is_embedded else {}
        return await page(
            self.request, name, locale=self.locale, headers=headers, address=self.fields.email, is_lost=False
        )

    async def _page(self) -> Response:
        ctx, fields = context_of(self.request), self.fields
        own = ctx.settings.subscribe.own_topics
        queries = await queries_of(self.request, fields.queries, is_trial=fields.do == "try")
        has_blank = len(queries) < own and (fields.do == "more" or not queries)
        return await page(
            self.request,
            "web/subscribe.html.j2",
            status=422 if self.faults else 200,
            locale=self.locale,
            headers={"Referrer-Policy": "same-origin"},
            queries=[*queries, *([Query("")] if has_blank else [])],
            may_add=bool(queries) and not has_blank and len(queries) < own,
            zones=zones(),
            **await self._known(ctx),
        )

    async def _piece(self) -> Response:
        ctx = context_of(self.request)
        return await page(
            self.request,
            "web/embedded.html.j2",
            status=422 if self.faults else 200,
            locale=self.locale,
            headers=OPEN_TO_ALL,
            base=ctx.settings.web.public_url,
            **await self._known(ctx),
        )

    async def _known(self, ctx: Context) -> dict[str, Any]:
        """What both of them show."""
        async with ctx.store.read() as tx:
            groups = grouped(ctx, (await optin.offered(tx)).values(), lambda topic: topic)
        newsletter = slips.shown(ctx, self.fields.newsletter)
        if newsletter.slug == self.fields.newsletter:
            groups = [group for group in groups if group.newsletter.id == newsletter.id]
        return {
            "site": Letterhead.of(newsletter),
            "groups": groups,
            "fields": self.fields,
            "faults": self.faults.fields,
            "is_unsigned": self.is_unsigned,
            "topics": [topic for group in groups for topic in group.members],
            "spoken": spoken(ctx),
            "wording": slips.wording(ctx, self.locale, self.fields.newsletter),
            "privacy_url": ctx.settings.subscribe.privacy_url,
            "token": self._slip(ctx),
        }

    def _slip(self, ctx: Context) -> str:
        """The slip that it came with, so that no time begins anew, or a fresh one.

        Whoever is asked to press once more has filled it in already, somewhere else: they need not wait again.
        """
        now = clock.now()
        if slips.read(ctx, self.fields.token, now, self.fields.newsletter):
            return self.fields.token
        waited = ctx.settings.subscribe.min_time if self.is_unsigned else None
        return slips.write(ctx, self.locale, now - waited if waited else now, self.fields.newsletter)


def spoken(ctx: Context) -> Mapping[str, str]:
    """The languages that mails can be written in, and their names: those we have words for, and the site's."""
    site = ctx.settings.site.language
    return languages() if site in languages() else {site: site, **languages()}


async def queries_of(request: Request, texts: Sequence[str], *, is_trial: bool) -> list[Query]:
    """Queries with what is wrong with them and, as a trial, with what they would have found."""
    wrong, found = faulty_queries(texts), []
    language = context_of(request).settings.site.language
    for place, text in enumerate(texts):
        if error := wrong.get(place):
            found.append(Query(text, str(error), caret(error)))
        else:
            tried = await shelf_of(request).find(text, language) if is_trial else None
            found.append(Query(text, tried=tried))
    return found
