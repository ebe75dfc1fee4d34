"""/topics/test: a query, tried before anybody follows it."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from dispatcher.pipeline.trial import explained
from dispatcher.store import Transaction
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.routes import Call, Calling, IdempotencyKey, made, needs, router
from dispatcher.web.api.schemas.topics import Found, Reason, SampleText, Trial, TrialShown
from dispatcher.web.asking import shelf_of

routes = router("topics")


@routes.post("/topics/test", response_model=TrialShown, **needs("topics:read"))
async def try_query(call: Calling, asked: Trial, idempotency_key: IdempotencyKey = None) -> Response:
    """Try a query: on a text, and say why it matches or does not; or on the latest articles."""
    shown = _on_text(call, asked, asked.text) if asked.text else _on_articles(call, asked)
    reply = made(200, await shown)
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
