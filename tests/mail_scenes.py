"""Mails to look at: every template with invented news, as one reader gets it, and how a window shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from dispatcher.demo import articles
from dispatcher.digest.render import Templates, builtin_folder, fit
from dispatcher.digest.slots import Letterhead, Links, Pieces, Slot, fill, names
from dispatcher.digest.voice import speaking, voice
from dispatcher.model.content import Story
from dispatcher.model.edition import Block, Written
from dispatcher.model.outbound import DigestContent, Newsletter, Personal, Section
from dispatcher.model.values import DeliveryKind, LetterName

SLOT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
PICTURES = "https://pictures.example/"
NEWSLETTER = Newsletter(
    slug="lantern",
    name="The Larkmere Lantern",
    sender="The Larkmere Lantern <news@lantern.example>",
    list_id="lantern.lantern.example",
    url="https://lantern.example/",
    postal_address="The Larkmere Lantern, 4 Cooper Street, Larkmere LM1 2AB",
)
ADA = Personal("Ada", "ada@reader.example", ("Energy", "Town hall"), "daily at 07:30")
LINKS = Links(
    unsubscribe="https://letters.example/u/abc",
    preferences="https://letters.example/p/abc",
    view="https://letters.example/d/abc",
    action="https://letters.example/c/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywt",
)
TEMPLATES = Templates([builtin_folder()])


@dataclass(frozen=True, slots=True)
class Mail:
    """A digest or letter, its newsletter and its reader."""

    content: DigestContent
    newsletter: Newsletter = field(default_factory=lambda: NEWSLETTER)
    personal: Personal = ADA
    links: Links = LINKS

    @property
    def parts(self) -> tuple[str, str, str]:
        """Subject, text and HTML, filled in for the reader."""
        rendered = fit(self.content, self.newsletter, TEMPLATES)
        known = names(self.personal, Letterhead.of(self.newsletter), self.links)

        def whole(pieces: Pieces, html: bool) -> str:
            return "".join(fill(piece, known, html=html) if isinstance(piece, Slot) else piece for piece in pieces)

        with speaking(voice(self.content.locale, self.content.timezone)):
            return whole(rendered.subject, False), whole(rendered.text, False), whole(rendered.html, True)

    @property
    def html(self) -> str:
        """What a mail program shows."""
        return self.parts[2]


def digest(*sections: tuple[str, Sequence[Story]], **changes: object) -> Mail:
    """A digest of these sections."""
    made = DigestContent(
        kind=DeliveryKind.DIGEST,
        locale="en",
        timezone="Europe/London",
        cadence="daily at 07:30",
        slot_at=SLOT,
        sections=tuple(Section(label, tuple(stories)) for label, stories in sections),
        more=4,
    )
    return Mail(replace(made, **changes))  # type: ignore[arg-type]


def letter(name: str, **changes: object) -> Mail:
    """A letter."""
    kind = DeliveryKind.OWNER if name == LetterName.OWNER else DeliveryKind.CONFIRMATION
    return digest(kind=kind, letter=name, more=0, notice=NOTICE, **changes)


def story(number: int, *, beside: tuple[str, ...] = (), whole: bool = False) -> Story:
    """One of the paper's articles."""
    article = ARTICLES[number % len(ARTICLES)]
    made = Story(
        title=article.title,
        url=f"https://lantern.example/news/{article.slug}",
        summary=article.standfirst,
        source=("Lantern newsroom", "Riverside desk")[number % 2],
        image_url=f"{PICTURES}{article.picture}.png" if article.picture else "",
        language="en",
        published_at=SLOT - timedelta(hours=number, minutes=7 * number),
        also_in=beside,
    )
    paragraphs = "".join(f"<p>{paragraph}</p>" for paragraph in article.paragraphs)
    return replace(made, body="\n\n".join(article.paragraphs), body_html=f"{paragraphs}{EXTRAS}") if whole else made


ARTICLES = [article for article in articles.load() if article.language == "en"]
EXTRAS = (
    '<h2>What happens next</h2><ul><li>Digging begins in <a href="https://lantern.example/">Cooper Street</a>.</li>'
    "<li>The first homes are warm by October.</li></ul><blockquote>It is the dullest exciting thing this town has ever "
    "done.</blockquote>"
)
NOTICE = (
    "Digests are paused: too much mail comes back",
    "Since 2026-03-02 06:31 UTC.",
    "38 of the last 500 mails bounced for good. Mail providers block senders of whom that can be said, so digests and "
    "editions wait now. Alerts and confirmations still go out.",
    "See what came back, and let digests go out again:",
    "    dispatcher deliveries list --status failed\n    dispatcher send resume",
)
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def news(**changes: object) -> Mail:
    """A morning's digest."""
    energy = [story(0, beside=("Town hall",)), story(2), story(4), story(6)]
    return digest(("Energy", energy), ("Town hall", [story(3), story(5)]), ("Sport", [story(7), story(8)]), **changes)


def whole_articles() -> Mail:
    """Two articles, whole."""
    return digest(("Energy", [story(0, whole=True), story(3, whole=True)]), layout="full", more=0)


def one_story() -> Mail:
    """A quiet day."""
    return digest(("Energy", [story(0)]), more=0)


def many_stories() -> Mail:
    """A loud one."""
    return digest(*((label, [story(n * 8 + m) for m in range(8)]) for n, label in enumerate(LABELS)), more=112)


def long_words() -> Mail:
    """What does not want to break."""
    made = Story(
        LONG, "https://lantern.example/" + "x" * 90, f"{LONG} {'https://lantern.example/' + 'y' * 80}", LONG,
        image_url=f"{PICTURES}dawn.png", published_at=SLOT, also_in=(LONG,),
    )  # fmt: skip
    mail = digest((LONG, [made, replace(made, also_in=())]), ("Energy", [story(2)]))
    personal = Personal(LONG, f"{'a' * 60}@{'b' * 60}.example", (LONG, "Energy"), "daily at 07:30")
    return replace(mail, personal=personal, newsletter=_called(LONG))


def arabic() -> Mail:
    """From right to left, but for one story that is English."""
    written = [
        Story(title, f"https://lantern.example/ar/{n}", summary, "غرفة الأخبار", language="ar",
              image_url=f"{PICTURES}{picture}.png" if picture else "", published_at=SLOT - timedelta(hours=n))
        for n, (title, summary, picture) in enumerate(ARABIC)
    ]  # fmt: skip
    mail = digest(("الطاقة", [*written, story(2)]), ("مجلس المدينة", [story(5)]), locale="ar")
    layla = replace(ADA, name="ليلى", topics=("الطاقة",))
    return replace(mail, newsletter=_called("فانوس لاركمير"), personal=layla)


def alert(kind: DeliveryKind = DeliveryKind.ALERT) -> Mail:
    """One story as it happens."""
    return digest(("Energy", [story(0, beside=("Town hall",))]), kind=kind, more=0, cadence="instant")


def edition() -> Mail:
    """A newsletter that a person wrote, with a few stories in it."""
    words = (
        "<p>Good morning, and happy spring. The council has voted, the diggers are coming, and the swimming pool will "
        f"be warm. A few things before you put the kettle on.</p>{EXTRAS}"
    )
    bye = "<p>That is all for this week. Write to me: I read everything.</p><p><em>Mara Fenwick</em></p>"
    blocks = (
        Block(html=words, text="Good morning, and happy spring."),
        Block(section="Energy"),
        Block(html=bye, text="That is all for this week."),
    )
    written = Written("What a warm river is good for", "And who pays for it.", blocks)
    stories = [story(0), story(3)]
    return digest(("Energy", stories), kind=DeliveryKind.EDITION, written=written, preheader=written.preheader, more=0)


def themed() -> Mail:
    """The same news in other colours, with a logo and without pictures."""
    theme = {
        "accent": "#0b57d0", "paper": "#e8eef7", "ink": "#10233f", "muted": "#4a5b73", "rule": "#d3deec",
        "heading_font": "Arial, sans-serif", "logo": f"{PICTURES}logo.png", "logo_width": 220, "images": "none",
    }  # fmt: skip
    return replace(news(), newsletter=Newsletter(**NEWSLETTER.model_dump() | {"theme": theme}))


def _called(name: str) -> Newsletter:
    return Newsletter(**NEWSLETTER.model_dump() | {"name": name})


LABELS = ("Energy", "Town hall", "Sport", "Culture", "The river")
ARABIC = (
    (
        "المجلس يوافق على شبكة تدفئة لألفين وأربعمئة منزل",
        "أنابيب من مصنع الورق القديم ستحمل الماء الدافئ إلى الضفة الشرقية.",
        "dawn",
    ),
    ("الجسر الجديد يفتح للمشاة يوم السبت", "يمكن عبور النهر سيرًا على الأقدام من جديد بعد عامين من الأشغال.", "noon"),
    ("مهرجان الفوانيس يعود هذا الربيع", "ستضاء ثلاثة آلاف شمعة على ضفتي النهر.", ""),
)
DIGESTS: dict[str, Callable[[], Mail]] = {
    "digest-cards": news,
    "digest-list": lambda: news(layout="list"),
    "digest-headlines": lambda: news(layout="headlines"),
    "digest-full": whole_articles,
    "digest-one-story": one_story,
    "digest-forty-stories": many_stories,
    "digest-long-words": long_words,
    "digest-right-to-left": arabic,
    "digest-themed": themed,
    "edition": edition,
    "alert": alert,
    "breaking": lambda: alert(DeliveryKind.BREAKING),
}
MAILS: dict[str, Callable[[], Mail]] = DIGESTS | {
    f"letter-{name}": (lambda name=name: letter(name)) for name in LetterName
}  # type: ignore[misc]
