"""Feed HTML made safe: nothing that acts, nothing that leads where it should not."""

from __future__ import annotations

import re

import pytest

from dispatcher.articles.markup import MAX_DEPTH, MAX_LINKS, paragraphs, public_image, sanitise

BASE = "https://site.example/blog/post"

ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img src='javascript:alert(1)'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' jAvAsCrIpT&colon;alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table></mtext></math>",
    "<iframe src='https://evil.example'></iframe>",
    "<object data=x></object><embed src=x>",
    "<form action='https://evil.example'><input name=a><button>go</button></form>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<p style='background:url(javascript:alert(1))' onclick='alert(1)'>x</p>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<template><script>alert(1)</script></template>",
    "<title><img src=x onerror=alert(1)></title>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<<script>alert(1)//<</script>",
    "<a href='https://user:pw@evil.example/'>x</a><video src=x onerror=alert(1)></video>",
    "<div class=a id=b data-x=y>x</div>",
    "<p>" + "\x00<scr\x00ipt>alert(1)</script>",
]
FORBIDDEN = ("<script", "onerror", "onload", "onclick", "javascript:", "vbscript:", "data:", "style", "<iframe",
             "<form", "<svg", "<math",
             "<object", "<embed", "<base", "<meta", "<link", "@evil", "pw@", "class=", "id=", "<input",
             "<button", "<video", "<template", "\x00", "refresh")  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_acts_survives(attack: str) -> None:
    clean = sanitise(attack, BASE).lower()
    # An escaped tag is text: only what stands as markup counts.
    assert not [word for word in FORBIDDEN if word in clean]


def test_what_readers_need_stays() -> None:
    markup = "<h2>A</h2><p><em>b</em> <code>c</code></p><ul><li>d</li></ul><blockquote>e</blockquote>"
    assert sanitise(markup, BASE) == markup


def test_links_become_absolute_and_are_followed_at_the_readers_own_risk() -> None:
    clean = sanitise('<a href="../about?a=1&amp;b=2#top">x</a>', BASE)
    assert clean == '<a href="https://site.example/about?a=1&amp;b=2#top" rel="noopener nofollow">x</a>'


def test_mail_links_stay() -> None:
    assert 'href="mailto:desk@site.example"' in sanitise('<a href="mailto:desk@site.example">x</a>', BASE)


@pytest.mark.parametrize("link", ["//evil.example/x", "\\\\evil.example\\x", " //evil.example", "ftp://a.example/"])
def test_links_that_lead_elsewhere_than_http_lose_their_target(link: str) -> None:
    assert "href" not in sanitise(f'<a href="{link}">x</a>', BASE)


def test_without_a_base_relative_links_lose_their_target() -> None:
    assert sanitise('<a href="/x">x</a><img src="/y.png">', "") == '<a rel="noopener nofollow">x</a>'


def test_pictures_come_over_https_or_not_at_all() -> None:
    kept = sanitise(
        '<p>a<img src="/i.png" alt="A > B"><img src="http://a.example/i.png" alt="x > y"><img alt="z">b</p>', BASE
    )
    assert kept.count("<img") == 1
    assert 'src="https://site.example/i.png"' in kept
    assert kept.endswith("b</p>")
    assert "y" not in kept


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.0.0.1", "[::1]", "169.254.169.254", "localhost", "printer", "nas.local", "192.168.1.1"]
)
def test_pictures_from_somebodys_own_network_are_removed(host: str) -> None:
    assert sanitise(f'<img src="https://{host}/x.png">', BASE) == ""
    assert public_image(f"https://{host}/x.png", "") == ""


def test_writing_direction_and_language_stay() -> None:
    assert sanitise('<p dir="rtl" lang="ar">نص</p>', BASE) == '<p dir="rtl" lang="ar">نص</p>'


@pytest.mark.parametrize(
    "piece",
    ["<div>", "<div></x>", "<div><!--</div>-->", "<div><!x </div>", '<div><br title="</div>">',
     "<div><table></div></table>",
     "<div><b a=1></div>", "<svg><td>", "<font><p>", "<table>", "<a><p>", "<b><i></b></i>", "<object>"],
)  # fmt: skip
def test_a_bomb_of_nested_tags_is_flattened(piece: str) -> None:
    clean = sanitise(piece * 2_000 + "kept", BASE)
    assert "kept" in clean
    assert clean.count("</") - clean.count("</br") < 10_000
    assert depth(clean) <= MAX_DEPTH + 5


def depth(markup: str) -> int:
    """The deepest nesting, of HTML in which every element is closed."""
    deepest = now = 0
    for is_end in re.findall(r"<(/?)(?!br|hr|img|col\b)[a-z]", markup):
        now += -1 if is_end else 1
        deepest = max(deepest, now)
    assert now == 0
    return deepest


@pytest.mark.parametrize(
    ("soup", "clean"),
    [
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<ul><li>a<li>b</ul>c", "<ul><li>a</li><li>b</li></ul>c"),
        ("<p>a<div>b</div>", "<p>a</p><div>b</div>"),
        ("<b><i>a</b>b</i>", "<b><i>a</i></b>b"),
        ("<article><section>a</section><section>b</section></article>", "<div><div>a</div><div>b</div></div>"),
        ("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
        ("</p></div>a", "a"),
        ("a < b && c > d <3", "a &lt; b &amp;&amp; c &gt; d &lt;3"),
        ("<p title=it's>don't</p>", "<p>don't</p>"),
        ("<P LANG='de'>Ä&ouml;&#8211;</P>", '<p lang="de">Äö–</p>'),
        ("<custom-tag>a</custom-tag><font>b</font>", "ab"),
    ],
)
def test_tag_soup_comes_out_well_nested(soup: str, clean: str) -> None:
    assert sanitise(soup, BASE) == clean


def test_a_flood_of_links_is_cut_off() -> None:
    clean = sanitise('<a href="x">y</a>' * (MAX_LINKS + 50), BASE)
    assert clean.count("href") == MAX_LINKS


def test_plain_text_becomes_paragraphs() -> None:
    assert paragraphs("a <b>\nc & d\n\n \n e") == "<p>a &lt;b&gt;<br>c &amp; d</p>\n<p>e</p>"
    assert paragraphs(" \n ") == ""
