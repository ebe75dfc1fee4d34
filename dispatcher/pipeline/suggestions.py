"""Suggestions for topics: from an article, or from a word and the latest articles."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.model.content import Article, Topic
from dispatcher.pipeline.matching import document_of
from dispatcher.pipeline.shelf import Shelf
from dispatcher.store import Store, topics
from dispatcher.topics.suggest import Suggestion, WordFound, around, nearly, telling

MOST_TOPICS = 5000
SHOWN = 20


@dataclass(frozen=True, slots=True)
class NearTopic:
    """A topic that an article misses by one part: by one that it lacks, or by one that it has though it must not."""

    slug: str
    name: str
    missing: tuple[str, ...]
    forbidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForArticle:
    """What an article suggests: phrases that tell it from `among` stored ones, and topics that it nearly matched."""

    phrases: Sequence[Suggestion]
    topics: Sequence[NearTopic]
    among: int


@dataclass(frozen=True, slots=True)
class ForWord:
    """What a word suggests: the forms in which `among` stored articles have it, and the phrases it stands in."""

    inflections: Sequence[Suggestion]
    phrases: Sequence[Suggestion]
    among: int


async def for_article(store: Store, shelf: Shelf, article: Article, sources: Sequence[str] = ()) -> ForArticle:
    """What would make good topics of an article. Of the publisher's topics the newest 5,000 are asked."""
    stored = await shelf.documents()
    async with store.read() as tx:
        asked = await topics.newest(tx, limit=MOST_TOPICS)
        queries = await topics.queries(tx, [topic.query_id for topic in asked])
    document = document_of(article, sources)
    others = [other for other in stored if other.written != document.written]  # it may be stored itself
    phrases = await asyncio.to_thread(telling, document, others)
    lacking = await asyncio.to_thread(nearly, queries, document)
    near = [_near(topic, *lacking[topic.query_id]) for topic in asked if topic.query_id in lacking]
    return ForArticle(phrases, sorted(near, key=lambda topic: topic.slug)[:SHOWN], len(others))


async def for_word(shelf: Shelf, word: str, language: str) -> ForWord:
    """What would make good topics of a word in this language."""
    stored = await shelf.documents()
    found: WordFound = await asyncio.to_thread(around, word, language, stored)
    return ForWord(found.inflections, found.phrases, len(stored))


def _near(topic: Topic, missing: tuple[str, ...], forbidden: tuple[str, ...]) -> NearTopic:
    return NearTopic(topic.slug, topic.name, missing, forbidden)
