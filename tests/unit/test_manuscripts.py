"""Manuscripts of editions: what they say, and one clear message with its line for everything that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.digest import prose
from dispatcher.digest.body import mailed
from dispatcher.errors import ConfigError
from dispatcher.model.edition import Audience
from dispatcher.pipeline.manuscript import Manuscript, read, slug_of

WHOLE = """---
subject: The week in the harbour
preheader: Cranes, and what they lift
newsletter: weekly
slug: week-48
topics: [harbour, boats]
locale: [de, pt-BR]
timezone: Europe/Berlin
cadence: weekly
origin: [web, api]
since: 2026-01-01
before: 2026-11-01
send_at: 2026-12-01 07:30
in_reader_zone: true
---
What a week it was.

```stories
topic: harbour
since: 2w
limit: 3
layout: headlines
```

```stories
https://news.example/one
https://news.example/two
```
"""


def draft(*facts: str, body: str = "Dear readers.") -> str:
    """A manuscript with these facts."""
    return "\n".join(["---", "subject: A week", *facts, "---", body, ""])


def understood(text: str) -> Manuscript:
    """What it says."""
    return read(text, name="week.md", zone="Europe/London")


def refused(text: str) -> list[str]:
    """What is wrong with it."""
    with pytest.raises(ConfigError) as caught:
        understood(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_manuscript_says_who_gets_what_and_when() -> None:
    made = understood(WHOLE)
    assert (made.subject, made.preheader) == ("The week in the harbour", "Cranes, and what they lift")
    assert (made.newsletter, made.slug, made.in_reader_zone) == ("weekly", "week-48", True)
    assert made.send_at == datetime(2026, 12, 1, 7, 30, tzinfo=UTC)
    assert made.audience == Audience(
        topics=("harbour", "boats"), locale=("de", "pt-BR"), timezone=("Europe/Berlin",), cadence=("weekly",),
        origin=("web", "api"), since="2026-01-01", before="2026-11-01",
    )  # fmt: skip
    assert Audience.loaded(made.audience.stored()) == made.audience
    best, named = made.orders
    assert (best.topic, best.since, best.limit, best.layout) == ("harbour", timedelta(weeks=2), 3, "headlines")
    assert named.urls == ("https://news.example/one", "https://news.example/two")


def test_a_time_without_a_zone_is_of_the_site_and_toml_is_understood_too() -> None:
    assert understood(draft("send_at: 2026-07-01 07:30")).send_at == datetime(2026, 7, 1, 6, 30, tzinfo=UTC)
    zoned = '+++\nsubject = "A"\nsend_at = 2026-07-01T07:30:00+02:00\ntopics = ["a", "b"]\n+++\nB\n'
    made = understood(zoned)
    assert made.send_at == datetime(2026, 7, 1, 5, 30, tzinfo=UTC)
    assert made.audience.topics == ("a", "b")


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    assert understood("\ufeff" + WHOLE.replace("\n", "\r\n")) == understood(WHOLE)


def test_the_slug_is_made_of_the_subject() -> None:
    assert understood(draft()).slug == "a-week"
    assert slug_of("Привіт") == "edition"
    assert slug_of("Ünïcode & more! " * 9) == "n-code-more-n-code-more-n-code-more-n-code-more-n-code-more"


MISTAKES = {
    "no front matter": ("Just words.\n", "week.md:1: it has no front matter"),
    "front matter that does not end": ("---\nsubject: A\nWords.\n", "week.md:1: it has no front matter"),
    "nothing at all": ("", "week.md:1: it has no front matter"),
    "a line that is no fact": ("---\nsubject: A\nwhat now\n---\nB\n", "week.md: line 3 of its front matter is not"),
    "broken TOML": ('+++\nsubject = "A\n+++\nB\n', "week.md: its TOML front matter cannot be read"),
    "a binary": ("---\nsubject: A\n---\n\0\0", "week.md: it holds a NUL character"),
    "no subject": ("---\npreheader: A\n---\nB\n", "week.md: subject: an edition needs one"),
    "an empty subject": ("---\nsubject:\n---\nB\n", "week.md:2: subject: "),
    "a list of subjects": ("---\nsubject: [a, b]\n---\nB\n", "week.md:2: subject: one line of text is expected"),
    "an endless subject": (f"---\nsubject: {'a ' * 400}\n---\nB\n", "week.md:2: subject: 799 characters are too many"),
    "a control character": ("---\nsubject: a\x07b\n---\nB\n", "week.md:2: subject: it has a character that cannot be"),
    "a misspelt key": (draft("preheadr: B"), 'week.md:3: preheadr: there is no such key; did you mean "preheader"?'),
    "a foreign key": (draft("bcc: x@y.example"), "week.md:3: bcc: there is no such key; there are subject, preheader"),
    "a key twice": (draft("subject: B"), "week.md:3: subject: it stands on line 2 already"),
    "a slug with blanks": (draft("slug: My Week"), 'week.md:3: slug: "My Week" is not a slug'),
    "a time that is none": (draft("send_at: tomorrow"), 'week.md:3: send_at: "tomorrow" is no time; write it like'),
    "a day there is not": (draft("send_at: 2026-02-30 07:30"), 'week.md:3: send_at: "2026-02-30 07:30" is no time'),
    "a far year": (draft("send_at: 9999-12-31 23:59"), "week.md:3: send_at: "),
    "a zone in the reader's zone": (
        draft("send_at: 2026-12-01T07:30Z", "in_reader_zone: true"),
        "week.md:3: send_at: an hour in each reader's zone has none of its own",
    ),
    "a reader's zone without an hour": (draft("in_reader_zone: true"), "week.md:3: in_reader_zone: it needs an hour"),
    "neither true nor false": (
        draft("send_at: 2026-12-01 07:30", "in_reader_zone: maybe"),
        'week.md:4: in_reader_zone: "maybe" is neither true nor false',
    ),
    "a time zone there is not": (
        draft("timezone: Europe/Lodnon"), 'week.md:3: timezone: "Europe/Lodnon" is not a time zone; did you mean',
    ),
    "a language there is not": (draft("locale: klingon"), 'week.md:3: locale: "klingon" is not a language'),
    "a cadence there is not": (
        draft("cadence: weakly"), 'week.md:3: cadence: "weakly" is no cadence; did you mean "weekly"?',
    ),
    "an origin there is not": (draft("origin: wep"), 'week.md:3: origin: "wep" is no origin; did you mean "web"?'),
    "an audience of nobody": (draft("topics: []"), "week.md:3: topics: it names nothing; leave it out"),
    "a day that is none": (draft("since: soon"), 'week.md:3: since: "soon" is no day; expected one such as'),
    "days in the wrong order": (
        draft("since: 2026-02-01", "before: 2026-01-01"), "week.md:4: before: nobody came since 2026-02-01",
    ),
    "nothing below": (draft(body=" \n"), "week.md: there is nothing below its front matter"),
    "far too much": (draft(body="word " * 20_000), "week.md: its text makes 100,001 octets of HTML"),
    "a little that becomes much": (draft(body="&" * 20_000), "week.md: its text makes 100,008 octets of HTML"),
    "a block that is not understood": (
        draft(body="A\n\n```stories\ntopc: sea\n```"), 'week.md:7: "topc: sea" is not understood in a block of stories',
    ),
    "a block with two minds": (
        draft(body="```stories\nhttps://a.example\ntopic: sea\n```"), "week.md:4: a block of stories has addresses or",
    ),
    "a time back that is none": (draft(body="```stories\nsince: long\n```"), 'week.md:4: "long" is no time back'),
    "no number": (draft(body="```stories\nlimit: many\n```"), 'week.md:4: "many" is no number of stories'),
    "too many stories": (draft(body="```stories\nlimit: 51\n```"), 'week.md:4: "51" is no number of stories'),
    "a layout there is not": (draft(body="```stories\nlayout: grid\n```"), 'week.md:4: there is no layout "grid"'),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_one_clear_message(mistake: str) -> None:
    text, message = MISTAKES[mistake]
    (said,) = refused(text)
    assert said.startswith(message)


def test_all_mistakes_are_told_at_once() -> None:
    assert len(refused(draft("slug: A B", "since: soon", "bcc: c", body="```stories\nlimit: 0\n```"))) == 4


HOSTILE = """# Hi <script>alert(1)</script>

<script>alert(2)</script>

<img src=x onerror=alert(3)> and [a link](javascript:alert(4)) and ![a picture](data:text/html;base64,PHNjcmlwdD4=)

[good](https://news.example/?a=1&b="><script>) ![pic](https://news.example/p.png "><script>")

<!-- a comment --> {% personal %}{{ links.unsubscribe }}{% endpersonal %}
"""


def test_hostile_markdown_comes_out_as_text() -> None:
    (block,), orders, faults = prose.blocks(HOSTILE)
    html = mailed(block.html)
    assert (orders, faults) == ((), ())
    for word in ("<script", "<img src=x", 'href="javascript', 'src="data:', "<!--"):
        assert word not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert 'src="https://news.example/p.png"' in html


def test_the_text_part_reads_well_by_itself() -> None:
    markdown = (
        "# Dear readers\n\nIt was **good**: [more](https://a.example/1), <https://a.example/2>.\n\n"
        "* one\n* two\n  1. deep\n  2. down\n\n> Said he.\n\n---\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n    code\n"
        "\n![A crane](https://a.example/c.png)\n"
    )
    (block,), _, _ = prose.blocks(markdown)
    assert block.text == (
        "Dear readers\n------------\n\nIt was good: more <https://a.example/1>, https://a.example/2.\n\n"
        "* one\n* two\n  1. deep\n  2. down\n\n> Said he.\n\n* * *\n\na | b\n1 | 2\n\n    code\n\n[A crane]"
    )
