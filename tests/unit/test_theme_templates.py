"""What a theme does to mails, and what they are whatever the theme: bodies, sizes of type, things to tap on."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from mail_scenes import (
    LINKS,
    MAILS,
    NEWSLETTER,
    PICTURES,
    TEMPLATES,
    digest,
    news,
    one_story,
    story,
    themed,
    whole_articles,
)

from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.body import mailed
from dispatcher.digest.kept import dumps, loads
from dispatcher.digest.render import HTML_LIMIT, fit
from dispatcher.digest.slots import Letterhead
from dispatcher.digest.wire import Frame, draft
from dispatcher.model.outbound import Newsletter, Personal
from dispatcher.model.theme import OURS

TABLE = '<table cellpadding="0" cellspacing="0" border="0">'


@pytest.fixture(scope="module")
def htmls() -> dict[str, str]:
    return {name: make().html for name, make in MAILS.items()}


def test_a_theme_colours_everything_and_leaves_none_of_ours(htmls: dict[str, str]) -> None:
    theirs = themed().html
    for colour in (OURS.accent, OURS.paper, OURS.ink, OURS.muted, OURS.rule, OURS.dark_accent, OURS.dark_paper):
        assert colour in htmls["digest-cards"]
        assert colour not in theirs
    assert "font-family: Arial, sans-serif" in theirs


def test_a_logo_stands_for_the_name_and_says_it(htmls: dict[str, str]) -> None:
    assert f'src="{PICTURES}logo.png"' in htmls["digest-themed"]
    assert 'alt="The Larkmere Lantern"' in htmls["digest-themed"]
    assert "logo.png" not in htmls["digest-cards"]


def test_without_images_no_story_has_one() -> None:
    plain = Newsletter(**NEWSLETTER.model_dump() | {"theme": {"images": "none"}})
    for mail in (news(), whole_articles()):
        assert "<img" in mail.html
        assert "<img" not in replace(mail, newsletter=plain).html


def test_personal_blocks_know_the_theme_and_keep_it_with_the_digest() -> None:
    mail = themed()
    made = draft(fit(mail.content, mail.newsletter, TEMPLATES), mail.newsletter, mail.content)
    frame = Frame.loads(str(made.frame.stretch.content))
    assert frame.letterhead == Letterhead.of(mail.newsletter) == made.frame.letterhead
    numbers = {stretch: number for number, stretch in enumerate(made.stretches, start=1)}
    assert loads(dumps(made, numbers)).numbers  # type: ignore[union-attr]
    envelope = Envelope("ada@reader.example", Personal("Ada"), "<1@l.example>", mail.content.slot_at, links=LINKS)
    assert b"color: #4a5b73;" in assemble(made.wire(), envelope).replace(b"=\r\n", b"").replace(b"=3D", b"=")


def test_a_frame_kept_before_there_were_themes_has_ours() -> None:
    known = dict.fromkeys(("name", "slug", "sender", "contact", "url", "language", "postal_address"), "x")
    assert Letterhead.loads(known).theme == OURS


def test_no_type_is_smaller_than_14_pixels_and_what_is_tapped_on_is_44_high(htmls: dict[str, str]) -> None:
    for name, html in htmls.items():
        sizes = {int(size) for size in re.findall(r"font-size: (\d+)px", html)}
        assert {size for size in sizes if 1 < size < 14} == set(), name
    footer = htmls["digest-cards"].partition('class="footer"')[2]
    for link in re.findall(r"<a style=\"([^\"]*)", footer):
        assert "display: inline-block; padding: 11px" in link
    assert re.search(r'<a href="https://letters.example/c/[^>]*padding: 14px 28px', htmls["letter-confirm"])


def test_gmail_takes_our_style_sheets_and_keeps_language_and_direction(htmls: dict[str, str]) -> None:
    for html in htmls.values():
        sheets = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
        assert max(map(len, sheets)) < 8192
    (outermost,) = re.findall(r"<div [^>]*role=.article.[^>]*>", htmls["digest-right-to-left"])
    assert 'lang="ar"' in outermost
    assert 'dir="rtl"' in outermost


def test_more_leads_to_the_page_of_the_digest_or_else_to_the_site() -> None:
    mail = news()
    assert 'href="https://letters.example/d/abc">Read them all on the web</a>' in mail.html
    assert (
        'href="https://lantern.example/">The Larkmere Lantern</a></td>'
        in replace(mail, links=replace(LINKS, view="")).html
    )
    assert "and 4 more stories: https://letters.example/d/abc\n" in mail.parts[1]


def test_a_full_digest_has_the_whole_article_in_both_parts() -> None:
    _, text, html = whole_articles().parts
    last = story(0, whole=True).body.split("\n\n")[-1]
    assert " ".join(last.split()) in " ".join(text.split())
    assert last.replace('"', "&quot;") in html.replace('"', "&quot;")
    assert '<h3 style="margin: 22px' in html
    assert "Read it on the web" in html


def test_an_article_of_which_there_is_only_a_summary_is_shown_as_far_as_it_goes() -> None:
    made = digest(("Energy", [story(0)]), layout="full", more=0)
    assert story(0).summary in made.html


def test_f9_whole_articles_never_make_a_mail_that_is_cut_off() -> None:
    long = replace(story(0, whole=True), body="word " * 30_000, body_html=f"<p>{'word ' * 40}</p>" * 800)
    for count in (1, 2, 9):
        mail = digest(("Energy", [long] * count), layout="full", more=0)
        made = fit(mail.content, NEWSLETTER, TEMPLATES)
        assert made.html_size <= HTML_LIMIT
        assert "4 Cooper Street" in mail.html


@pytest.mark.parametrize(
    ("html", "safe"),
    [
        ('<h1 onclick="x">A</h1><p>b', "<h3>A</h3><p>b</p>"),
        ('<a href="javascript:x">a</a><a href="https://x.example/?a=1&amp;b=2">b</a>',
         'a<a href="https://x.example/?a=1&amp;b=2">b</a>'),
        ("<script>alert(1)</script><style>p{}</style>x<svg><p>y</svg>", "x"),
        ('<img src="data:x"><img src="https://x.example/1.png" width="90" onerror="x">',
         '<img src="https://x.example/1.png" alt="" width="90">'),
        ("<ul><li>a<li>b</ul>c</div></td>", "<ul><li>a</li><li>b</li></ul>c"),
        ("<table><tr><td>1<td colspan=2>2<tr><th>3</table>",
         f'{TABLE}<tr><td>1</td><td colspan="2">2</td></tr><tr><th scope="col">3</th></tr></table>'),
        ("a &lt;script&gt; & <b>b", "a &lt;script&gt; &amp; <b>b</b>"),
        ("<p>a<p>b<div>c<iframe>d</iframe></div>", "<p>a</p><p>b</p><div>c</div>"),
    ],
)  # fmt: skip
def test_a_body_is_written_anew_and_only_what_is_known(html: str, safe: str) -> None:
    assert mailed(html) == safe


def test_a_long_body_is_cut_after_a_block_and_a_single_long_one_at_a_word() -> None:
    blocks = mailed("<p>word word</p>" * 100, longest=100)
    assert blocks == "<p>word word</p>" * (len(blocks) // 16)
    assert len(blocks) <= 100
    single = mailed(f"<p>{'word ' * 100}</p><p>more</p>", longest=100)
    assert single.endswith("word…</p>")
    assert len(single) < 120
    assert mailed('<p>x</p><img src="https://x.example/1.png">', pictures=False) == "<p>x</p>"


def test_a_quiet_day_has_no_table_of_topics_and_counts_nothing_more() -> None:
    html = one_story().html
    assert 'href="#topic-' not in html
    assert "more stor" not in html
