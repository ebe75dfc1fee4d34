"""Topics as programs send and see them, and trials of queries."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from dispatcher.config.fields import refused
from dispatcher.model.content import Article, Topic
from dispatcher.pipeline.shelf import Sample
from dispatcher.pipeline.suggestions import ForArticle, ForWord, NearTopic
from dispatcher.topics.explain import Explanation
from dispatcher.topics.suggest import Suggestion
from dispatcher.web.api.fields import (
    LARGEST,
    At,
    FilledLine,
    Flag,
    LanguageOrBlank,
    Line,
    Paragraph,
    Query,
    Sent,
    Slug,
    Text,
)


class NewTopic(Sent):
    """A topic for readers to follow."""

    slug: Slug
    query: Annotated[Query, Field(description='What to look for; "*" is everything.')]
    name: Annotated[Line, Field(description="What readers see; made from the slug by default.")] = ""
    description: Annotated[Paragraph, Field(description="One sentence for readers.")] = ""
    language: Annotated[LanguageOrBlank, Field(description="Of the query; the site's by default.")] = ""
    is_public: Annotated[Flag, Field(description="Whether it is offered to everybody.")] = True
    newsletter: Annotated[Line, Field(description="The slug of its newsletter; the default one without.")] = ""


class TopicChange(Sent):
    """What is to be different about a topic; what is left out stays. Its slug stays, because it is in links."""

    query: Query | None = None
    name: FilledLine | None = None
    description: Paragraph | None = None
    language: LanguageOrBlank | None = None
    is_public: Flag | None = None
    is_paused: Annotated[Flag | None, Field(description="Nothing matches a paused topic.")] = None


class TopicShown(BaseModel):
    """A topic of the publisher. Without a `query` it stands for a newsletter that is written by people."""

    id: int
    slug: str
    name: str
    description: str
    query: str
    language: str
    is_public: bool
    is_paused: bool
    origin: str
    newsletter: str
    matches: int
    readers: int
    created_at: At

    @classmethod
    def of(cls, topic: Topic, newsletter: str, matches: int, readers: int) -> Self:
        """From the row, with its newsletter's slug, how many articles match and how many people follow."""
        counted = {"query", "newsletter", "matches", "readers"}
        values: dict[str, Any] = topic.model_dump(include=set(cls.model_fields) - counted)
        return cls(**values, query=topic.query_text, newsletter=newsletter, matches=matches, readers=readers)


class SampleText(Sent):
    """A text to try a query on."""

    title: Text = ""
    summary: Text = ""
    body: Text = ""
    tags: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    authors: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    language: Annotated[LanguageOrBlank, Field(description="The query's by default.")] = ""

    def article(self, now: datetime, language: str) -> Article:
        """As an article that nobody keeps."""
        return Article(
            source_id=0,
            cluster_id=0,
            title=self.title,
            summary=self.summary,
            body_text=self.body,
            tags=list(self.tags),
            authors=list(self.authors),
            language=self.language or language,
            published_at=now,
            seen_at=now,
        )


class Trial(Sent):
    """A query to try: on a text, or else on the articles of the last days."""

    query: Query
    language: Annotated[LanguageOrBlank, Field(description="Of the query; the site's by default.")] = ""
    text: Annotated[SampleText | None, Field(description="Try it on this, and say why it matches or does not.")] = None


class Found(BaseModel):
    """An article that a query matches."""

    title: str
    url: str
    source: str
    published_at: At

    @classmethod
    def of(cls, sample: Sample) -> Self:
        """From the trial."""
        return cls(**asdict(sample))


class Part(BaseModel):
    """One part of a query: whether it was found, and how often in which field."""

    text: str
    is_found: bool
    is_negated: bool
    counts: dict[str, int]


class Reason(BaseModel):
    """Why a query matches a text, or what it lacks."""

    score: float | None
    parts: list[Part]
    missing: list[str]
    forbidden: list[str]

    @classmethod
    def of(cls, found: Explanation) -> Self:
        """From the explanation."""
        parts = [
            Part(text=leaf.text, is_found=leaf.is_hit, is_negated=leaf.is_negated, counts=dict(leaf.counts))
            for leaf in found.leaves
        ]
        return cls(score=found.score, parts=parts, missing=list(found.missing), forbidden=list(found.forbidden))


class TrialShown(BaseModel):
    """What came of a trial: on a text the reason; on the latest articles how many match, and the newest of them."""

    matches: bool
    reason: Reason | None = None
    found: int | None = None
    among: int | None = None
    since: At | None = None
    articles: list[Found] | None = None


class SuggestionsAsked(Sent):
    """What topics could be about: an article that is stored, a text, or a word."""

    article: Annotated[int | None, Field(ge=1, le=LARGEST, strict=True, description="The id of a stored one.")] = None
    text: SampleText | None = None
    word: Line = ""
    language: Annotated[LanguageOrBlank, Field(description="Of text or word; the site's by default.")] = ""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum((self.article is not None, self.text is not None, bool(self.word))) != 1:
            raise refused("names not just one of `article`, `text` and `word`")
        return self


class SuggestionsShown(BaseModel):
    """What would make good topics: `phrases`, each with the number of `among` stored articles that have it.

    For an article also the `topics` that it misses by one part; for a word the `inflections` that the articles have.
    """

    phrases: list[Suggestion]
    topics: list[NearTopic] | None = None
    inflections: list[Suggestion] | None = None
    among: int

    @classmethod
    def of(cls, found: ForArticle | ForWord) -> Self:
        """From the suggestions."""
        return cls(**asdict(found))
