"""HTML → text, and what no text should carry."""

from __future__ import annotations

import pytest

from dispatcher.articles.text import html_to_text, line, shorten


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>One</p><p>Two</p>", "One\nTwo"),
        ("<ul><li>a<li>b</ul>after", "a\nb\nafter"),
        ("one<br>two<hr/>three", "one\ntwo\nthree"),
        ("<p>in <b>li</b>ne  and\n folded</p>", "in line and folded"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "a b\nc"),
        ("<script>alert(1)</script><style>p{}</style>kept", "kept"),
        ("<title>no</title><svg><text>no</text></svg>yes", "yes"),
        ("AT&amp;T &lt;b&gt; &#8364; &nbsp;x", "AT&T <b> € x"),
        ("&amp;lt;once&amp;gt;", "&lt;once&gt;"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<!-- a <b>comment</b> -->seen", "seen"),
        ("<a href='x' title='a > b'>link</a>", "link"),
        ("bell\x07 nul\x00 c1\x85 \ud800end", "bell nul c1 ?end"),
        ("<p>日本語</p>", "日本語"),
        ("<div>unclosed", "unclosed"),
        ("</p></div>stray", "stray"),
    ],
)
def test_html_is_read_as_a_person_would(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("A <b>bold</b> move", "A bold move"),
        ("a < b", "a < b"),
        ("I <3 you", "I <3 you"),
        ("x<y is it", "x<y is it"),
        ("&lt;b&gt; is a tag", "<b> is a tag"),
        ("&amp;lt;", "&lt;"),
        ("one<br>two", "one two"),
        ("seen<script>not()</script>", "seen"),
        ("seen<script>never closed", "seen"),
        ("<!-- no -->yes<!-- no", "yes"),
        ("Q&A", "Q&A"),
    ],
)
def test_a_title_loses_its_tags_and_is_unescaped_once(title: str, text: str) -> None:
    assert line(html_to_text(title)) == text


def test_a_line_has_no_controls_and_no_bidirectional_tricks() -> None:
    assert line("a\u202ecod.exe\u2066\u200f\tb\r\n c\u2028d\x1b[31m") == "acod.exe b c d[31m"


def test_joiners_that_words_need_stay() -> None:
    assert line("می‌خواهم 👩‍🚀") == "می‌خواهم 👩‍🚀"


@pytest.mark.parametrize(
    "piece", ["<div>", "<script>", "<!--", "<", "<b a=1>", "&", "<a <a", "<![CDATA[", "\u202e", '<p x="']
)
def test_a_great_deal_of_anything_is_read_in_no_time(piece: str) -> None:
    html_to_text(piece * 10_000)


def test_what_is_short_enough_stays() -> None:
    assert shorten("short", 5) == "short"


def test_a_cut_falls_between_words() -> None:
    assert shorten("one two three four", 14) == "one two three…"


def test_a_cut_falls_behind_a_sentence_where_one_fits() -> None:
    assert shorten("First one. Second one. Third one.", 28, sentence_from=10) == "First one. Second one."
    assert shorten("最初の文。次の文。最後の長い文です", 12, sentence_from=4) == "最初の文。次の文。"


def test_a_cut_never_tears_a_character_or_exceeds_its_limit() -> None:
    assert shorten("a" * 8 + "e\u0301" * 5, 10) == "a" * 8 + "…"
    for limit in range(3, 40):
        assert len(shorten("wörd " * 30, limit)) <= limit
