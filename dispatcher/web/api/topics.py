"""/topics: what readers can follow. Only the publisher's own: what readers made for themselves is nobody's business."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from dispatcher.model.content import Topic
from dispatcher.model.values import Origin
from dispatcher.pipeline import catalogue
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.entries import topic_entry
from dispatcher.store import Transaction, pages, topics
from dispatcher.store.engine import in_turn
from dispatcher.web.api.fields import SlugInPath
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.paging import Listed, Paging, page_of
from dispatcher.web.api.problems import ProblemError, not_found
from dispatcher.web.api.routes import Call, Calling, IdempotencyKey, made, needs, router
from dispatcher.web.api.schemas.topics import NewTopic, TopicChange, TopicShown

routes = router("topics")


@routes.get("/topics", response_model=Listed[TopicShown], **needs("topics:read"))
async def list_topics(call: Calling, asked: Annotated[Paging, Query()]) -> Response:
    """The publisher's topics, newest first."""
    page = page_of("topics", asked)
    async with call.ctx.store.read() as tx:
        found, figures = await pages.topics(tx, before=page.before, limit=page.reach), await topics.figures(tx)
    slug = {topic.id: call.ctx.letter(topic.newsletter_id).slug for topic in found}
    shown = [TopicShown.of(one, slug[one.id], *figures.get(one.id or 0, (0, 0))) for one in found[: asked.limit]]
    return call.page(shown, page.cut([topic.id or 0 for topic in found]))


@routes.post("/topics", status_code=201, response_model=TopicShown, **needs("topics:write", 409))
async def add_topic(call: Calling, asked: NewTopic, idempotency_key: IdempotencyKey = None) -> Response:
    """Add a topic. The next ingest matches recent articles against it."""
    values = asked.model_dump(exclude={"is_public", "newsletter"})
    entry = topic_entry(**values, public=asked.is_public)

    async def work(tx: Transaction) -> Reply:
        await in_turn(tx, "declare")  # so that no two bring the same slug at the same moment
        if await topics.by_slug(tx, asked.slug) is not None:
            raise ProblemError(409, f"There is a topic {asked.slug!r} already.")
        if asked.newsletter not in ("", *(one.slug for one in call.ctx.published)):
            raise ProblemError(422, f"There is no newsletter {asked.newsletter!r}.")
        await catalogue.add_topic(call.ctx, tx, entry, call.now, origin=Origin.API, newsletter=asked.newsletter)
        await call.note(tx, "add topic", asked.slug, query=asked.query)
        return made(201, await _shown(call, tx, asked.slug))

    return await call.once(work)


@routes.get("/topics/{slug}", response_model=TopicShown, **needs("topics:read"))
async def show_topic(call: Calling, slug: SlugInPath) -> Response:
    """One topic."""
    async with call.ctx.store.read() as tx:
        return call.response(made(200, await _shown(call, tx, slug)))


@routes.patch("/topics/{slug}", response_model=TopicShown, **needs("topics:write", 409))
async def change_topic(call: Calling, slug: SlugInPath, asked: TopicChange) -> Response:
    """Change what is named. A topic that the configuration declares is changed there."""

    async def work(tx: Transaction) -> Reply:
        await in_turn(tx, "declare")
        found = await _ours(call.ctx, tx, slug)
        said = asked.model_dump(exclude_none=True)
        entry = topic_entry(
            slug=slug,
            query=said.get("query", found.query_text),
            name=said.get("name", found.name),
            description=said.get("description", found.description),
            language=said.get("language", found.language),
            public=said.get("is_public", found.is_public),
        )
        await catalogue.edit_topic(call.ctx, tx, found, entry, call.now)
        if asked.is_paused is not None and asked.is_paused != found.is_paused:
            await catalogue.switch_topic(tx, found, on=not asked.is_paused)
        if said:
            await call.note(tx, "change topic", slug, **said)
        return made(200, await _shown(call, tx, slug))

    return await call.act(work)


@routes.delete("/topics/{slug}", status_code=204, **needs("topics:write", 409))
async def remove_topic(call: Calling, slug: SlugInPath) -> Response:
    """Remove a topic with everybody's subscription to it."""

    async def work(tx: Transaction) -> Reply:
        await catalogue.remove_topic(call.ctx, tx, await _ours(call.ctx, tx, slug))
        await call.note(tx, "remove topic", slug)
        return Reply(204)

    return await call.act(work)


async def _found(tx: Transaction, slug: str) -> Topic:
    found = await topics.by_slug(tx, slug)
    if found is None:
        raise not_found(f"topic {slug!r}")
    return found


async def _ours(ctx: Context, tx: Transaction, slug: str) -> Topic:
    """A topic that may be changed here."""
    found = await _found(tx, slug)
    if catalogue.declares_topic(ctx, slug):
        raise ProblemError(409, f"The topic {slug!r} is declared in the configuration: change it there.")
    return found


async def _shown(call: Call, tx: Transaction, slug: str) -> TopicShown:
    found = await _found(tx, slug)
    newsletter = call.ctx.letter(found.newsletter_id).slug
    return TopicShown.of(found, newsletter, *(await topics.figures(tx)).get(found.id or 0, (0, 0)))
