"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), and 1.0 with it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.errors import SourceError
from dispatcher.model.raw import RawArticle
from dispatcher.sources import guids
from dispatcher.sources.dates import parse_date

_VERSION = "jsonfeed.org/version/"


def parse(body: bytes, *, url: str, limit: int) -> tuple[str, str, list[RawArticle]]:
    """Title, language and the first `limit` items of a JSON Feed. SourceError if it is none."""
    feed = _document(body)
    base = _text(feed.get("home_page_url")) or url
    authors = _authors(feed)
    items = [_article(item, base, authors) for item in _items(feed)[:limit]]
    return _text(feed.get("title")), _text(feed.get("language")), [item for item in items if item is not None]


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        feed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"this looks like JSON but cannot be read: {error}") from error
    if not isinstance(feed, dict) or _VERSION not in _text(feed.get("version")):
        raise SourceError("this is JSON, but no JSON Feed: it has no `version` naming jsonfeed.org")
    return feed


def _items(feed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    items = feed.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _article(item: Mapping[str, Any], base: str, feed_authors: tuple[str, ...]) -> RawArticle | None:
    """One item; None when it carries nothing to read. Title and summary are plain text by definition."""
    title, summary = _text(item.get("title")), _text(item.get("summary"))
    link = _text(item.get("url")) or _text(item.get("external_url"))
    markup, plain = _text(item.get("content_html")), _text(item.get("content_text"))
    if not (title or summary or markup or plain):
        return None
    return RawArticle(
        guid=guids.choose(_text(item.get("id")), link, title, summary, markup, plain),
        title=html.escape(title) if markup else title,
        url=link,
        summary=html.escape(summary) if markup else summary,
        content=markup or plain,
        is_html=bool(markup),
        authors=_authors(item) or feed_authors,
        tags=tuple(_texts(item.get("tags"))),
        image_url=_image(item),
        language=_text(item.get("language")),
        published_at=parse_date(item.get("date_published")),
        updated_at=parse_date(item.get("date_modified")),
        base_url=link if link.startswith(("http://", "https://")) else base,
    )


def _authors(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """`authors` of 1.1, or the single `author` of 1.0."""
    people = holder.get("authors")
    people = people if isinstance(people, list) else [holder.get("author")]
    return tuple(name for person in people if isinstance(person, dict) and (name := _text(person.get("name"))))


def _image(item: Mapping[str, Any]) -> str:
    if image := _text(item.get("image")) or _text(item.get("banner_image")):
        return image
    attachments = item.get("attachments")
    for attachment in attachments if isinstance(attachments, list) else []:
        if isinstance(attachment, dict) and _text(attachment.get("mime_type")).startswith("image/"):
            return _text(attachment.get("url"))
    return ""


def _texts(value: object) -> Iterator[str]:
    return (text for entry in value if (text := _text(entry))) if isinstance(value, list) else iter(())


def _text(value: object) -> str:
    """A string, or a number written as one (ids are often numbers); anything else is nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()
