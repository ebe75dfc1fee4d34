"""Articles as programs send and see them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from dispatcher.config.fields import refused
from dispatcher.model.content import Article
from dispatcher.model.raw import RawArticle
from dispatcher.sources import guids
from dispatcher.web.api.fields import At, FilledLine, Instant, LanguageOrBlank, Line, Link, Sent, Slug, Text
from dispatcher.web.api.paging import Paging


class NewArticle(Sent):
    """An article to publish. The same `guid` again, or the same `url` if there is no guid, edits it."""

    source: FilledLine = Field("api", description="The name under which readers see where it comes from.")
    guid: Annotated[Line, Field(description="What you call it; else its url, or a hash of its texts, is used.")] = ""
    url: Annotated[Link, Field(description="Where it can be read.")] = ""
    title: Annotated[Text, Field(min_length=1, max_length=2000, description="Plain text.")]
    summary: Annotated[Text, Field(description="Plain text; else the beginning of the content is used.")] = ""
    content_html: Annotated[Text, Field(description="The article as HTML; it is sanitised.")] = ""
    content_text: Annotated[Text, Field(description="The article as plain text; one of the two.")] = ""
    authors: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    tags: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    image_url: Link = ""
    language: Annotated[LanguageOrBlank, Field(description="Its language; matched in it.")] = ""
    published_at: Annotated[Instant | None, Field(description="By default, and at the latest, now.")] = None

    @model_validator(mode="after")
    def _has_one_content(self) -> Self:
        if self.content_html and self.content_text:
            raise refused("has both content_html and content_text; send one of the two")
        return self

    def raw(self) -> RawArticle:
        """As a feed would have given it."""
        is_html = bool(self.content_html)
        texts = (self.title, self.summary, self.content_html, self.content_text)
        return RawArticle(
            guid=guids.choose(self.guid, self.url, *texts),
            title=html.escape(self.title) if is_html else self.title,
            url=self.url,
            summary=html.escape(self.summary) if is_html else self.summary,
            content=self.content_html or self.content_text,
            is_html=is_html,
            authors=tuple(self.authors),
            tags=tuple(self.tags),
            image_url=self.image_url,
            language=self.language,
            published_at=self.published_at,
            base_url=self.url,
        )


class ArticleListing(Paging):
    """Which articles."""

    source: Annotated[FilledLine | None, Field(description="Of the source of this name.")] = None
    topic: Annotated[Slug | None, Field(description="That match this topic.")] = None
    since: Annotated[Instant | None, Field(description="First seen at or after this instant.")] = None


class ArticleShown(BaseModel):
    """An article as it is kept: cleaned, with the topics of the publisher that it matches."""

    id: int
    url: str
    title: str
    summary: str
    authors: list[str]
    tags: list[str]
    image_url: str
    language: str
    sources: list[str]
    topics: list[str]
    version: int
    published_at: At
    updated_at: At | None
    seen_at: At

    @classmethod
    def of(cls, article: Article, sources: Sequence[str], topics: Sequence[str]) -> Self:
        """From the row."""
        values = article.model_dump(include=set(cls.model_fields) - {"sources", "topics"})
        return cls(**values, sources=list(sources), topics=list(topics))


class ArticleWhole(ArticleShown):
    """An article with its text."""

    body_text: str
    body_html: str
