"""Digests and what stands in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, Field

from dispatcher.model.content import Article
from dispatcher.model.outbound import Digest
from dispatcher.web.api.fields import At, Instant
from dispatcher.web.api.paging import Paging


class DigestListing(Paging):
    """Which digests."""

    since: Annotated[Instant | None, Field(description="Made at or after this instant.")] = None


class DigestShown(BaseModel):
    """Composed content, shared by every reader whose mail would show exactly the same."""

    id: int
    kind: str
    newsletter: str
    locale: str
    timezone: str
    cadence: str
    slot_at: At
    articles: int
    more: int
    created_at: At

    @classmethod
    def of(cls, digest: Digest, newsletter: str) -> Self:
        """From the row, with its newsletter's slug."""
        values = digest.model_dump(include=set(cls.model_fields))
        return cls(**values, newsletter=newsletter, articles=len(digest.items))


class DigestItem(BaseModel):
    """One story of a digest. `topic` is null where the reader made the topic for themselves."""

    article_id: int
    version: int
    title: str
    url: str
    topic: str | None


class DigestWhole(DigestShown):
    """A digest with its stories, in their order. `view` is its page, for whoever has the address: null without
    `[web] url`, and where it would show a topic that a reader made for themselves.
    """

    view: str | None
    items: list[DigestItem]

    @classmethod
    def with_items(
        cls, digest: Digest, newsletter: str, view: str, articles: Mapping[int, Article], names: Collection[str]
    ) -> Self:
        """From the row, its newsletter's slug, the articles it names, and the names of the publisher's topics."""
        items = [
            DigestItem(
                article_id=number,
                version=version,
                title=articles[number].title,
                url=articles[number].url,
                topic=label if label in names else None,
            )
            for number, version, _, label, *_ in digest.items
            if number in articles
        ]
        return cls(**DigestShown.of(digest, newsletter).model_dump(), view=view or None, items=items)
