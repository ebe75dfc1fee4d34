"""Newsletters as programs see them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from dispatcher.model.outbound import Newsletter


class NewsletterShown(BaseModel):
    """One publication. `topics` are the slugs of its topics, `readers` how many people follow any of them."""

    id: int
    slug: str
    name: str
    sender: str
    reply_to: str
    list_id: str
    url: str
    language: str
    is_paused: bool
    topics: list[str]
    readers: int

    @classmethod
    def of(cls, newsletter: Newsletter, topics: list[str], readers: int) -> Self:
        """From the row, with what was counted."""
        return cls(**newsletter.model_dump(include=set(cls.model_fields)), topics=topics, readers=readers)
