"""One file of a folder → an article: Markdown with front matter, an HTML page, or plain text."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import PurePosixPath

from markdown_it import MarkdownIt

from dispatcher.errors import SourceError
from dispatcher.model.raw import RawArticle
from dispatcher.sources import frontmatter, guids, page
from dispatcher.sources.dates import parse_date

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META_CHARSET = re.compile(rb"""<meta[^<>]+charset=["']?([\w.:-]+)""", re.IGNORECASE)
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def parse(data: bytes, *, path: str, modified_at: datetime) -> RawArticle | None:
    """The article in a file's bytes; None for a draft. `path` is relative to the folder, and is the article's guid.

    `modified_at` dates an article that does not date itself. SourceError if the file holds nothing, or front matter
    that cannot be read.
    """
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n").strip("\ufeff\n")
    if not text.strip():
        raise SourceError("the file is empty")
    return KINDS[PurePosixPath(path).suffix.lower()](text, path, modified_at)


def decode(data: bytes) -> str:
    """Text by its byte order mark, else as UTF-8, else as an HTML page declares, else as Windows-1252."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, "replace")
    declared = _META_CHARSET.search(data[:2048])
    for encoding in ("utf-8", declared[1].decode("ascii", "replace") if declared else "cp1252", "cp1252"):
        try:
            return data.decode(encoding)
        except (LookupError, ValueError):
            continue
    return data.decode("cp1252", "replace")


def _text(text: str, path: str, modified_at: datetime) -> RawArticle:
    title, _, body = text.strip().partition("\n")
    return RawArticle(
        guid=guids.choose(path, ""), title=title.strip(), content=body.strip(), is_html=False, published_at=modified_at
    )


def _markdown(text: str, path: str, modified_at: datetime) -> RawArticle | None:
    facts, body = frontmatter.split(text)
    if _fact(facts, "draft").lower() == "true":
        return None
    heading, content = _render(body, wants_heading=not _fact(facts, "title"))
    return RawArticle(
        guid=guids.choose(_fact(facts, "id", "guid") or path, ""),
        title=html.escape(_fact(facts, "title") or heading or _from_name(path), quote=False),
        url=_fact(facts, "url", "link"),
        summary=html.escape(_fact(facts, "summary", "description"), quote=False),
        content=content,
        authors=tuple(_facts(facts, "author")) + tuple(_facts(facts, "authors", is_list=True)),
        tags=tuple(_facts(facts, "tags", is_list=True)),
        image_url=_fact(facts, "image"),
        language=_fact(facts, "language", "lang"),
        published_at=_date(facts, "date", "published") or modified_at,
        updated_at=_date(facts, "updated", "lastmod"),
        base_url=_fact(facts, "url", "link"),
    )


def _page(text: str, path: str, modified_at: datetime) -> RawArticle:
    read = page.read(text)
    meta = read.meta
    keywords = tuple(tag.strip() for tag in meta.get("keywords", "").split(","))
    published = meta.get("article:published_time") or meta.get("date") or meta.get("dc.date") or ""
    return RawArticle(
        guid=guids.choose(path, ""),
        title=html.escape(read.title or _from_name(path), quote=False),
        url=read.canonical,
        summary=html.escape(meta.get("description") or meta.get("og:description") or "", quote=False),
        content=read.body,
        authors=tuple(filter(None, [meta.get("author", "")])),
        tags=read.tags or tuple(filter(None, keywords)),
        image_url=meta.get("og:image", ""),
        language=read.language,
        published_at=parse_date(published) or modified_at,
        updated_at=parse_date(meta.get("article:modified_time")),
        base_url=read.base or read.canonical,
    )


KINDS: dict[str, Callable[[str, str, datetime], RawArticle | None]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _page,
    ".htm": _page,
    ".txt": _text,
}


def _render(body: str, *, wants_heading: bool) -> tuple[str, str]:
    """The first heading's text, if it opens the document and is wanted as the title, and the HTML of the rest."""
    tokens = _MARKDOWN.parse(body)
    heading = ""
    if wants_heading and len(tokens) >= 3 and tokens[0].type == "heading_open":
        heading = "".join(child.content for child in tokens[1].children or () if child.type in ("text", "code_inline"))
        tokens = tokens[3:]
    return heading, _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})


def _from_name(path: str) -> str:
    """A title of last resort: "2026-11-22-first-snow.md" → "2026 11 22 first snow"."""
    return re.sub(r"[-_\s]+", " ", PurePosixPath(path).stem).strip()


def _fact(facts: frontmatter.Facts, *keys: str) -> str:
    return next((text for text in _facts(facts, *keys)), "")


def _facts(facts: frontmatter.Facts, *keys: str, is_list: bool = False) -> Iterator[str]:
    """The texts under the first key that has any; with `is_list`, one text may hold several with commas."""
    for key in keys:
        value = facts.get(key)
        values = value if isinstance(value, list) else [value]
        texts = [text for entry in values if (text := _plain(entry))]
        if is_list and not isinstance(value, list):
            texts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
        if texts:
            yield from texts
            return


def _plain(value: object) -> str:
    """A fact as text: TOML has numbers and tables, and lists of people are often written as `name: …`."""
    if isinstance(value, dict):
        value = value.get("name", "")
    if value is None or isinstance(value, list):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).removeprefix("name:").strip()


def _date(facts: frontmatter.Facts, *keys: str) -> datetime | None:
    return next((moment for key in keys if (moment := parse_date(facts.get(key)))), None)
