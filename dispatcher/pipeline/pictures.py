"""Pictures: fetched for newsletters that carry theirs inside the mail, when digests are composed.

They are fetched as feeds are: by the guarded client, each host only where it may be reached, in so many octets and
seconds. One that cannot be had, or not now, stays at its address; the digest never waits for it for long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from dispatcher.digest import pictures
from dispatcher.digest.compose import Outline
from dispatcher.digest.fragments import Told
from dispatcher.digest.pictures import Limits, Picture
from dispatcher.digest.wire import Draft
from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context
from dispatcher.store import sources

log = logger("compose")

AT_ONCE, PATIENCE = 8, 10.0
"""Pictures that are fetched at the same time, and seconds that the digests of one claim wait for all of theirs."""

KEPT, GONE = 86_400.0, 3_600.0
"""Seconds after which a picture is fetched again, and after which one that could not be had is."""

REMEMBERED = 32_000_000
"""Octets of pictures in memory; when it is more, all are forgotten."""


MOST = 5_000
"""Stories with their pictures in memory."""


class Pictures:
    """The pictures that this process has fetched."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._known: dict[str, tuple[float, Picture | None]] = {}
        self._by_cid: dict[str, Picture] = {}
        self._inside: dict[tuple[Told, Picture], Told] = {}

    async def placed(self, outlines: Mapping[int, Outline]) -> dict[int, Outline]:
        """Digests with their pictures inside, where their newsletter wants that."""
        theirs = {i: one for i, one in outlines.items() if self._is_inline(one)}
        if not theirs:
            return dict(outlines)
        await self._fetch({url for one in theirs.values() for url in pictures.wanted(one)})
        chosen = self._ctx.settings.digest
        limits = Limits(chosen.inline_pictures, chosen.inline_size, chosen.inline_total)
        known = {url: found for url, (_, found) in self._known.items()}
        return {**outlines, **{i: pictures.placed(one, known, limits, self._with) for i, one in theirs.items()}}

    def attached(self, draft: Draft, outline: Outline) -> Draft:
        """A draft with the pictures that it names."""
        return pictures.attached(draft, self._by_cid) if self._is_inline(outline) else draft

    def _is_inline(self, outline: Outline) -> bool:
        has_any = bool(outline.sections or outline.written)
        return has_any and self._ctx.letter(outline.newsletter_id).theme.get("images") == "inline"

    def _with(self, told: Told, picture: Picture) -> Told:
        found = self._inside.get((told, picture))
        if found is None:
            if len(self._inside) >= MOST:  # of stories that have changed since, nobody knows which
                self._inside.clear()
            found = self._inside[told, picture] = Told(replace(told.story, image_url=f"cid:{picture.cid}"))
        return found

    async def _fetch(self, urls: Iterable[str]) -> None:
        """Have these pictures, if they can be had in time."""
        now = time.monotonic()
        missing = sorted(url for url in urls if self._known.get(url, (now, None))[0] <= now)
        if not missing:
            return
        if sum(found.size for found in self._by_cid.values()) > REMEMBERED:
            self._known.clear()
            self._by_cid.clear()
            self._inside.clear()
        private, gate = await self._private_places(), asyncio.Semaphore(AT_ONCE)
        self._known.update(dict.fromkeys(missing, (now + GONE, None)))  # until they are here

        async def one(url: str) -> None:
            async with gate:
                await self._take(url, allow_private=_place(url) in private)

        tasks = [asyncio.create_task(one(url)) for url in missing]
        _, late = await asyncio.wait(tasks, timeout=PATIENCE)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, url: str, *, allow_private: bool) -> None:
        from dispatcher.sources.http import Failure

        answer = await self._ctx.fetcher.get(url, allow_private=allow_private)
        if isinstance(answer, Failure):
            log.info("a picture cannot be had and stays where it is", reason=answer.reason)
            return
        found = None
        if len(answer.body) <= self._ctx.settings.digest.inline_size:
            found = pictures.picture(answer.body, self._ctx.addresses(None).domain)
        if found is None:
            log.info("a picture is too large, or of no kind that all mail programs show, and stays where it is")
            return
        found = self._by_cid.setdefault(found.cid, found)
        self._known[url] = time.monotonic() + KEPT, found

    async def _private_places(self) -> set[str]:
        """Hosts with ports that the operator has opened for a source: its pictures come from there, too."""
        async with self._ctx.store.read() as tx:
            return {_place(source.url) for source in await sources.every(tx) if source.allow_private}


def _place(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
