"""From planned picks to a digest's identity, and from the stored identity to what templates see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatcher.digest.fragments import Told
from dispatcher.model.content import Article, Story
from dispatcher.model.outbound import DigestContent, Section
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


@dataclass(frozen=True, slots=True)
class Outline:
    """A digest as it was planned: the content of its mail, its stories as this process knows them."""

    kind: DeliveryKind
    locale: str
    timezone: str
    cadence: str
    slot_at: datetime
    sections: Sequence[tuple[str, Sequence[Told]]]
    more: int = 0
    layout: str = Layout.CARDS
    letter: str = ""
    notice: tuple[str, ...] = ()

    @property
    def setting(self) -> Hashable:
        """What is the same for all digests that may share fragments."""
        return self.kind, self.locale, self.timezone, self.cadence, self.slot_at, self.layout, self.letter, self.notice

    @property
    def shape(self) -> tuple[Any, ...]:
        """What is neither that nor a story: labels and lengths of the sections, how many more there are."""
        return self.more, *[(label, len(told)) for label, told in self.sections]

    @property
    def told(self) -> list[Told]:
        """Its stories in reading order."""
        return [one for _, section in self.sections for one in section]

    @property
    def content(self) -> DigestContent:
        """The same, as templates see it."""
        return DigestContent(
            kind=self.kind,
            locale=self.locale,
            timezone=self.timezone,
            cadence=self.cadence,
            slot_at=self.slot_at,
            sections=tuple(Section(label, tuple(one.story for one in told)) for label, told in self.sections),
            more=self.more,
            layout=self.layout,
            letter=self.letter,
            notice=self.notice,
        )


def outline(digest: Any, tell: Callable[[int, Sequence[str]], Told | None]) -> Outline:
    """A stored digest (its row, or the columns of it) as an outline; an article that `tell` does not know is left out.

    `tell` is given an article's id and the labels of other topics that it matches.
    """
    sections: list[tuple[str, list[Told]]] = []
    for article_id, _, _, label, others in digest.items:
        told = tell(article_id, others)
        if told is None:
            continue
        if not sections or sections[-1][0] != label:
            sections.append((label, []))
        sections[-1][1].append(told)
    return Outline(
        digest.kind,
        digest.locale,
        digest.timezone,
        digest.cadence,
        digest.slot_at,
        sections,
        digest.more,
        digest.layout or Layout.CARDS,
        digest.letter,
        tuple(part for part in digest.notice.split("\n\n") if part),
    )


def story(article: Article, source: str, summary_length: int) -> Story:
    """What templates see of an article, wherever it stands."""
    return Story(
        title=article.title,
        url=article.url,
        summary=_shorten(article.summary, summary_length) if article.url else article.body_text or article.summary,
        source=source,
        authors=tuple(article.authors),
        tags=tuple(article.tags),
        image_url=article.image_url,
        language=article.language,
        published_at=article.published_at,
    )


def _shorten(text: str, length: int) -> str:
    """Cut at a word, with an ellipsis; a text with no blank in reach is cut where it must be. Of length 0: nothing."""
    if len(text) <= length or not length:
        return text[:length]
    head = text[:length]
    cut = head.rfind(" ")
    return (head[:cut] if cut > length // 2 else head).rstrip(" ,;:.-–—") + "…"
