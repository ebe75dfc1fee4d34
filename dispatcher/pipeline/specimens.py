"""Specimens: mails of every kind to be looked at. Of the latest stories, or of invented ones where there are none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dispatcher.digest import compose
from dispatcher.digest.headers import message_id
from dispatcher.digest.rehearsal import letter_content, scenario
from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Delivery, Digest, DigestContent, Newsletter
from dispatcher.model.values import DeliveryKind, LetterName, SubscriberStatus
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import preferring
from dispatcher.pipeline.preview import Preview, Wish, content_of, wished
from dispatcher.pipeline.styles import style
from dispatcher.store import articles, topics

STORIES = (DeliveryKind.DIGEST, DeliveryKind.ALERT, DeliveryKind.BREAKING, DeliveryKind.EDITION)
LETTERS = frozenset(map(str, LetterName))
NAMES: tuple[str, ...] = (*STORIES, *LetterName)
"""What there are specimens of."""

INVENTED = "ada@reader.example"
_DAILY = "daily at 07:30"
_LETTERS: dict[str, DeliveryKind] = {
    LetterName.OWNER: DeliveryKind.OWNER, LetterName.WELCOME: DeliveryKind.WELCOME,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Specimen:
    """A mail to be looked at; `is_invented` if its stories are."""

    preview: Preview
    is_invented: bool


async def specimen(ctx: Context, name: str, now: datetime, wish: Wish, reader: Subscriber | None = None) -> Specimen:
    """A mail of this name (one of NAMES) as this reader would get it, or somebody invented.

    TemplateError if it cannot be rendered; StoreError if there is no newsletter of the name that is wished.
    """
    scene = _Scene.of(ctx, name, wished(reader or _nobody(ctx, now), wish), now, wish)
    content = None if name in LETTERS else await _told(ctx, scene)
    is_invented = content is None and name not in LETTERS
    content = content or _invented(scene)
    return Specimen(Preview.of(ctx, content, _delivery(ctx, scene, content), scene.newsletter), is_invented)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Who gets what, when, from whom."""

    name: str
    person: Subscriber
    now: datetime
    newsletter: Newsletter
    locale: str
    layout: str
    most: int

    @classmethod
    def of(cls, ctx: Context, name: str, person: Subscriber, now: datetime, wish: Wish) -> _Scene:
        newsletter = ctx.publications.named(wish.newsletter) if wish.newsletter else ctx.newsletter
        chosen = style(ctx, newsletter.id or 0)
        is_long = name in (DeliveryKind.DIGEST, DeliveryKind.EDITION)
        return cls(
            name,
            person,
            now,
            newsletter,
            ctx.locale_of(person, newsletter),
            (person.layout or chosen.layout or "") if is_long else "",
            (chosen.max_articles or 1) if is_long else 1,
        )

    @property
    def cadence(self) -> str:
        """Of what is looked at."""
        return _DAILY if self.name == DeliveryKind.DIGEST else "" if self.name == DeliveryKind.EDITION else "instant"


async def _told(ctx: Context, scene: _Scene) -> DigestContent | None:
    """The latest stories under the topics that they match; None if there are none."""
    async with ctx.store.read() as tx:
        found = await articles.newest(tx, limit=scene.most)
        matched = await articles.queries_of(tx, [article.id or 0 for article in found])
        labels = {topic.query_id: topic.name for topic in await topics.every(tx) if not topic.is_paused}
    items = [
        (one.id or 0, one.version, one.cluster_id, _label(scene, labels, matched[one.id or 0]), ()) for one in found
    ]
    if not items:
        return None
    row = compose.identity(
        sorted(items, key=lambda item: item[3]),
        newsletter_id=scene.newsletter.id or 0,
        kind=DeliveryKind(scene.name),
        locale=scene.locale,
        zone=scene.person.timezone,
        cadence=scene.cadence,
        slot_at=scene.now,
        more=0,
        layout=scene.layout,
        look="",
        now=scene.now,
    )
    return await content_of(ctx, Digest(**row))


def _label(scene: _Scene, labels: dict[int, str], queries: set[int]) -> str:
    return next((label for query_id, label in labels.items() if query_id in queries), scene.newsletter.name)


def _invented(scene: _Scene) -> DigestContent:
    zone = scene.person.timezone
    if scene.name in LETTERS:
        return replace(letter_content(LetterName(scene.name), scene.locale, zone), slot_at=scene.now)
    content = next(one for one in scenario(scene.locale, zone) if one.kind == scene.name)
    return replace(content, slot_at=scene.now, layout=scene.layout)


def _delivery(ctx: Context, scene: _Scene, content: DigestContent) -> Delivery:
    """As the outbox would have it, with this reader's links."""
    person, newsletter, soon = scene.person, scene.newsletter, scene.now + timedelta(days=1)
    is_letter = scene.name in LETTERS
    return Delivery(
        key=f"specimen:{scene.name}",
        priority=0,
        kind=_LETTERS.get(scene.name, DeliveryKind.CONFIRMATION) if is_letter else DeliveryKind(scene.name),
        newsletter_id=newsletter.id or 0,
        subscriber_id=person.id or 0,
        endpoint_id=0,
        recipient=person.email,
        personal={
            "name": person.name,
            "email": person.email,
            "topics": list(dict.fromkeys(section.label for section in content.sections)) or [newsletter.name],
            "cadence": content.cadence or _DAILY,
            "next_at": soon.isoformat(),
            "action": preferring(person.id or 0, 0).stored() if is_letter else None,
            "may_return": scene.name == LetterName.GOODBYE,
        },
        created_at=scene.now,
        message_id=message_id(f"specimen:{scene.name}", ctx.site_key, ctx.addresses(newsletter.id).domain),
    )


def _nobody(ctx: Context, now: datetime) -> Subscriber:
    """A reader where there is none."""
    site = ctx.settings.site
    return Subscriber(
        id=0,
        email=INVENTED,
        name="Ada",
        locale=site.language,
        timezone=site.timezone,
        status=SubscriberStatus.ACTIVE,
        created_at=now,
    )
