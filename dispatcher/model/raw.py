"""An item before anybody has looked at it. Apart from the tables, so that the parsing process need not load them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RawArticle:
    """One item as a source gave it: untrusted, possibly with HTML in every field, links possibly relative.

    `base_url` is what relative links are relative to. `language` is what the item or its feed claims.
    """

    guid: str
    title: str = ""
    url: str = ""
    summary: str = ""
    content: str = ""
    is_html: bool = True
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    image_url: str = ""
    language: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    base_url: str = ""
