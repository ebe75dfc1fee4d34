"""A reader's own topics: queries that nobody else sees, bounded in length and number; the Query is shared."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Topic
from dispatcher.model.values import Origin
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.declare import keep_query
from dispatcher.store import Transaction, topics
from dispatcher.topics.canonical import canonical
from dispatcher.topics.parser import parse

LONGEST_QUERY = 500  # characters
_LONGEST_NAME = 80


async def owned(tx: Transaction, reader_id: int) -> dict[str, Topic]:
    """A reader's own topics by what their queries mean, however they are written."""
    return {meaning(topic.query_text): topic for topic in await topics.owned(tx, reader_id)}


def meaning(query: str) -> str:
    """The canonical text of a query; QueryError if it is none."""
    return canonical(parse(query))


def home(ctx: Context, newsletter: str) -> int:
    """The newsletter that a reader's own topic belongs to: the one on whose page it was made, or the default one."""
    by_slug = {one.slug: one.id or 0 for one in ctx.published}
    return by_slug.get(newsletter) or ctx.newsletter.id or 0


async def keep(
    ctx: Context, tx: Transaction, reader: Subscriber, query: str, now: datetime, *, followed: Collection[int],
    newsletter: str = "",
) -> Topic | None:  # fmt: skip
    """The reader's topic with this query, made if it is new; None if they follow as many as they may.

    `followed` are the ids of the topics that they follow now. QueryError if it is no query.
    """
    mine = await owned(tx, reader.id or 0)
    found = mine.get(meaning(query))
    if found is not None and found.id in followed:
        return found
    if sum(topic.id in followed for topic in mine.values()) >= ctx.settings.subscribe.own_topics:
        return None
    if found is None:
        found = await add(
            ctx, tx, reader, query, now, slugs={topic.slug for topic in mine.values()}, newsletter=newsletter
        )
    return found


async def add(
    ctx: Context, tx: Transaction, reader: Subscriber, query: str, now: datetime, *, slugs: Collection[str],
    name: str = "", newsletter: str = "",
) -> Topic:  # fmt: skip
    """Make a reader's topic. `slugs` are those of the topics they own already. QueryError if it is no query."""
    newsletter_id = home(ctx, newsletter)
    place = next(n for n in range(1, len(slugs) + 2) if f"own-{n}" not in slugs)
    topic = Topic(
        slug=f"own-{place}",
        name=name or label(query),
        query_id=await keep_query(ctx, tx, query, "", now),
        query_text=query,
        owner_id=reader.id,
        is_public=False,
        newsletter_id=None if newsletter_id == ctx.newsletter.id else newsletter_id,
        origin=Origin.WEB,
        created_at=now,
    )
    await topics.insert(tx, topic)
    return topic


def label(query: str) -> str:
    """What a digest calls a reader's own topic."""
    one_line = " ".join(query.split())
    return one_line if len(one_line) <= _LONGEST_NAME else one_line[: _LONGEST_NAME - 1] + "…"
