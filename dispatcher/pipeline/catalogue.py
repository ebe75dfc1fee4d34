"""The catalogue: sources and topics that operators bring by command or page, beside those that config declares.

What config declares is read-only here: the next command would undo the change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dispatcher.config.settings import SourceEntry, TopicEntry
from dispatcher.errors import SourceError, StoreError
from dispatcher.model.content import Source, Topic
from dispatcher.model.values import Origin, PausedBy
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.declare import another_place, keep_query
from dispatcher.pipeline.readership import differing
from dispatcher.store import Transaction, sources, topics


async def source(tx: Transaction, name: str) -> Source:
    """The source with this name, or SourceError."""
    found = await sources.by_name(tx, name)
    if found is None:
        raise SourceError(f"no source is named {name!r}; `dispatcher sources list` shows them")
    return found


async def topic(tx: Transaction, slug: str) -> Topic:
    """The publisher's topic with this slug, or StoreError."""
    found = await topics.by_slug(tx, slug)
    if found is None:
        raise StoreError(f"no topic has the slug {slug!r}; `dispatcher topics list` shows them")
    return found


def declares_source(ctx: Context, name: str) -> bool:
    """Whether config declares a source of this name."""
    return any(entry.name == name for entry in ctx.settings.sources)


def declares_topic(ctx: Context, slug: str) -> bool:
    """Whether config declares a topic with this slug, or the newsletter that it stands for."""
    topics, newsletters = ctx.settings.topics, ctx.settings.newsletters
    return any(entry.slug == slug for entry in topics) or any(entry.slug == slug for entry in newsletters)


async def add_source(tx: Transaction, entry: SourceEntry, now: datetime, *, origin: Origin = Origin.CLI) -> None:
    """Add a source, or wake the one that an operator paused. SourceError if another has its name."""
    found = await sources.by_name(tx, entry.name)
    if found is not None and found.paused_by == PausedBy.OPERATOR and found.url == entry.url:
        await resume_source(tx, found, now)
    elif found is not None:
        raise SourceError(f"a source named {entry.name!r} is there already; choose another name")
    else:
        made = Source(name=entry.name, origin=origin, next_poll_at=now, created_at=now, **_source_fields(entry))
        await sources.insert(tx, made)


async def edit_source(ctx: Context, tx: Transaction, found: Source, entry: SourceEntry, now: datetime) -> bool:
    """Make a source say what the entry says; False if it does already. SourceError if config declares it."""
    refuse_declared_source(ctx, found.name)
    if entry.name != found.name and await sources.by_name(tx, entry.name) is not None:
        raise SourceError(f"a source named {entry.name!r} is there already; choose another name")
    wanted = {"name": entry.name, **_source_fields(entry)}
    changes = differing(found, wanted)
    if "url" in changes:
        changes |= another_place(now)
    if changes:
        await sources.write(tx, found.id or 0, **changes)
    return bool(changes)


async def pause_source(tx: Transaction, found: Source) -> None:
    """Stop reading a source until somebody resumes it. Config does not wake what an operator paused."""
    await sources.write(tx, found.id or 0, is_paused=True, paused_by=PausedBy.OPERATOR)


async def resume_source(tx: Transaction, found: Source, now: datetime) -> None:
    """Read a source again, at once."""
    await sources.write(tx, found.id or 0, is_paused=False, paused_by=None, next_poll_at=now)


async def remove_source(ctx: Context, tx: Transaction, found: Source) -> bool:
    """Stop reading a source. True if it stays, paused, because we keep articles of it. SourceError if config's."""
    refuse_declared_source(ctx, found.name)
    is_kept = await sources.has_articles(tx, found.id or 0)
    if is_kept:
        await pause_source(tx, found)
    else:
        await sources.remove(tx, found.id or 0)
    return is_kept


async def add_topic(
    ctx: Context, tx: Transaction, entry: TopicEntry, now: datetime, *, origin: Origin = Origin.CLI,
    newsletter: str = "",
) -> None:  # fmt: skip
    """Add a topic to the newsletter with a slug, or to the default one. StoreError if another has its slug."""
    home = ctx.publications.named(newsletter) if newsletter else ctx.newsletter
    if await topics.by_slug(tx, entry.slug) is not None:
        hint = _declared(ctx) if declares_topic(ctx, entry.slug) else "remove it first, or choose another slug"
        raise StoreError(f"a topic {entry.slug!r} is there already: {hint}")
    fields = await _topic_fields(ctx, tx, entry, now)
    fields["newsletter_id"] = None if home.id == ctx.newsletter.id else home.id
    await topics.insert(tx, Topic(slug=entry.slug, origin=origin, created_at=now, **fields))


async def edit_topic(ctx: Context, tx: Transaction, found: Topic, entry: TopicEntry, now: datetime) -> bool:
    """Make a topic say what the entry says; False if it does already. StoreError if config declares it.

    Its slug stays: it is in links. A new query counts from the next ingest on, which looks back as for a new topic.
    """
    refuse_declared_topic(ctx, found.slug, "changed")
    changes = differing(found, await _topic_fields(ctx, tx, entry, now))
    if changes:
        await topics.write(tx, found.id or 0, **changes)
    return bool(changes)


async def switch_topic(tx: Transaction, found: Topic, *, on: bool) -> None:
    """Pause a topic, so that nothing matches it, or resume it. Config does not wake what an operator paused."""
    await topics.write(tx, found.id or 0, is_paused=not on, paused_by=None if on else PausedBy.OPERATOR)


async def remove_topic(ctx: Context, tx: Transaction, found: Topic) -> None:
    """Remove a topic with everybody's subscription to it. StoreError if config declares it."""
    refuse_declared_topic(ctx, found.slug, "removed")
    await topics.remove(tx, found.id or 0)


def _source_fields(entry: SourceEntry) -> dict[str, Any]:
    return {
        "url": entry.url,
        "poll_every": int(entry.poll_every.total_seconds()),
        "tags": list(entry.tags),
        "priority": entry.priority,
    }


async def _topic_fields(ctx: Context, tx: Transaction, entry: TopicEntry, now: datetime) -> dict[str, Any]:
    return {
        "name": entry.name or entry.slug.replace("-", " ").capitalize(),
        "description": entry.description,
        "query_id": await keep_query(ctx, tx, entry.query, entry.language, now),
        "query_text": entry.query,
        "language": entry.language,
        "is_public": entry.public,
    }


def refuse_declared_source(ctx: Context, name: str) -> None:
    """SourceError if config declares this source, saying where."""
    if declares_source(ctx, name):
        raise SourceError(f"{name!r} cannot be changed here: {_declared(ctx)}")


def refuse_declared_topic(ctx: Context, slug: str, done: str) -> None:
    """StoreError if config declares this topic, saying where. `done` is what cannot be done to it here."""
    if declares_topic(ctx, slug):
        raise StoreError(f"the topic {slug!r} cannot be {done}: {_declared(ctx)}")


def _declared(ctx: Context) -> str:
    return f"it is declared in the configuration, {ctx.settings.file}; change it there"
