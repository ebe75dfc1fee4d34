"""What is published: sources, articles, clusters; queries and topics; matches between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant, json, json_later, words
from dispatcher.model.values import Origin, PausedBy


class Source(SQLModel, table=True):
    """A feed or folder we read, with what polling it politely needs and how healthy it is."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    url: str
    origin: Origin = words(Origin)
    poll_every: int = Field(default=900, description="seconds")
    priority: int = Field(default=5, sa_column_kwargs={"server_default": sa.text("5")}, description="1 to 10")
    tags: list[str] = json(list)
    allow_private: bool = False
    is_paused: bool = False
    paused_by: PausedBy | None = words(PausedBy, nullable=True)
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    next_poll_at: datetime = instant(index=True)
    retry_after_at: datetime | None = instant(nullable=True)
    polled_at: datetime | None = instant(nullable=True)
    succeeded_at: datetime | None = instant(nullable=True)
    failures: int = 0
    last_error: str = ""
    broken_since: datetime | None = instant(nullable=True)
    told_broken_at: datetime | None = instant(nullable=True)
    polls: int = Field(default=0, sa_column_kwargs={"server_default": sa.text("0")}, description="that succeeded")
    not_modified: int = Field(default=0, sa_column_kwargs={"server_default": sa.text("0")}, description="answers 304")
    created_at: datetime = instant()


class Cluster(SQLModel, table=True):
    """The same story from several articles. A reader gets a cluster once per channel."""

    id: int | None = Field(default=None, primary_key=True)
    created_at: datetime = instant()


class Article(SQLModel, table=True):
    """One item, cleaned: text is text, HTML is sanitised, links are absolute, instants are UTC.

    `seen_at` is when we first met it, `published_at` what it claims (first seen when it claims nothing, never in
    the future). `version` rises with every edit that changes `content_hash`. `is_backlog` marks articles of a
    source's first poll. `source_id` is the source that brought it first; every source that has it has a Sighting.
    After its retention an article is emptied (`pruned_at`) but remembered.
    """

    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(foreign_key="source.id", index=True)
    cluster_id: int = Field(foreign_key="cluster.id", index=True)
    url: str = Field(default="", index=True)
    title: str = ""
    summary: str = ""
    body_text: str = ""
    body_html: str = ""
    authors: list[str] = json(list)
    tags: list[str] = json(list)
    image_url: str = ""
    language: str = ""
    published_at: datetime = instant()
    updated_at: datetime | None = instant(nullable=True)
    seen_at: datetime = instant(index=True)
    content_hash: str = ""
    version: int = 1
    is_backlog: bool = False
    pruned_at: datetime | None = instant(nullable=True)


class Sighting(SQLModel, table=True):
    """One article as one source knows it: (source, guid) is the identity of an item."""

    __table_args__ = (sa.UniqueConstraint("source_id", "guid"),)

    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id", index=True)
    source_id: int = Field(foreign_key="source.id")
    guid: str
    content_hash: str = ""
    seen_at: datetime = instant()


class Query(SQLModel, table=True):
    """The canonical text and language of a search: immutable, shared, owner of its matches, never shown as such.

    `digest` is SHA-256 of both: a text may be longer than an index of PostgreSQL takes.
    """

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(unique=True)
    text: str
    language: str
    created_at: datetime = instant()
    backfilled_at: datetime | None = instant(nullable=True, index=True)


class QueryChange(SQLModel, table=True):
    """A query that may have begun or ceased to be live, under the number that the counter `topics` had then."""

    version: int = Field(primary_key=True)
    query_id: int = Field(primary_key=True)


class Topic(SQLModel, table=True):
    """What a reader sees and follows: a label over one query. `owner_id` is None for the publisher's topics.

    `digest` is a stored Style: what this topic's section of a digest has otherwise than the rest. `newsletter_id` is
    None for the default newsletter. One without `query_text` matches nothing: who follows it gets what is written.
    """

    __table_args__ = (
        sa.Index("ix_topic_slug", "slug", unique=True, sqlite_where=sa.text("owner_id IS NULL"),
                 postgresql_where=sa.text("owner_id IS NULL")),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    slug: str
    name: str
    description: str = ""
    query_id: int = Field(foreign_key="query.id", index=True)
    query_text: str = Field(default="", description="as its owner wrote it")
    language: str = ""
    owner_id: int | None = Field(default=None, foreign_key="subscriber.id", index=True, nullable=True)
    is_public: bool = True
    newsletter_id: int | None = Field(default=None, nullable=True)
    digest: dict[str, Any] = json_later()
    origin: Origin = words(Origin)
    is_paused: bool = False
    paused_by: PausedBy | None = words(PausedBy, nullable=True)
    created_at: datetime = instant()


class Match(SQLModel, table=True):
    """Article × query. `release` numbers matches in commit order, so that no reader of the numbers can miss one.

    `seen_at` is the instant from which the article counts as new for this query: the article's own for a fresh
    or backfilled match, the edit's when an edit made it match.
    """

    __table_args__ = (sa.Index("ix_match_query_release", "query_id", "release"),)

    article_id: int = Field(foreign_key="article.id", primary_key=True)
    query_id: int = Field(foreign_key="query.id", primary_key=True)
    release: int = Field(index=True)
    score: float = 0.0
    seen_at: datetime = instant()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A match as planning sees it: just enough to choose, order and identify the article.

    `priority` is its source's; `tellers` counts the sources that tell its story.
    """

    article_id: int
    version: int
    cluster_id: int
    query_id: int
    release: int
    score: float
    seen_at: datetime
    published_at: datetime
    is_backlog: bool
    priority: int = 5
    tellers: int = 1


@dataclass(frozen=True, slots=True)
class Story:
    """An article as a template sees it, in one digest, under one topic's label.

    `body` is its whole text, and `body_html` the same as sanitised HTML: both empty but in the layout that shows them.
    """

    title: str
    url: str
    summary: str = ""
    source: str = ""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    image_url: str = ""
    language: str = ""
    published_at: datetime | None = None
    also_in: tuple[str, ...] = field(default=(), metadata={"doc": "other topics of this reader that it matches"})
    body: str = ""
    body_html: str = ""
