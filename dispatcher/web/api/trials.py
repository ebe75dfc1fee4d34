"""/topics/test and /topics/suggest: a query tried before anybody follows it, and what one could be about."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from dispatcher.pipeline.suggestions import ForArticle, ForWord, for_article, for_word
from dispatcher.pipeline.trial import explained
from dispatcher.store import Transaction, articles
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.problems import not_found
from dispatcher.web.api.routes import Call, Calling, IdempotencyKey, made, needs, router
from dispatcher.web.api.schemas.topics import (
    Found,
    Reason,
    SampleText,
    SuggestionsAsked,
    SuggestionsShown,
    Trial,
    TrialShown,
)
from dispatcher.web.asking import shelf_of

routes = router("topics")


@routes.post("/topics/test", response_model=TrialShown, **needs("topics:read"))
async def try_query(call: Calling, asked: Trial, idempotency_key: IdempotencyKey = None) -> Response:
    """Try a query: on a text, and say why it matches or does not; or on the latest articles."""
    shown = _on_text(call, asked, asked.text) if asked.text else _on_articles(call, asked)
    return await _answer(call, made(200, await shown), idempotency_key)


@routes.post("/topics/suggest", response_model=SuggestionsShown, **needs("topics:read", 404))
async def suggest(call: Calling, asked: SuggestionsAsked, idempotency_key: IdempotencyKey = None) -> Response:
    """Suggest topics: from an article, stored or sent along, or from a word. Nothing is kept."""
    found = await _suggested(call, asked)
    return await _answer(call, made(200, SuggestionsShown.of(found)), idempotency_key)


async def _answer(call: Call, reply: Reply, idempotency_key: str | None) -> Response:
    if idempotency_key is None:  # then there is nothing to write
        return call.response(reply)

    async def work(tx: Transaction) -> Reply:
        return reply

    return await call.once(work)


async def _on_text(call: Call, asked: Trial, text: SampleText) -> TrialShown:
    site = call.ctx.settings.site.language
    article = text.article(call.now, asked.language or site)
    found = await asyncio.to_thread(explained, asked.query, article, asked.language or site)
    return TrialShown(matches=found.matched, reason=Reason.of(found))


async def _on_articles(call: Call, asked: Trial) -> TrialShown:
    language = asked.language or call.ctx.settings.site.language
    tried = await shelf_of(call.request).find(asked.query, language)
    samples = [Found.of(sample) for sample in tried.samples]
    return TrialShown(matches=tried.count > 0, found=tried.count, among=tried.of, since=tried.since, articles=samples)


async def _suggested(call: Call, asked: SuggestionsAsked) -> ForArticle | ForWord:
    store, shelf, language = call.ctx.store, shelf_of(call.request), asked.language or call.ctx.settings.site.language
    if asked.word:
        return await for_word(shelf, asked.word, language)
    if asked.text:
        return await for_article(store, shelf, asked.text.article(call.now, language))
    article_id = asked.article or 0
    async with store.read() as tx:
        article = await articles.get(tx, article_id)
        names = await articles.source_names(tx, [article_id])
    if article is None:
        raise not_found("such article")
    return await for_article(store, shelf, article, names[article_id])
