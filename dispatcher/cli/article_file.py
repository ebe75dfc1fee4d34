"""An article that somebody names by a file or an address, to try something on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dispatcher.model.content import Article


async def read_article(where: str, user_agent: str) -> Article:
    """The article in a text, Markdown or HTML file or behind an http(s) URL. SourceError if there is none."""
    import asyncio
    from dataclasses import replace
    from pathlib import Path

    from dispatcher import clock
    from dispatcher.articles.clean import clean
    from dispatcher.errors import SourceError
    from dispatcher.model.content import Source
    from dispatcher.model.values import Origin
    from dispatcher.sources import document
    from dispatcher.sources.http import Fetcher, Response

    now = clock.now()
    if where.startswith(("http://", "https://")):
        async with Fetcher(user_agent) as fetcher:
            answer = await fetcher.get(where)
        if not isinstance(answer, Response):
            raise SourceError(f"{where}: {answer.reason}")
        data, name, base = answer.body, "page.html", answer.url
    else:
        data, name, base = await asyncio.to_thread(Path(where).read_bytes), Path(where).name, ""
    if Path(name).suffix.lower() not in document.KINDS:
        raise SourceError(f"{where}: an article is a {', '.join(document.KINDS)} file or an http(s) URL")
    raw = document.parse(data, path=name, modified_at=now)
    if raw is None:
        raise SourceError(f"{where}: this is a draft, which no reader would see")
    source = Source(name="test", url=where, origin=Origin.CLI, next_poll_at=now, created_at=now)
    return clean(replace(raw, base_url=raw.base_url or base), source, now)
