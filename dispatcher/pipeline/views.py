"""Views: digests as pages for anybody. What a mail shows, its personal blocks filled for nobody.

    a digest ▷ which of its articles are still kept ▷ known? ▷ the mail as it was sent, while its pieces are kept
                                                            ▷ or composed in full from its articles as they are now

While its pieces are kept, a view is the mail to the letter. Afterwards it has the same stories in the same order, as
today's templates and theme show them; an article that is not kept any more, or was withdrawn, is left out and counted.
A view has no size to stay below, so that a mail that had to be cut can be read in full.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import quopri
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.digest.compose import Outline
from dispatcher.digest.rehearsal import first_fault
from dispatcher.digest.render import HTML_LIMIT, Rendered, Templates, fit
from dispatcher.digest.slots import Letterhead, Links, Pieces, Slot, fill, names
from dispatcher.digest.transfer import QUOTED_PRINTABLE
from dispatcher.digest.understudy import sound
from dispatcher.digest.voice import speaking, voice
from dispatcher.digest.wire import Part, Wire
from dispatcher.errors import TemplateError
from dispatcher.model.outbound import Digest, DigestContent, Newsletter, Personal
from dispatcher.model.values import DeliveryKind
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import VIEWABLE
from dispatcher.pipeline.wires import kept_wire, outlines
from dispatcher.store import Transaction, articles

PAGE_LIMIT = 1_000_000
"""Octets of HTML, roughly; the last stories of a digest that is larger are counted only."""

REMEMBERED = 16_000_000
"""Octets, roughly, of views in memory."""


@dataclass(frozen=True, slots=True)
class View:
    """A digest as a page: a whole HTML document. `left_out` counts the stories that are not kept any more."""

    subject: str
    html: str
    left_out: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a digest can still be shown. `mark` changes whenever its view does."""

    digest: Digest
    newsletter: Newsletter
    left_out: int
    mark: str


async def look(ctx: Context, tx: Transaction, digests: Iterable[Digest]) -> list[Standing]:
    """Which of these digests can be shown, and what of them; no letters, and none of which nothing is left."""
    shown = [digest for digest in digests if digest.kind in VIEWABLE and not digest.letter]
    now = await articles.versions(tx, sorted({item[0] for digest in shown for item in (*digest.items, *digest.rest)}))
    await ctx.acquaint(tx, {digest.newsletter_id for digest in shown})
    standings = [_standing(ctx, digest, ctx.letter(digest.newsletter_id), now) for digest in shown]
    return [one for one in standings if one.digest.items or one.digest.kind is DeliveryKind.EDITION]


async def contents(ctx: Context, standings: Sequence[Standing]) -> list[DigestContent]:
    """What stands in these, as templates see it."""
    async with ctx.store.read() as tx:
        known = await outlines(ctx, tx, [one.digest for one in standings])
    return [known[one.digest.id or 0].content for one in standings]


async def show(ctx: Context, standing: Standing) -> View:
    """The view of a digest. TemplateError if the templates are broken."""
    return await ctx.kept(Gallery).show(standing)


class Gallery:
    """The views that this process remembers. They are made one at a time, in a thread, whoever else waits for one."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._making = asyncio.Lock()
        self._views: OrderedDict[str, View] = OrderedDict()  # the latest used last
        self._weight = 0
        self._templates: Templates | None = None
        self._made_of: Templates | None = None

    async def show(self, standing: Standing) -> View:
        """See the function of this name."""
        view = self._views.get(standing.mark)
        if view is None:
            async with self._making:
                view = self._views.get(standing.mark) or self._keep(standing.mark, await self._make(standing))
        self._views.move_to_end(standing.mark)
        return view

    async def _make(self, standing: Standing) -> View:
        async with self._ctx.store.read() as tx:
            is_whole = not standing.left_out and not standing.digest.rest
            wire = await kept_wire(self._ctx, tx, standing.digest) if is_whole else None
            outline = (await outlines(self._ctx, tx, [standing.digest]))[standing.digest.id or 0]
        if wire is not None and wire.pictures:  # they are inside the mail, and nowhere else is what it names
            wire = None
        return await asyncio.to_thread(self._composed, standing, outline, wire)

    def _composed(self, standing: Standing, outline: Outline, wire: Wire | None) -> View:
        """The mail as it was sent, if it was not cut and its pictures are where a browser finds them."""
        rendered = self._rendered(outline.content, standing.newsletter)
        links = Links(subscribe=_subscribe(self._ctx))
        with speaking(voice(outline.locale, outline.timezone)):
            if wire is not None and not wire.pictures and rendered.html_size <= HTML_LIMIT:
                return _filled(_sent(wire), wire.letterhead, links, standing.left_out)
            return _filled(rendered, Letterhead.of(standing.newsletter), links, standing.left_out)

    def _rendered(self, content: DigestContent, newsletter: Newsletter) -> Rendered:
        """In full, with templates that no other thread renders with. Ours stand in for what breaks on this digest."""

        def fails(some: Templates) -> TemplateError | None:
            return first_fault(some, (newsletter,), contents=(content,))

        now = self._ctx.templates
        if self._templates is None or self._made_of is not now:
            self._made_of, self._templates = now, Templates(collection=now.collection)
        try:
            return fit(content, newsletter, self._templates, PAGE_LIMIT)
        except TemplateError:
            self._templates = sound(self._templates, fails)
            return fit(content, newsletter, self._templates, PAGE_LIMIT)

    def _keep(self, mark: str, view: View) -> View:
        self._views[mark] = view
        self._weight += len(view.html)
        while self._weight > REMEMBERED and len(self._views) > 1:
            self._weight -= len(self._views.popitem(last=False)[1].html)
        return view


def _standing(ctx: Context, digest: Digest, newsletter: Newsletter, now: Mapping[int, tuple[int, object]]) -> Standing:
    """With those of its articles that are still kept."""
    whole = _gathered(digest)
    items = [item for item in whole if item[0] in now and now[item[0]][1] is None]
    versions = [(item[0], now[item[0]][0]) for item in items]
    look_of = newsletter.model_dump(), ctx.templates.version, ctx.settings.digest.summary_length, _subscribe(ctx)
    seen = digest.id, digest.wire is None, versions, look_of
    mark = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:32]
    more = max(digest.more - len(digest.rest), 0)
    return Standing(digest.model_copy(update={"items": items, "more": more}), newsletter, len(whole) - len(items), mark)


def _gathered(digest: Digest) -> list[list[Any]]:
    """Its stories and those that a cap left out, under their topics, the topics in the order of the mail."""
    everything = [*digest.items, *digest.rest]
    labels = list(dict.fromkeys(item[3] for item in everything))
    return sorted(everything, key=lambda item: labels.index(item[3])) if digest.rest else everything


def _subscribe(ctx: Context) -> str:
    """Where a visitor can become a reader; empty where nobody can."""
    url = ctx.settings.web.public_url
    return f"{url}/subscribe" if url and ctx.settings.subscribe.open else ""


def _sent(wire: Wire) -> Rendered:
    """What was rendered when the mail was made."""
    return Rendered(wire.subject, _decoded(wire.text), _decoded(wire.html))


def _decoded(part: Part) -> Pieces:
    if part.encoding != QUOTED_PRINTABLE:
        return part.pieces
    return tuple(
        quopri.decodestring(piece.encode()).decode().replace("\r\n", "\n") if isinstance(piece, str) else piece
        for piece in part.pieces
    )


def _filled(rendered: Rendered, letterhead: Letterhead, links: Links, left_out: int) -> View:
    known = names(Personal(), letterhead, links)

    def fill_in(pieces: Pieces, *, html: bool) -> str:
        return "".join(piece if isinstance(piece, str) else _of_nobody(piece, known, html=html) for piece in pieces)

    return View(fill_in(rendered.subject, html=False).strip(), fill_in(rendered.html, html=True), left_out)


def _of_nobody(slot: Slot, known: dict[str, object], *, html: bool) -> str:
    """A block that cannot do without a reader is left empty."""
    try:
        return fill(slot, known, html=html)
    except TemplateError:
        return ""
