"""A feed's bytes → its items: RSS 2.0, RSS 1.0 and Atom 1.0 by feedparser, JSON Feed by our own small parser.

Pure, but not quick on hostile input: run it in the sandbox.
"""

from __future__ import annotations

import calendar
import html
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import struct_time
from typing import Any
from urllib.parse import urljoin

import feedparser
from feedparser.encodings import convert_to_utf8

from dispatcher.errors import SourceError
from dispatcher.model.raw import RawArticle
from dispatcher.sources import guids, jsonfeed
from dispatcher.sources.dates import parse_date

MAX_ITEMS = 2000
_SKIPPED = re.compile(r"[\s\ufeff]+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_DOCTYPE = re.compile(r"<!DOCTYPE\s+([\w:.-]+)", re.IGNORECASE)
_ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as read: at most 2,000 items, in the feed's order, each with a guid of its own."""

    title: str = ""
    language: str = ""
    items: tuple[RawArticle, ...] = ()


def parse(body: bytes, *, url: str, content_type: str = "") -> Feed:
    """The feed in `body`, which came from `url`. SourceError, saying what it is instead, if it is no feed.

    `content_type` is the HTTP header, whose charset counts before the document's own (RFC 7303 §3.2).
    """
    if not body.strip(b" \t\r\n\0\xef\xbb\xbf\xfe\xff"):
        raise SourceError("the feed is empty: there is not a single character in it")
    if _is_json(body):
        title, language, items = jsonfeed.parse(body, url=url, limit=MAX_ITEMS)
    else:
        title, language, items = _parse_xml(body, url, content_type)
    return Feed(title, language, guids.tell_apart(items))


def _is_json(body: bytes) -> bool:
    """By its first character: no XML starts with a brace, and content types lie."""
    return body[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] in (b"{", b"[")


def _parse_xml(body: bytes, url: str, content_type: str) -> tuple[str, str, list[RawArticle]]:
    root, parsed = _feedparser(body, url, content_type)
    if not parsed.version and not parsed.entries:
        what = f"its root element is <{root}>" if root else "it holds no XML element"
        raise SourceError(f"this is neither RSS, Atom nor JSON Feed: {what}")
    channel = _channel(parsed.feed, url)
    items = [
        _article(entry, channel, is_atom=parsed.version.startswith("atom")) for entry in parsed.entries[:MAX_ITEMS]
    ]
    return channel.title, channel.language, [item for item in items if item is not None]


def _feedparser(body: bytes, url: str, content_type: str) -> tuple[str, Any]:
    """The root element's name and what feedparser made of the document, decoded once and looked at before it."""
    try:
        decoded = convert_to_utf8({"content-type": content_type} if content_type else {}, body, {})
        root = _root(decoded.decode("utf-8", "replace"))
        headers = {"content-type": "application/xml; charset=utf-8", "content-location": url}
        # A stream, never the bytes: feedparser takes a string for a URL or a file name to open.
        parsed = feedparser.parse(
            io.BytesIO(decoded), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
        if parsed.bozo and _ends_within_item(decoded):
            del parsed.entries[-1:]
        return root, parsed
    except SourceError:
        raise
    except Exception as error:  # whatever a hostile document provokes in the parser is that document's failure
        raise SourceError(f"the feed cannot be read ({type(error).__name__}: {error})") from error


def _ends_within_item(document: bytes) -> bool:
    """Whether the document breaks off in an item: half of it now and the whole next time would look like two."""
    opened = max(document.rfind(b"<item"), document.rfind(b"<entry"))
    return opened > max(document.rfind(b"</item"), document.rfind(b"</entry"))


def _root(text: str) -> str:
    """The root element's name. SourceError for a web page, and for entity declarations (billion laughs, W7)."""
    start = 0
    while skipped := _SKIPPED.match(text, start):
        start = skipped.end()
    doctype = _DOCTYPE.match(text, start)
    if doctype and "<!ENTITY" in text:
        raise SourceError("the feed declares XML entities of its own, which is refused: they can be used as a bomb")
    found = _ROOT.search(text, doctype.end() if doctype else start)
    name = found[1] if found else ""
    if name.lower() == "html" or (doctype and doctype[1].lower() == "html"):
        raise SourceError("this is a web page, not a feed; look on the page for the address of its RSS or Atom feed")
    return name


@dataclass(frozen=True, slots=True)
class _Channel:
    """What items inherit from their feed."""

    title: str
    language: str
    link: str
    url: str
    authors: tuple[str, ...]


def _channel(feed: Any, url: str) -> _Channel:
    return _Channel(
        title=" ".join(html.unescape(_text(feed, "title")).split()),
        language=_text(feed, "language"),
        link=_absolute(url, _text(feed, "link")),
        url=url,
        authors=_authors(feed),
    )


def _article(entry: Any, channel: _Channel, *, is_atom: bool) -> RawArticle | None:
    """One entry; None when it carries neither title, summary nor content."""
    content_detail = _best_content(entry)
    title = _markup(entry.get("title_detail"), _text(entry, "title"), is_atom=is_atom)
    summary = _markup(entry.get("summary_detail"), _text(entry, "summary"), is_atom=is_atom)
    content = _markup(content_detail, _text(content_detail, "value"), is_atom=is_atom)
    if _text(entry, "summary") == _text(content_detail, "value"):
        summary = ""  # feedparser fills a missing summary with the content
    if not (title or summary or content):
        return None
    link = _absolute(channel.link or channel.url, _text(entry, "feedburner_origlink") or _text(entry, "link"))
    updated_at = _instant(entry, "updated")
    return RawArticle(
        guid=guids.choose(_text(entry, "id"), link, title, summary, content),
        title=title,
        url=link,
        summary=summary,
        content=content,
        authors=_authors(entry) or channel.authors,
        tags=tuple(_tags(entry)),
        image_url=_image(entry),
        language=_language(entry, content_detail) or channel.language,
        published_at=_instant(entry, "published") or _instant(entry, "created") or updated_at,
        updated_at=updated_at,
        base_url=_base(content_detail or entry.get("summary_detail"), link, channel),
    )


def _best_content(entry: Any) -> Mapping[str, Any]:
    """The first content in HTML, else the first that is text at all: alternatives are the same thing twice."""
    texts = [detail for detail in entry.get("content", ()) if _text(detail, "value")]
    return next((detail for detail in texts if "html" in _text(detail, "type")), texts[0] if texts else {})


def _markup(detail: Mapping[str, Any] | None, text: str, *, is_atom: bool) -> str:
    """A field as HTML. Only Atom says reliably what is plain text (RFC 4287 §3.1.1); RSS is HTML by habit."""
    is_plain = is_atom and detail is not None and detail.get("type") == "text/plain"
    return html.escape(text, quote=False) if is_plain else text


def _authors(holder: Any) -> tuple[str, ...]:
    """Names only: a feed's bare mail addresses are nobody's by-line."""
    people, written = holder.get("authors") or (), _text(holder, "author")
    if len(people) == 1 and "@" in written:
        # "desk@quay.example (Nora Lind)": feedparser knows top-level domains of four letters only, and tears the rest.
        parts = [part.strip() for part in re.split(r"[()<>]", written)]
        return tuple(part for part in parts if part and "@" not in part)[:1]
    return tuple(name for person in people if (name := _text(person, "name")) and "@" not in name)


def _tags(entry: Any) -> list[str]:
    return [
        tag for entry_tag in entry.get("tags", ()) if (tag := _text(entry_tag, "label") or _text(entry_tag, "term"))
    ]


def _image(entry: Any) -> str:
    """The item's picture: Media RSS first, then an enclosure, then the podcast cover."""
    for thumbnail in entry.get("media_thumbnail", ()):
        if url := _text(thumbnail, "url"):
            return url
    for medium in [*entry.get("media_content", ()), *entry.get("enclosures", ())]:
        is_image = _text(medium, "type").startswith("image/") or _text(medium, "medium") == "image"
        if is_image and (url := _text(medium, "url") or _text(medium, "href")):
            return url
    return _text(entry.get("image") or {}, "href")


def _language(entry: Any, content_detail: Mapping[str, Any]) -> str:
    details = (content_detail, entry.get("title_detail") or {}, entry.get("summary_detail") or {})
    return next((language for detail in details if (language := _text(detail, "language"))), _text(entry, "language"))


def _base(detail: Mapping[str, Any] | None, link: str, channel: _Channel) -> str:
    """An xml:base in force, else the item's own page: feeds are often served from another host than the site."""
    declared = _text(detail or {}, "base")
    return declared if declared and declared != channel.url else link or channel.link or channel.url


def _instant(entry: Any, name: str) -> datetime | None:
    """One of the entry's dates. feedparser passes off the one date as the other, hence the look at what is there."""
    if not dict.__contains__(entry, name):
        return None
    parsed = dict.get(entry, f"{name}_parsed")
    return (_from_struct(parsed) if parsed else None) or parse_date(dict.get(entry, name))


def _from_struct(parsed: struct_time) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    return value.strip() if isinstance(value, str) else ""


def _absolute(base: str, link: str) -> str:
    """`link` made absolute; as it stands where that is impossible."""
    try:
        return urljoin(base, link) if link else ""
    except ValueError:
        return link
