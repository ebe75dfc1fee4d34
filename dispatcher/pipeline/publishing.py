"""Publishing: the source that nobody polls, because a program brings its articles. They go the way of all others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from dispatcher.articles.clean import clean
from dispatcher.errors import SourceError
from dispatcher.model.content import Article, Source
from dispatcher.model.raw import RawArticle
from dispatcher.model.values import Origin
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import keep_items
from dispatcher.store import Transaction, articles, sources
from dispatcher.store.engine import in_turn
from dispatcher.store.sources import PUSHED


@dataclass(frozen=True, slots=True)
class Submission:
    """An article on its way in: as it was given, and cleaned for the source it is published to."""

    source: Source
    raw: RawArticle
    fresh: Article


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing came to: the article as it is stored now, and whether it is new to us."""

    article: Article
    is_new: bool


async def prepare(ctx: Context, source_name: str, raw: RawArticle, now: datetime) -> Submission:
    """Clean an article for a source, before any transaction that writes. SourceError if it cannot be published to."""
    async with ctx.store.read() as tx:
        source = await sources.by_name(tx, source_name) or _source(source_name, now)
    _check(source)
    return Submission(source, raw, await asyncio.to_thread(clean, raw, source, now))


async def publish(ctx: Context, tx: Transaction, submission: Submission, now: datetime) -> Published:
    """Store an article as if its source had been polled, and match it: it is news at once, never backlog.

    The same guid again is an edit. SourceError if the source is read from somewhere or paused, or the article is gone.
    """
    await in_turn(tx, "ingest")
    source = await _source_in(tx, submission.source, now)
    raw = submission.raw
    done = await keep_items(ctx, tx, source, [(raw, submission.fresh)], now)
    sighting = (await articles.sightings(tx, source.id or 0, [raw.guid]))[raw.guid]
    article = await articles.get(tx, sighting.article_id)
    if article is None or article.pruned_at is not None:
        raise SourceError(f"the article {raw.guid!r} was withdrawn, or is older than articles are kept")
    await sources.write(tx, source.id or 0, polled_at=now, succeeded_at=now)
    return Published(article, is_new=bool(done.new))


async def _source_in(tx: Transaction, wanted: Source, now: datetime) -> Source:
    """The source's row as it is now, made if this is its first article."""
    found = await sources.by_name(tx, wanted.name)
    if found is None:
        found = _source(wanted.name, now)
        await sources.insert(tx, found)
    _check(found)
    return found


def _source(name: str, now: datetime) -> Source:
    """A source that has had its first poll, so that nothing in it is backlog."""
    return Source(name=name, url=PUSHED, origin=Origin.API, next_poll_at=now, succeeded_at=now, created_at=now)


def _check(source: Source) -> None:
    if source.url != PUSHED:
        raise SourceError(f"the source {source.name!r} is read from {source.url}; publish to one of another name")
    if source.is_paused:
        raise SourceError(f"the source {source.name!r} is paused; `dispatcher sources add {PUSHED} --name …` wakes it")
