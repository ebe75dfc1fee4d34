"""Trying a query: against a text that is pasted, or against the latest articles. Nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.errors import DispatcherError, QueryError
from dispatcher.model.content import Article
from dispatcher.pipeline.entries import topic_entry
from dispatcher.pipeline.trial import explained
from dispatcher.store import articles
from dispatcher.topics.explain import Explanation
from dispatcher.topics.parser import parse
from dispatcher.web.admin.desk import desk_page, texts
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of

LONGEST = 50_000  # characters of a text that is looked at
SHOWN = 20
RECENT = 200  # articles that a trial looks through: enough to see what a query does, few enough to answer at once
FIELDS = ("query", "language", "title", "text")


async def form(request: Request, who: Signed) -> Response:
    """The form, perhaps with a query that another page links to."""
    params = request.query_params
    given = {
        "query": params.get("query", "")[:2000],
        "language": params.get("language", "")[:35],
        "title": "",
        "text": "",
    }
    return await _page(request, who, given)


async def attempt(request: Request, who: Signed) -> Response:
    """What a query finds, and why."""
    given = await texts(request, *FIELDS)
    ctx = context_of(request)
    try:
        parse(given["query"])
        checked = topic_entry(slug="test", query=given["query"], language=given["language"])
    except QueryError as error:
        return await _page(request, who, given, status=422, error=error.with_caret())
    except DispatcherError as error:
        return await _page(request, who, given, status=422, error=str(error))
    language = checked.language or ctx.settings.site.language
    if given["title"] or given["text"]:
        found = await asyncio.to_thread(explained, given["query"], _pasted(given, language), language)
        return await _page(request, who, given, explanation=found)
    async with ctx.store.read() as tx:
        latest = [article for article in await articles.newest(tx, limit=RECENT) if article.pruned_at is None]
        names = await articles.source_names(tx, [article.id or 0 for article in latest])
    matched = await asyncio.to_thread(_matched, given["query"], language, latest, names)
    return await _page(request, who, given, matched=matched, shown=matched[:SHOWN], looked_at=len(latest))


def _matched(
    query: str, language: str, latest: Sequence[Article], names: Mapping[int, Sequence[str]]
) -> list[tuple[Article, Explanation]]:
    """Those that a query finds, newest first, and why."""
    answers = [(article, explained(query, article, language, names.get(article.id or 0, ()))) for article in latest]
    return [(article, answer) for article, answer in answers if answer.matched]


def _pasted(given: dict[str, str], language: str) -> Article:
    """A text as if it had been read somewhere."""
    now = clock.now()
    body = given["text"][:LONGEST]
    return Article(
        source_id=0, cluster_id=0, title=given["title"][:500], body_text=body, language=language, published_at=now,
        seen_at=now,
    )  # fmt: skip


async def _page(request: Request, who: Signed, given: dict[str, str], *, status: int = 200, **known: Any) -> Response:
    nothing = {"error": "", "explanation": None, "matched": None, "shown": (), "looked_at": 0}
    return await desk_page(request, who, "query", status=status, given=given, **nothing | known)
