"""From planned picks to a digest's identity, and from the stored identity to what templates see."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatcher.digest.body import LONGEST, mailed
from dispatcher.digest.fragments import Told
from dispatcher.digest.plain import cut_at_word
from dispatcher.model.content import Article, Story
from dispatcher.model.edition import Written
from dispatcher.model.outbound import DigestContent, Section
from dispatcher.model.values import PLAIN, DeliveryKind, Layout, Style

WHOLE = -1
"""Instead of a number of characters: all that there is."""

Item = tuple[int, int, int, str, tuple[str, ...]]
"""Article id, version, cluster id, the topic's label it stands under, the other labels it matches."""


def identity(
    items: Sequence[Item], *, newsletter_id: int, kind: DeliveryKind, locale: str, zone: str, cadence: str,
    slot_at: datetime, more: int, layout: str, look: str, now: datetime, styles: Mapping[str, Any] | None = None,
    rest: Sequence[Item] = (),
) -> dict[str, Any]:  # fmt: skip
    """A digest's row: two readers whose mail would show the same get the same `key`, and so the same digest.

    `rest` is what of `more` the digest's own page shows, which the mail leads to.
    `look` stands for everything else that shows: caps, the version of templates and theme. Of the slot only what a
    reader sees counts, the local day.
    """
    day = slot_at.astimezone(ZoneInfo(zone)).date().isoformat()
    seldom = [one for one in (styles, rest) if one]
    shown = [newsletter_id, kind, locale, zone, cadence, day, more, layout, look, items, *seldom]
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    return {
        "key": hashlib.sha256(text.encode()).hexdigest(),
        "newsletter_id": newsletter_id,
        "kind": kind,
        "locale": locale,
        "timezone": zone,
        "cadence": cadence,
        "slot_at": slot_at,
        "items": _stored(items),
        "more": more,
        "rest": _stored(rest),
        "layout": layout,
        "styles": dict(styles or {}),
        "created_at": now,
    }


def _stored(items: Sequence[Item]) -> list[list[Any]]:
    return [[*item[:4], list(item[4])] for item in items]


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
    layouts: Mapping[str, str] = field(default_factory=dict)
    """By label, of the sections that are laid out otherwise."""
    newsletter_id: int = 0
    written: Written | None = None

    @property
    def setting(self) -> Hashable:
        """What is the same for all digests that may share fragments."""
        return self.kind, self.locale, self.timezone, self.cadence, self.slot_at, self.layout, self.letter, self.notice

    @property
    def shape(self) -> tuple[Any, ...]:
        """What is neither that nor a story: labels, lengths, layouts of the sections, how many more there are."""
        sections = [(label, len(told)) for label, told in self.sections]
        return (self.more, *sections, *sorted(self.layouts.items())) if self.layouts else (self.more, *sections)

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
            sections=tuple(
                Section(label, tuple(one.story for one in told), self.layouts.get(label, ""))
                for label, told in self.sections
            ),
            more=self.more,
            layout=self.layout,
            letter=self.letter,
            notice=self.notice,
            preheader=self.written.preheader if self.written else "",
            written=self.written,
        )


def outline(digest: Any, tell: Callable[[int, Sequence[str], int | None], Told | None]) -> Outline:
    """A stored digest (its row, or the columns of it) as an outline; an article that `tell` does not know is left out.

    `tell` is given an article's id, the labels of other topics that it matches, and how much of its summary is wanted,
    where that is not what all others have: WHOLE is the article itself.
    """
    styles = {label: Style.of(stored) for label, stored in digest.styles.items()}
    lengths, usual = {label: _length_in(digest, own) for label, own in styles.items()}, _length_in(digest, PLAIN)
    sections: list[tuple[str, list[Told]]] = []
    for article_id, _, _, label, others in digest.items:
        told = tell(article_id, others, lengths.get(label, usual))
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
        {label: style.layout for label, style in styles.items() if style.layout},
        digest.newsletter_id,
    )


def told_whole(digest: Any) -> set[int]:
    """Of a stored digest the articles that are shown with all of their text."""
    if not digest.styles and digest.layout != Layout.FULL:
        return set()
    styles = {label: Style.of(stored) for label, stored in digest.styles.items()}
    return {item[0] for item in digest.items if _length_in(digest, styles.get(item[3], PLAIN)) == WHOLE}


def _length_in(digest: Any, style: Style) -> int | None:
    return WHOLE if (style.layout or digest.layout) == Layout.FULL else style.summary_length


def story(article: Article, source: str) -> Story:
    """What templates see of an article, wherever it stands, with its whole summary."""
    return Story(
        title=article.title,
        url=article.url,
        summary=article.summary if article.url else _in_paragraphs(article.body_text) or article.summary,
        source=source,
        authors=tuple(article.authors),
        tags=tuple(article.tags),
        image_url=article.image_url,
        language=article.language,
        published_at=article.published_at,
    )


def body(article: Article) -> tuple[str, str]:
    """The whole of an article, as text and as HTML, as far as it can be mailed."""
    return _in_paragraphs(cut_at_word(article.body_text, LONGEST)), mailed(article.body_html)


def shortened(story: Story, length: int) -> Story:
    """A story with so many characters of its summary. One that leads nowhere is shown whole: it stands nowhere else."""
    return replace(story, summary=_shorten(story.summary, length)) if story.url else story


def _in_paragraphs(text: str) -> str:
    """An article's text, which has a line for each block, as templates know it: with empty lines between."""
    return re.sub("\n+", "\n\n", text)


def _shorten(text: str, length: int) -> str:
    """Cut at a word, with an ellipsis; a text with no blank in reach is cut where it must be. Of length 0: nothing."""
    if len(text) <= length or not length:
        return text[:length]
    head = text[:length]
    cut = head.rfind(" ")
    return (head[:cut] if cut > length // 2 else head).rstrip(" ,;:.-–—") + "…"
