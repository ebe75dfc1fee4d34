"""Manuscripts: what an author may write, and one clear message for each mistake."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dispatcher.digest.body import mailed
from dispatcher.digest.prose import blocks
from dispatcher.errors import ConfigError
from dispatcher.pipeline.manuscript import Manuscript, read

HEAD = "---\nsubject: What a week\n{facts}\n---\n{body}"


def manuscript(facts: str = "", body: str = "Words.\n") -> Manuscript:
    """What is read of a file with these facts beside its subject."""
    return read(HEAD.format(facts=facts, body=body), name="week.md", zone="Europe/London")


def test_all_that_may_stand_in_one_is_read() -> None:
    facts = "preheader: Boats\nnewsletter: weekly\ntopics: [harbour, boats]\nlocale: de\nsend_at: 2026-07-01 07:30\n"
    made = manuscript(facts + "since: 2026-01-01")
    assert (made.subject, made.preheader, made.newsletter, made.slug) == (
        "What a week",
        "Boats",
        "weekly",
        "what-a-week",
    )
    assert made.audience.stored() == {"topics": ["harbour", "boats"], "locale": ["de"], "since": "2026-01-01"}
    assert made.send_at == datetime(2026, 7, 1, 6, 30, tzinfo=UTC), "half past seven in a London summer"


def test_toml_front_matter_does_as_well() -> None:
    text = '+++\nsubject = "What a week"\ntopics = ["harbour"]\nsend_at = 2026-07-01T07:30:00Z\n+++\nWords.\n'
    made = read(text, name="week.md", zone="UTC")
    assert (made.audience.topics, made.send_at) == (("harbour",), datetime(2026, 7, 1, 7, 30, tzinfo=UTC))


def test_an_hour_in_each_readers_zone_is_kept_as_it_is_on_the_wall() -> None:
    made = manuscript("send_at: 2026-07-01 07:30\nin_reader_zone: true")
    assert (made.send_at, made.in_reader_zone) == (datetime(2026, 7, 1, 7, 30, tzinfo=UTC), True)


@pytest.mark.parametrize(
    ("facts", "body", "words"),
    [
        ("subjekt: x", "W", "week.md:3: subjekt: there is no such key"),
        ("topic: x", "W", 'did you mean "topics"'),
        ("send_at: tomorrow", "W", 'week.md:3: send_at: "tomorrow" is no time'),
        ("send_at: 2026-13-01", "W", "is no time"),
        ("send_at: 0001-01-01", "W", "between the years"),
        ("send_at: 2026-07-01T07:30+01:00\nin_reader_zone: yes", "W", "has none of its own"),
        ("in_reader_zone: true", "W", "needs an hour"),
        ("in_reader_zone: perhaps", "W", "neither true nor false"),
        ("timezone: Europe/Lundon", "W", "week.md:3: timezone"),
        ("origin: webb", "W", "is no origin"),
        ("since: last week", "W", "is no day"),
        ("slug: What a Week", "W", "is no short name"),
        ("preheader: [a, b]", "W", "one line of text is expected"),
        ("nothing at all", "W", "is not `key: value`"),
        ("", "", "nothing below its front matter"),
        ("", "x" * 100_000, "characters are too many"),
        ("", "```stories\nnonsense\n```", 'week.md:6: "nonsense" is not understood'),
        ("", "Words.\n\n```stories\ntopic: a\nsince: soon\n```", "is no time back"),
        ("", "```stories\ntopic: a\nlimit: 0\n```", "is no number of stories"),
        ("", "```stories\ntopic: a\nlayout: big\n```", 'there is no layout "big"'),
        ("", "```stories\nhttps://a.example/1\ntopic: a\n```", "addresses or a topic, not both"),
    ],
)
def test_each_mistake_has_one_clear_message(facts: str, body: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        manuscript(facts, body)
    assert words in str(caught.value)


def test_a_text_without_front_matter_lacks_a_subject() -> None:
    with pytest.raises(ConfigError, match="an edition needs one"):
        read("Just words.", name="week.md", zone="UTC")


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "[x](data:text/html,<script>)",
        "<style>p{display:none}</style>",
        "[a]: javascript:alert(1)\n[a]",
    ],
)
def test_hostile_markdown_becomes_harmless_text(hostile: str) -> None:
    (block,), _, _ = blocks(hostile)
    html = mailed(block.html)
    assert "<script" not in html
    assert "<style" not in html
    assert "javascript:alert" not in html.partition("href")[2]
    assert "onerror=" not in html.replace("&lt;img src=x onerror=", "")


def test_the_text_part_reads_well_by_itself() -> None:
    lists, table = "* one\n* two\n\n1. first\n2. second", "| a | b |\n|---|---|\n| 1 | 2 |"
    words = f"# News\n\nSee [ours](https://n.example/a).\n\n{lists}\n\n> said\n\n{table}\n"
    (block,), _, _ = blocks(words)
    assert block.text == (
        "News\n----\n\nSee ours <https://n.example/a>.\n\n* one\n* two\n1. first\n2. second\n\n> said\n\na | b\n1 | 2"
    )
