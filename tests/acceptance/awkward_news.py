"""News and readers that are hard on mail: long lines, dots, scripts of the world, names and domains beyond ASCII."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

from builders import settings, subscriber, topic, world

from dispatcher.config.settings import SubscriberEntry
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan

MAIL = {"from": "Die Gazette – für alle <news@gazette.example>"}

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord")
"""One for each topic; a story is about the one that its place in the list leads to."""

STORIES = (
    ("Ärger über Straßenbahn: „So nicht!“", "Ein Satz mit Umlauten – und Gedankenstrich."),
    (".", ".\n..\n. a line that begins with a dot\n.\n"),
    ("A title without an end " + "and on " * 60, "word" * 700),
    ("عاجل: افتتاح الجسر الجديد", "مرحبا بالعالم\u200f (abc) 123."),
    ("חדשות הבוקר", "שלום — \u202bmixed\u202c with English"),
    ("🦡 seen in the 👩‍👩‍👧‍👦 square 🇪🇺", "Emoji: 🏳️‍🌈, combining: e\u0301 a\u0308, outside the BMP: 𝔊𝔞𝔷𝔢𝔱𝔱𝔢"),
    ("日本語の見出しはとても長くて折り返しが必要になることがあります" * 3, "行頭禁則。" * 200),
    ("=?utf-8?q?not_an_encoded_word?= = =20 =3D", "Equals = signs =\nat line ends =\n=3D=0D=0A"),
    ("From here to there", "From the start of a line\nFrom again\n>From quoted\n\nFrom: header@like.example\n"),
    ("Ends in blanks   \t ", "trailing   \n\ttabs\t\n   and blanks   \n\n\n\n"),
    ("Nothing to add", ""),
    ("Ampersands & <brackets> \"quotes\" 'single'", "1 < 2 && 3 > 2; &amp; &#46; &nbsp;"),
    ("Subject: injected Bcc: all@reader.example", "QUIT\nRSET\nMAIL FROM:<x@y.example>\nBDAT 4 LAST\n.\nDATA\n"),
    ("한국어 제목", "\u200b\u200c\u200d\ufeff invisible\u2028line\u2029paragraph"),
)

NAMES = (
    "", "Ann", "Jürgen Müller-Straßer", "O'Neill, \"The\" Cat", "علي", "יוסי כהן", "李小龍", "🦡 Badger", "A" * 120,
    ". Dot", "=?utf-8?q?Eve?=", "Ann <ann@evil.example>", "Zoë\u0308",
)  # fmt: skip

DOMAINS = (
    "reader.example", "bücher.example", "例え.example", "xn--bcher-kva.example", "מייל.example",
    "a-rather-long-label-that-goes-on-and-on-as-long-as-labels-may.mail.reader.example", "READER.example",
)  # fmt: skip

LOCALES = ("en", "de", "fr", "es")


def readers(count: int) -> list[SubscriberEntry]:
    """So many people, each with a mixture of their own."""
    return [_reader(number) for number in range(count)]


def reader(address: str) -> SubscriberEntry:
    """Somebody at an address, who reads everything."""
    return subscriber(address, *WORDS)


def _reader(number: int) -> SubscriberEntry:
    local = ("ann", "o'neill", "a.b-c_d+e", "x" * 50, "{curly}", "=equals", "q%?")[number % 7]
    mixture = number * 37 % 61 + 1  # which topics, as bits; never none
    return subscriber(
        f"{local}{number}@{DOMAINS[number // 7 % len(DOMAINS)]}",
        *(word for place, word in enumerate(WORDS) if mixture >> place & 1),
        name=NAMES[number % len(NAMES)],
        locale=LOCALES[number // 3 % len(LOCALES)],
    )


async def fill_outbox(folder: Path, slot: datetime, people: list[SubscriberEntry]) -> None:
    """Put into subscribers.db what is due at `slot`: a digest for each of these readers."""
    written = feed(folder / "feed.xml", slot - timedelta(hours=9))
    chosen = settings(
        folder, mail=MAIL, sources=[{"name": "Gazette", "url": written.as_uri()}], subscribers=people,
        topics=[topic(word, f"tag:{word}", name=f"{word.title()} – “{word}”") for word in WORDS],
    )  # fmt: skip
    async with world(chosen, slot - timedelta(minutes=30)) as ctx:
        await ingest(ctx, slot - timedelta(minutes=30), everything=True)
        await plan(ctx, slot)


def feed(path: Path, published_at: datetime) -> Path:
    """All the stories, in a file."""
    path.write_text(f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Gazette</title><id>urn:gazette</id>'
                    f"<updated>{published_at.isoformat()}</updated>{''.join(_entries(published_at))}</feed>",
                    encoding="utf-8")  # fmt: skip
    return path


def _entries(published_at: datetime) -> Iterator[str]:
    for number, (title, summary) in enumerate(STORIES):
        yield (
            f"<entry><id>urn:{number}</id><title>{escape(title)}</title><updated>{published_at.isoformat()}</updated>"
            f"<link href='https://zeitung.bücher.example/{number}?a=1&amp;b=ü#.'/>"
            f"<category term='{WORDS[number % len(WORDS)]}'/><summary>{escape(summary)}</summary></entry>"
        )
