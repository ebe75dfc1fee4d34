"""One of every mail that we send by default, as the octets that reach a relay.

    for specimen in specimens(locales=("en", "ar")):
        specimen.id                            # "digest-cards-ar", "alert-en-plain", "confirm-en" …
        specimen.raw                           # the whole message
        specimen.html, specimen.text, specimen.subject

Everything is made as `send` makes it: composer, draft, wire, envelope, links, signature. `plain` ones have no pictures.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import cache, cached_property

from dispatcher.delivery import dkim
from dispatcher.delivery.signing_key import SigningKey
from dispatcher.digest import prose
from dispatcher.digest.assembly import assemble
from dispatcher.digest.compose import Outline
from dispatcher.digest.composer import Composer
from dispatcher.digest.fragments import Told
from dispatcher.digest.headers import message_id
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.wire import Door
from dispatcher.model.content import Story
from dispatcher.model.edition import Written
from dispatcher.model.outbound import Delivery, Newsletter
from dispatcher.model.values import DeliveryKind, Layout, LetterName
from dispatcher.pipeline.links import Action
from dispatcher.pipeline.wires import envelope_of
from dispatcher.tokens import Keyring, Purpose

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
KEYS = Keyring({"k": b"the key of these specimens"}, "k")
DOOR = Door(url="https://letters.gazette.example", key_id="k")
NOTICE = ("Digests are paused: too much mail comes back", "Since 2026-03-02 07:00 UTC.",
          "Find out first where these addresses came from.", "    dispatcher send resume")  # fmt: skip
STORY_KINDS = (DeliveryKind.ALERT, DeliveryKind.BREAKING)
KINDS = {LetterName.OWNER: DeliveryKind.OWNER, LetterName.WELCOME: DeliveryKind.WELCOME}
"""Of letters that are not a confirmation."""

TO_ONE = (DeliveryKind.CONFIRMATION, DeliveryKind.OWNER)

LATIN = (
    ("Town council buys the old windmill", "It will grind again by autumn, and the miller's house becomes a library. "
     "The vote was close: eleven to ten, after an evening of speeches."),
    ("A bridge over the Severn opens to walkers", "For the first time in forty years the river can be crossed on foot "
     "above the weir. The ferryman, who is seventy, keeps his boat."),
    ("Schools try a shorter lunch", "Twenty minutes less at noon and home earlier: six schools begin after Easter."),
    ("Rain fills the reservoirs", "The water company says that no hosepipe ban is to be expected this summer."),
)  # fmt: skip
ARABIC = (
    ("مجلس البلدة يشتري الطاحونة القديمة", "ستعود إلى الطحن قبل الخريف، ويصبح بيت الطحّان مكتبة. "
     "كان التصويت متقاربًا بعد أمسية من الخطب."),
    ("افتتاح جسر للمشاة فوق النهر", "لأول مرة منذ أربعين عامًا يمكن عبور النهر سيرًا على الأقدام فوق السد."),
    ("مدارس تجرّب استراحة غداء أقصر", "عشرون دقيقة أقل عند الظهر وعودة أبكر إلى البيت: ست مدارس تبدأ بعد العيد."),
    ("الأمطار تملأ الخزانات", "تقول شركة المياه إنه لا يُتوقع أي تقنين هذا الصيف."),
)  # fmt: skip
MARKDOWN = """
## {title}

{summary} **{title}**, *{title}*, [{title}](https://gazette.example/more) and `{title}`.

{picture}

- {title}
- {summary}

1. {title}

> {summary}

| {title} | {title} |
| --- | --- |
| 1 | 2 |

---

```stories
topic: energy
```

{summary}
"""
SECTIONS = {"en": ("Town and county", "Energy"), "ar": ("البلدة", "الطاقة")}


@dataclass(frozen=True)
class Specimen:
    """A mail. `template` says which, `locale` in which language, `is_plain` whether it has no pictures."""

    template: str
    locale: str
    is_plain: bool
    is_of_a_list: bool
    raw: bytes

    @property
    def id(self) -> str:
        """What a test calls it."""
        return f"{self.template}-{self.locale}{'-plain' if self.is_plain else ''}"

    @cached_property
    def message(self) -> EmailMessage:
        """As Python's own parser reads it."""
        found = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def signed_fields(self) -> list[str]:
        """What the h= of its signature names."""
        tags = dict(one.split("=", 1) for one in "".join(str(self.message["DKIM-Signature"]).split()).split(";") if one)
        return tags["h"].lower().split(":")

    @property
    def subject(self) -> str:
        """Decoded."""
        return str(self.message["Subject"])

    @cached_property
    def text(self) -> str:
        """The text part."""
        return self._part("plain")

    @cached_property
    def html(self) -> str:
        """The HTML part."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        found = self.message.get_body((kind,))
        assert found is not None
        return str(found.get_content())


def mail_names() -> list[str]:
    """What the templates of the mails are called."""
    return [name for name, _ in _outlines("en", is_plain=False)]


@cache
def specimens(locales: Sequence[str] = ("en", "ar"), *, with_plain: bool = True) -> tuple[Specimen, ...]:
    """Every mail in these languages, in a fixed order; those that can have pictures once more without."""
    return tuple(
        _specimen(template, locale, outline, is_plain=is_plain)
        for locale in locales
        for is_plain in (False, True) if with_plain or not is_plain
        for template, outline in _outlines(locale, is_plain=is_plain)
    )  # fmt: skip


def gazette(locale: str = "en") -> Newsletter:
    """The newsletter that sends them."""
    return Newsletter(
        id=1, slug="default", name="صحيفة البلدة" if locale == "ar" else "The Gazette",
        sender="The Gazette <news@gazette.example>", reply_to="desk@gazette.example", list_id="news.gazette.example",
        url="https://gazette.example", language=locale, postal_address="The Gazette, 3 Mill Lane, Oldtown OL1 2AB",
        theme={},
    )  # fmt: skip


def _outlines(locale: str, *, is_plain: bool) -> Iterator[tuple[str, Outline]]:
    """Letters have no pictures: they are not made twice."""
    sections = _sections(locale, is_plain=is_plain)
    for layout in Layout:
        yield f"digest-{layout}", _outline(DeliveryKind.DIGEST, locale, sections, layout=layout, more=3)
    listed = [("1", sections[0][1])]
    yield "edition", _outline(DeliveryKind.EDITION, locale, listed, written=_written(locale, is_plain=is_plain))
    for kind in STORY_KINDS:
        yield kind.value, _outline(kind, locale, [(label, told[:1]) for label, told in sections[:1]])
    if not is_plain:
        for letter in LetterName:
            kind, is_owners = KINDS.get(letter, DeliveryKind.CONFIRMATION), letter is LetterName.OWNER
            notice = NOTICE if is_owners else ()
            yield letter.value, _outline(kind, "en" if is_owners else locale, [], letter=letter, notice=notice)


def _outline(
    kind: DeliveryKind, locale: str, sections: Sequence[tuple[str, Sequence[Told]]], *, layout: str = Layout.CARDS,
    more: int = 0, letter: str = "", notice: tuple[str, ...] = (), written: Written | None = None,
) -> Outline:  # fmt: skip
    cadence = "" if letter else "instant" if kind in STORY_KINDS else "weekly on mon,thu at 07:30"
    told = Outline(kind, locale, "Europe/London", cadence, NOW, sections, more, layout, letter, notice)
    return replace(told, written=written)


def _written(locale: str, *, is_plain: bool) -> Written:
    title, summary = (ARABIC if locale == "ar" else LATIN)[0]
    picture = "" if is_plain else f"![{title}](https://gazette.example/mill.jpg)"
    blocks, _, faults = prose.blocks(MARKDOWN.format(title=title, summary=summary, picture=picture))
    assert not faults
    return Written(title, summary, blocks)


def _sections(locale: str, *, is_plain: bool) -> list[tuple[str, list[Told]]]:
    told = [Told(_story(number, locale, is_plain=is_plain)) for number in range(4)]
    first, second = SECTIONS.get(locale, SECTIONS["en"])
    return [(first, told[:3]), (second, told[3:])]


def _story(number: int, locale: str, *, is_plain: bool) -> Story:
    title, summary = (ARABIC if locale == "ar" else LATIN)[number]
    address = f"https://gazette.example/2026/03/{number + 1}"
    return Story(
        title=title,
        url=address,
        summary=summary,
        source="صحيفة البلدة" if locale == "ar" else "The Gazette",
        authors=("A. Miller",),
        image_url="" if is_plain else f"{address}.jpg",
        language="ar" if locale == "ar" else "en",
        published_at=NOW - timedelta(hours=5 * number + 1),
        also_in=(SECTIONS.get(locale, SECTIONS["en"])[1],) if number == 0 else (),
        body=f"{summary}\n\n{summary}",
        body_html=f"<p>{summary}</p><p>{summary}</p><ul><li>{title}</li></ul>",
    )


def _specimen(template: str, locale: str, outline: Outline, *, is_plain: bool) -> Specimen:
    wire = _composer(locale).compose(outline).wire()
    raw = assemble(wire, envelope_of(_delivery(outline), wire, KEYS))
    return Specimen(template, locale, is_plain, outline.kind not in TO_ONE, dkim.sign(raw, [_key()], NOW) + raw)


@cache
def _composer(locale: str) -> Composer:
    return Composer(Templates([builtin_folder()]), gazette(locale), DOOR)


@cache
def _key() -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return SigningKey("gazette.example", "s1", Ed25519PrivateKey.from_private_bytes(b"specimen" * 4))


def _delivery(outline: Outline) -> Delivery:
    key = f"{outline.kind}:{outline.letter}:{outline.layout}:{outline.locale}"
    action = Action(Purpose.CONFIRM, (7, "asked"), NOW + timedelta(days=3)).stored() if outline.letter else None
    cadence = "daily at 07:30" if outline.kind is DeliveryKind.WELCOME else outline.cadence
    return Delivery(
        id=7, key=key, kind=outline.kind, priority=10, newsletter_id=1, subscriber_id=7, endpoint_id=7, digest_id=7,
        recipient="ann@reader.example", slot_at=NOW, due_at=NOW, expires_at=NOW, created_at=NOW, dated_at=NOW,
        message_id=message_id(key, b"the secret of these specimens", "gazette.example"),
        personal={
            "name": "Ann Reader", "email": "ann@reader.example", "cadence": cadence,
            "topics": list(SECTIONS.get(outline.locale, SECTIONS["en"])),
            "next_at": NOW.isoformat(), "may_return": True, **({"action": action} if action else {}),
        },
    )  # fmt: skip
