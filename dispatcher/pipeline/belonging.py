"""Belonging: which newsletter each topic is of, and the topics that stand for a newsletter itself.

A newsletter without topics is written by people. What its readers follow is a topic all the same, with the newsletter's
slug and name and a query that no article matches: so they subscribe, pause and leave as everybody does. Once there, it
stays beside the topics that the newsletter is given later: nobody who only reads what is written gets more by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dispatcher.model.content import Topic
from dispatcher.model.outbound import Newsletter
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.publications import Publications
from dispatcher.store import Transaction, newsletters, topics

NOTHING = ("", "")
"""Canonical text and language of the query that matches nothing."""


Followed = TypeVar("Followed")


@dataclass(frozen=True, slots=True)
class Group(Generic[Followed]):
    """What a newsletter has for its readers: topics, or what was made of them. `itself` if it has no topics."""

    newsletter: Newsletter
    members: Sequence[Followed]
    itself: bool = False


def grouped(
    ctx: Context, members: Iterable[Followed], topic_of: Callable[[Followed], Topic | None]
) -> list[Group[Followed]]:
    """What readers can follow, by newsletter, in the order in which config names them; those with nothing left out."""
    default = ctx.newsletter.id or 0
    found: dict[int, list[Followed]] = {}
    for member in members:
        topic = topic_of(member)
        found.setdefault((topic.newsletter_id if topic else None) or default, []).append(member)
    order = {one.id or 0: place for place, one in enumerate(ctx.published)}
    return [
        Group(ctx.letter(number), some, len(some) == 1 and is_itself(topic_of(some[0])))
        for number, some in sorted(found.items(), key=lambda pair: order.get(pair[0], len(order)))
    ]


def is_itself(topic: Topic | None) -> bool:
    """Whether a topic stands for its newsletter: what comes of it is written, and never at a cadence."""
    return topic is not None and not topic.query_text


def homes(ctx: Context) -> dict[str, int]:
    """Topic → newsletter, by config; of topics that it leaves to the default newsletter there is nothing."""
    ids = {one.slug: one.id or 0 for one in ctx.published}
    itself = {entry.slug: ids[entry.slug] for entry in ctx.settings.newsletters}
    named = {entry.slug for entry in ctx.settings.topics}
    claimed = {slug: ids[entry.slug] for entry in ctx.settings.newsletters for slug in entry.topics}
    return {slug: newsletter_id for slug, newsletter_id in itself.items() if slug not in named} | claimed


async def on_offer(ctx: Context, tx: Transaction, slug: str) -> list[str]:
    """What readers of a newsletter can follow of it, by slug. StoreError if there is no such newsletter."""
    letter, default = ctx.publications.named(slug), ctx.newsletter.id
    found = [one for one in await topics.every(tx) if one.is_public and not one.is_paused]
    return [one.slug for one in found if (one.newsletter_id or default) == letter.id]


def written(ctx: Context, stored: Mapping[str, Topic]) -> Iterator[dict[str, Any]]:
    """The topics that stand for newsletters: of those without any other, and where there is one already."""
    named = {entry.slug for entry in ctx.settings.topics}
    for entry in ctx.settings.newsletters:
        is_there = entry.slug in stored and not stored[entry.slug].query_text
        if entry.slug not in named and (is_there or not entry.topics):
            yield {
                "slug": entry.slug,
                "name": entry.name or entry.slug,
                "description": entry.description,
                "query_text": "",
                "language": "",
                "is_public": True,
                "digest": {},
            }


async def move(ctx: Context, tx: Transaction, topic: Topic, newsletter_id: int | None) -> None:
    """A topic has come to another newsletter: so have those who follow it."""
    default = ctx.newsletter.id or 0
    await newsletters.move(tx, topic.id or 0, topic.newsletter_id or default, newsletter_id or default)


async def rest_unnamed(ctx: Context, tx: Transaction) -> int:
    """Publish no more what config no longer names. Returns how many newsletters that are."""
    named = {one.slug for one in ctx.published}
    gone = [one for one in ctx.newsletters.values() if one.slug not in named and not one.is_paused]
    for one in gone:
        await newsletters.rest(tx, one.id or 0)
    if gone:
        ctx.publications = Publications.of(ctx.settings, await newsletters.every(tx))
    return len(gone)
