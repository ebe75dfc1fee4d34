"""A raw article → a clean one, ready to be stored and matched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from dispatcher.articles import markup
from dispatcher.articles.identity import canonical_url, content_hash
from dispatcher.articles.text import MAX_HTML, html_to_text, line, printable, shorten
from dispatcher.model.content import Article, Source
from dispatcher.model.raw import RawArticle

MAX_TITLE = 300
MAX_SUMMARY = 350
MAX_AUTHORS, MAX_AUTHOR = 10, 100
MAX_TAGS, MAX_TAG = 30, 60

_LANGUAGE = re.compile(r"([a-z]{2,3})(?:-[a-z]{3})?((?:-[a-z0-9]{2,8}){0,3})", re.IGNORECASE)
_NO_LANGUAGE = frozenset(("und", "mul", "zxx", "mis"))
_NO_DATE = (datetime(1, 1, 3, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))


def clean(raw: RawArticle, source: Source, now: datetime) -> Article:
    """The article in `raw`, not yet saved (cluster 0, version 1), first seen `now` in `source`.

    Nothing in it is trusted any more and nothing is missing that can be told: see `docs/reference/sources.md`.
    """
    base = _web_base(raw)
    url = canonical_url(raw.url, base)
    body_html = _body(raw, base)
    body_text = html_to_text(body_html)
    summary = _summary(raw, body_text)
    published_at = _past(raw.published_at, now) or _past(raw.updated_at, now) or now
    article = Article(
        source_id=source.id or 0,
        cluster_id=0,
        url=url,
        title=_title(raw) or shorten(summary, 100) or _from_url(url) or source.name,
        summary=summary,
        body_text=body_text,
        body_html=body_html,
        authors=_distinct(map(_plain, raw.authors), MAX_AUTHORS, MAX_AUTHOR),
        tags=_distinct([*map(_plain, raw.tags), *source.tags], MAX_TAGS, MAX_TAG),
        image_url=markup.public_image(raw.image_url, base, allow_private=source.allow_private),
        language=language_tag(raw.language),
        published_at=published_at,
        updated_at=_past(raw.updated_at, now),
        seen_at=now,
    )
    article.content_hash = content_hash(article)
    return article


def language_tag(text: str) -> str:
    """A language tag in its usual case (RFC 5646 §2.1.1), as in zh-Hant-TW; "" if it is none."""
    found = _LANGUAGE.fullmatch(text.strip().replace("_", "-").partition(".")[0])
    if found is None or found[1].lower() in _NO_LANGUAGE:
        return ""
    rest = [
        part.upper() if len(part) == 2 else part.title() if len(part) == 4 else part for part in found[2].split("-")
    ]
    return "-".join([found[1].lower(), *filter(None, rest)])


def _web_base(raw: RawArticle) -> str:
    """What relative links are relative to: the item's base, resolved against its own link; never a file."""
    link = canonical_url(raw.url)
    return canonical_url(raw.base_url, link) or link


def _title(raw: RawArticle) -> str:
    text = raw.title[: MAX_TITLE * 20]
    return shorten(line(html_to_text(text) if raw.is_html else text), MAX_TITLE)


def _body(raw: RawArticle, base: str) -> str:
    """The content, or the summary of a feed that puts everything there."""
    text = raw.content if raw.content.strip() else raw.summary
    return markup.sanitise(text, base) if raw.is_html else markup.paragraphs(printable(text[:MAX_HTML]))


def _summary(raw: RawArticle, body_text: str) -> str:
    """The summary given, else the start of the body (which is the summary, where there is no content)."""
    given = raw.summary[:MAX_HTML] if raw.content.strip() else ""
    text = html_to_text(given) if raw.is_html else given
    return shorten(line(text) or line(body_text[: MAX_SUMMARY * 20]), MAX_SUMMARY, sentence_from=MAX_SUMMARY // 3)


def _from_url(url: str) -> str:
    """A title of last resort: the host and the last part of the path."""
    parts = urlsplit(url)
    return line(" ".join(filter(None, [parts.hostname or "", parts.path.rstrip("/").rpartition("/")[2]])))


def _past(moment: datetime | None, now: datetime) -> datetime | None:
    """The instant in UTC, `now` if it lies in the future; None for none, and for the zeros programs write as none."""
    if moment is None:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    is_zero = moment < _NO_DATE[0] or moment == _NO_DATE[1]
    return None if is_zero else min(moment, now)


def _plain(text: str) -> str:
    return line(html_to_text(text[:1000]))


def _distinct(texts: Iterable[str], most: int, longest: int) -> list[str]:
    """The texts that say something, each once whatever its case, in their order."""
    found: dict[str, str] = {}
    for text in texts:
        shown = shorten(line(text), longest)
        if shown:
            found.setdefault(shown.casefold(), shown)
    return list(found.values())[:most]
