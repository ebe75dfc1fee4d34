"""The invented paper's feeds: Atom 1.0 (RFC 4287) for the paper, JSON Feed 1.1 for its twin towns."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any
from xml.sax.saxutils import escape as escape_text
from xml.sax.saxutils import quoteattr

from dispatcher.demo.articles import PAPER, SampleArticle

TWINS = "Twin Towns"
_EPOCH = datetime.fromtimestamp(0, UTC)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2


@dataclass(frozen=True, slots=True)
class Links:
    """Where the pages of the paper are: below `root` (a URL or a relative path), articles with `suffix`."""

    root: str
    suffix: str = ""

    def article(self, article: SampleArticle) -> str:
        """The page of an article."""
        return f"{self.root}articles/{article.slug}{self.suffix}"

    def picture(self, article: SampleArticle) -> str:
        """The picture of an article that has one."""
        return f"{self.root}pictures/{article.slug}.png"


def atom(articles: Sequence[SampleArticle], links: Links) -> bytes:
    """The paper's feed."""
    home = links.root
    entries = "".join(_entry(article, links) for article in articles)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:media="http://search.yahoo.com/mrss/" xml:lang="en">\n'
        f"<id>{_text(home)}</id><title>{_text(PAPER)}</title><updated>{changed_at(articles).isoformat()}</updated>"
        f"<author><name>{_text(PAPER)}</name></author>"
        f'<link href={_attribute(home)}/><link rel="self" href={_attribute(home + "feed.xml")}/>\n{entries}</feed>\n'
    ).encode()


def json_feed(articles: Sequence[SampleArticle], links: Links) -> bytes:
    """The twin towns' feed, each item in its own language."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": TWINS,
        "home_page_url": links.root,
        "feed_url": f"{links.root}twins.json",
        "items": [_item(article, links) for article in articles],
    }
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def changed_at(articles: Sequence[SampleArticle]) -> datetime:
    """When the newest of them was published."""
    return max((article.published_at for article in articles if article.published_at), default=_EPOCH)


def paragraphs(article: SampleArticle) -> str:
    """The body of an article as HTML."""
    return "".join(f"<p>{escape(paragraph)}</p>" for paragraph in article.paragraphs)


def _entry(article: SampleArticle, links: Links) -> str:
    link, at = links.article(article), (article.published_at or _EPOCH).isoformat()
    authors = "".join(f"<author><name>{_text(name)}</name></author>" for name in article.authors)
    tags = "".join(f"<category term={_attribute(tag)}/>" for tag in article.tags)
    picture = f'<media:content url={_attribute(links.picture(article))} type="image/png"/>' if article.picture else ""
    return (
        f"<entry><id>{_text(link)}</id><title>{_text(article.title)}</title><link href={_attribute(link)}/>"
        f"<published>{at}</published><updated>{at}</updated>{authors}{tags}{picture}"
        f'<summary>{_text(article.standfirst)}</summary><content type="html">{_text(paragraphs(article))}</content>'
        "</entry>\n"
    )


def _item(article: SampleArticle, links: Links) -> dict[str, Any]:
    item = {
        "id": links.article(article),
        "url": links.article(article),
        "title": article.title,
        "summary": article.standfirst,
        "content_html": paragraphs(article),
        "language": article.language,
        "tags": list(article.tags),
        "authors": [{"name": name} for name in article.authors],
        "date_published": (article.published_at or _EPOCH).isoformat(),
    }
    return {**item, "image": links.picture(article)} if article.picture else item


def _text(text: str) -> str:
    return escape_text(_NOT_XML.sub("", text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("", text))
