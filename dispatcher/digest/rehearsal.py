"""A rehearsal: every kind of mail, rendered with invented news, so that a mistake shows before anybody's mail does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dispatcher.digest import prose
from dispatcher.digest.render import PartName, Rendered, Templates, try_out
from dispatcher.digest.slots import Letterhead, Links
from dispatcher.digest.voice import speaking, voice
from dispatcher.errors import TemplateError
from dispatcher.model.content import Story
from dispatcher.model.edition import Block, Written
from dispatcher.model.outbound import DigestContent, Newsletter, Personal, Section
from dispatcher.model.values import DeliveryKind, Layout, LetterName

MORNING = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
LANTERN = Newsletter(
    slug="lantern", name="The Lantern & Co", sender="Lantern <news@lantern.example>", list_id="lantern.example",
    url="https://lantern.example", postal_address="1 Harbour Road\nPort",
)  # fmt: skip
_NOBODY = Personal(email="nobody@reader.example", next_at=MORNING)
_EVERY_LINK = Links(*["https://lantern.example/link"] * 5)
_CADENCES = ("hourly", "weekly on mon at 08:00", "monthly on 1 at 08:00")


def first_fault(
    templates: Templates, newsletters: Sequence[Newsletter] = (LANTERN,), locales: Sequence[str] = ("en",), *,
    contents: Sequence[DigestContent] = (), in_short: bool = False,
) -> TemplateError | None:  # fmt: skip
    """What goes wrong first, if anything does, when `contents`, or else everything in these languages, is rendered.

    `in_short`: in one layout and cadence only.
    """
    scenes = contents or [content for locale in locales for content in scenario(locale, in_short=in_short)]
    for newsletter in newsletters:
        for content in scenes:
            try:
                _fill(templates.render(content, newsletter), content, newsletter)
            except TemplateError as error:
                return error
    return None


def _fill(rendered: Rendered, content: DigestContent, newsletter: Newsletter) -> None:
    """Fill the personal blocks for a reader who has no name and follows nothing, but has every link."""
    letterhead = Letterhead.of(newsletter)
    with speaking(voice(content.locale, content.timezone)):
        for part, pieces in zip(PartName, (rendered.subject, rendered.text, rendered.html), strict=True):
            try_out(pieces, part, letterhead, _NOBODY, _EVERY_LINK)


def scenario(locale: str = "en", timezone: str = "Europe/London", *, in_short: bool = False) -> Iterator[DigestContent]:
    """Every kind of mail: digests in every layout and at every cadence, alerts, editions, letters."""
    plain = DigestContent(
        kind=DeliveryKind.DIGEST,
        locale=locale,
        timezone=timezone,
        cadence="daily at 07:30",
        slot_at=MORNING,
        sections=(Section("Local news", tuple(_stories())), Section("Sport", (_lead(),))),
        more=2,
    )
    for layout in list(Layout)[: 1 if in_short else None]:
        yield replace(plain, layout=layout)
    single = replace(plain, sections=(Section("Local news", (_lead(),)),), more=0)
    for cadence in ("daily at 07:30", *_CADENCES)[: 1 if in_short else None]:
        yield replace(single, cadence=cadence)
    yield _edition(plain)
    for kind in (DeliveryKind.ALERT, DeliveryKind.BREAKING):
        yield replace(single, kind=kind, cadence="instant", layout="")
    for letter in LetterName:
        yield letter_content(letter, locale, timezone)


def _edition(plain: DigestContent) -> DigestContent:
    """What a person wrote, with stories in the middle of it."""
    words = "What a week it was in the harbour.\n\n## More of it\n\n* [All our news](https://news.example/)\n"
    (before,), _, _ = prose.blocks(words)
    written = Written("What a week", "In this edition", (before, Block(section="1"), before))
    sections = (replace(plain.sections[0], label="1"),)
    return replace(plain, kind=DeliveryKind.EDITION, cadence="", sections=sections, more=0, layout=Layout.LIST,
                   preheader=written.preheader, written=written)  # fmt: skip


def letter_content(letter: LetterName, locale: str = "en", timezone: str = "Europe/London") -> DigestContent:
    """A letter as templates see it."""
    return DigestContent(
        kind=DeliveryKind.WELCOME if letter is LetterName.WELCOME else DeliveryKind.CONFIRMATION,
        locale=locale,
        timezone=timezone,
        cadence="",
        slot_at=MORNING,
        sections=(),
        letter=letter,
        notice=("Digests are paused", "Much came back.", "    dispatcher send resume"),
    )


def _lead() -> Story:
    return Story(
        title="A bridge opens",
        url="https://news.example/bridge",
        summary="It holds.\n\nPeople cross it.",
        source="The Gazette",
        authors=("Ada Lovelace",),
        tags=("bridges",),
        image_url="https://news.example/bridge.jpg",
        language="en",
        published_at=MORNING - timedelta(hours=3),
        also_in=("Sport",),
    )


def _stories() -> Iterator[Story]:
    """One with everything, and others without something."""
    yield _lead()
    yield Story(title="Rain & wind", url="https://news.example/rain", summary="", source="", language="ar")
    yield Story(title="", url="", summary="Nothing but words.", published_at=MORNING - timedelta(days=400))
