"""/articles: what is published. POST is the source that nobody polls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query
from starlette.responses import Response

from dispatcher.model.content import Article
from dispatcher.pipeline.publishing import prepare, publish
from dispatcher.store import Transaction, articles, pages, sources, topics
from dispatcher.web.api.fields import Id
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.paging import Listed, page_of
from dispatcher.web.api.problems import not_found
from dispatcher.web.api.routes import Calling, IdempotencyKey, made, needs, router
from dispatcher.web.api.schemas.articles import ArticleListing, ArticleShown, ArticleWhole, NewArticle

routes = router("articles")
Shown = TypeVar("Shown", bound=ArticleShown)


@routes.get("/articles", response_model=Listed[ArticleShown], **needs("articles:read", 404))
async def list_articles(call: Calling, asked: Annotated[ArticleListing, Query()]) -> Response:
    """Articles that are kept, newest first."""
    page = page_of("articles", asked)
    async with call.ctx.store.read() as tx:
        source = await sources.by_name(tx, asked.source) if asked.source else None
        topic = await topics.by_slug(tx, asked.topic) if asked.topic else None
        if asked.source and source is None:
            raise not_found(f"source {asked.source!r}")
        if asked.topic and topic is None:
            raise not_found(f"topic {asked.topic!r}")
        found = await pages.articles(
            tx,
            before=page.before,
            limit=page.reach,
            source_id=source.id if source else None,
            topic=topic,
            since=asked.since,
        )
        shown = await _shown(tx, found[: asked.limit], ArticleShown)
    return call.page(shown, page.cut([article.id or 0 for article in found]))


@routes.post(
    "/articles",
    status_code=201,
    response_model=ArticleWhole,
    **needs("articles:write", 409, answers={200: ArticleWhole}),
)
async def publish_article(call: Calling, asked: NewArticle, idempotency_key: IdempotencyKey = None) -> Response:
    """Publish an article: 201 if it is new, 200 if it edits one, or if another source has brought the same link."""

    async def work(tx: Transaction) -> Reply:
        done = await publish(call.ctx, tx, submission, call.now)
        await call.note(tx, "publish article", done.article.id, source=asked.source, title=done.article.title)
        return made(201 if done.is_new else 200, (await _shown(tx, [done.article], ArticleWhole))[0])

    submission = await prepare(call.ctx, asked.source, asked.raw(), call.now)
    return await call.once(work)


@routes.get("/articles/{article_id}", response_model=ArticleWhole, **needs("articles:read"))
async def show_article(call: Calling, article_id: Id) -> Response:
    """One article with its text."""
    async with call.ctx.store.read() as tx:
        found = await _kept(tx, article_id)
        return call.response(made(200, (await _shown(tx, [found], ArticleWhole))[0]))


@routes.delete("/articles/{article_id}", status_code=204, **needs("articles:write"))
async def withdraw_article(call: Calling, article_id: Id) -> Response:
    """Withdraw an article: it stands in no digest that is made from now on, and does not come back."""

    async def work(tx: Transaction) -> Reply:
        found = await _kept(tx, article_id)
        await articles.withdraw(tx, article_id, call.now)
        await call.note(tx, "withdraw article", article_id, title=found.title)
        return Reply(204)

    return await call.act(work)


async def _kept(tx: Transaction, article_id: int) -> Article:
    found = await articles.get(tx, article_id)
    if found is None or found.pruned_at is not None:
        raise not_found(f"article {article_id}")
    return found


async def _shown(tx: Transaction, found: Sequence[Article], kind: type[Shown]) -> list[Shown]:
    ids = [article.id or 0 for article in found]
    names, matched = await articles.source_names(tx, ids), await articles.queries_of(tx, ids)
    offered = await topics.every(tx)
    return [kind.of(a, names[a.id or 0], [t.slug for t in offered if t.query_id in matched[a.id or 0]]) for a in found]
