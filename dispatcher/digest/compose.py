"""From planned picks to a digest's identity, and from the stored identity to what templates see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from dispatcher.model.content import Article, Story
from dispatcher.model.outbound import Digest, DigestContent, Section
from dispatcher.model.values import DeliveryKind, Layout

Item = tuple[int, int, int, str, tuple[str, ...]]
"""Article id, version, cluster id, the topic's label it stands under, the other labels it matches."""


def identity(
    items: Sequence[Item], *, newsletter_id: int, kind: DeliveryKind, locale: str, zone: str, cadence: str,
    slot_at: datetime, more: int, layout: str, look: str, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """A digest's row: two readers whose mail would show the same get the same `key`, and so the same digest.

    `look` stands for everything else that shows: caps, the version of templates and theme. Of the slot only what a
    reader sees counts, the local day.
    """
    day = slot_at.astimezone(ZoneInfo(zone)).date().isoformat()
    shown = [newsletter_id, kind, locale, zone, cadence, day, more, layout, look, items]
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    return {
        "key": hashlib.sha256(text.encode()).hexdigest(),
        "newsletter_id": newsletter_id,
        "kind": kind,
        "locale": locale,
        "timezone": zone,
        "cadence": cadence,
        "slot_at": slot_at,
        "items": [[*item[:4], list(item[4])] for item in items],
        "more": more,
        "layout": layout,
        "created_at": now,
    }


def content(
    digest: Digest, articles: Mapping[int, Article], sources: Mapping[int, Sequence[str]], *, summary_length: int
) -> DigestContent:
    """What templates see of a stored digest. An article that was withdrawn since is left out."""
    known = [(label, others, articles[i]) for i, _, _, label, others in digest.items if i in articles]
    sections = tuple(
        Section(
            label,
            tuple(
                _story(article, sources.get(article.id or 0, ()), tuple(others), summary_length)
                for _, others, article in group
            ),
        )
        for label, group in groupby(known, key=lambda entry: entry[0])
    )
    return DigestContent(
        kind=digest.kind,
        locale=digest.locale,
        timezone=digest.timezone,
        cadence=digest.cadence,
        slot_at=digest.slot_at,
        sections=sections,
        more=digest.more,
        layout=digest.layout or Layout.CARDS,
        letter=digest.letter,
        notice=tuple(part for part in digest.notice.split("\n\n") if part),
    )


def _story(article: Article, sources: Sequence[str], others: tuple[str, ...], summary_length: int) -> Story:
    return Story(
        title=article.title,
        url=article.url,
        summary=_shorten(article.summary, summary_length) if article.url else article.body_text or article.summary,
        source=sources[0] if sources else "",
        authors=tuple(article.authors),
        tags=tuple(article.tags),
        image_url=article.image_url,
        language=article.language,
        published_at=article.published_at,
        also_in=others,
    )


def _shorten(text: str, length: int) -> str:
    """Cut at a word, with an ellipsis; a text with no blank in reach is cut where it must be. Of length 0: nothing."""
    if len(text) <= length or not length:
        return text[:length]
    head = text[:length]
    cut = head.rfind(" ")
    return (head[:cut] if cut > length // 2 else head).rstrip(" ,;:.-–—") + "…"
