"""Rendering: what readers share, what is personal, what a broken template says, and what our own templates show."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dispatcher.digest.jinja import PERSONAL_NAMES, SHARED_NAMES, environment
from dispatcher.digest.render import HTML_LIMIT, Rendered, Templates, builtin_folder, fit
from dispatcher.digest.slots import Letterhead, Links, Pieces, Slot, fill, names
from dispatcher.digest.voice import speaking, voice
from dispatcher.errors import TemplateError
from dispatcher.model.content import Story
from dispatcher.model.outbound import DigestContent, Newsletter, Personal, Section
from dispatcher.model.values import DeliveryKind

SLOT = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
NEWSLETTER = Newsletter(
    slug="lantern",
    name="The Larkmere Lantern",
    sender="The Larkmere Lantern <news@lantern.example>",
    list_id="lantern.lantern.example",
    url="https://lantern.example/",
    postal_address="4 Cooper Street, Larkmere",
)
ADA = Personal("Ada", "ada@reader.example", ("Energy", "Trains"), "weekly on mon,thu at 08:00")


def story(number: int = 1, **changes: object) -> Story:
    made = Story(
        title=f"Story number {number}",
        url=f"https://lantern.example/{number}",
        summary=f"The standfirst of story {number}.",
        source="Lantern desk",
        published_at=SLOT - timedelta(hours=number),
    )
    return replace(made, **changes)


def content(*sections: tuple[str, list[Story]], **changes: object) -> DigestContent:
    made = DigestContent(
        kind=DeliveryKind.DIGEST,
        locale="en",
        timezone="Europe/London",
        cadence="daily at 07:30",
        slot_at=SLOT,
        sections=tuple(Section(label, tuple(stories)) for label, stories in sections),
    )
    return replace(made, **changes)


def filled(
    rendered: Rendered, personal: Personal = ADA, links: Links | None = None, locale: str = "en"
) -> tuple[str, str, str]:
    """Subject, text and HTML as one reader gets them."""
    known = names(personal, Letterhead.of(NEWSLETTER), links or Links())

    def whole(pieces: Pieces, html: bool) -> str:
        return "".join(fill(p, known, html=html) if isinstance(p, Slot) else p for p in pieces)

    with speaking(voice(locale, "Europe/London")):
        return whole(rendered.subject, False), whole(rendered.text, False), whole(rendered.html, True)


@pytest.fixture(scope="module")
def ours() -> Templates:
    return Templates([builtin_folder()])


Render = Callable[..., Rendered]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """Render one digest with templates written here."""

    def run(text: str = "text", html: str = "<p>html</p>", subject: str = "subject", **more: str) -> Rendered:
        sources = {"digest.txt.j2": text, "digest.html.j2": html, "digest.subject.j2": subject}
        (tmp_path / "email").mkdir()
        for name, source in {**sources, **{f"{key}.txt.j2": source for key, source in more.items()}}.items():
            (tmp_path / "email" / name).write_text(source, "utf-8")
        return Templates([tmp_path]).render(content(("Energy", [story(1), story(2)])), NEWSLETTER)

    return run


class TestPersonalBlocks:
    def test_what_readers_share_is_text_and_what_is_personal_is_a_slot(self, render: Render) -> None:
        rendered = render("Dear {% personal %}{{ subscriber.name }}{% endpersonal %}, {{ stories[0].title }}")
        assert [p.source if isinstance(p, Slot) else p for p in rendered.text] == [
            "Dear ", "{{ subscriber.name }}", ", Story number 1\n",
        ]  # fmt: skip
        assert filled(rendered)[1] == "Dear Ada, Story number 1\n"

    def test_they_work_in_subjects_and_attributes_and_tables_and_are_escaped_there(self, render: Render) -> None:
        rendered = render(
            subject="For {% personal %}{{ subscriber.name }}{% endpersonal %}",
            html="<table>{% personal %}<tr><td>{{ subscriber.name }}</td></tr>{% endpersonal %}"
            '<tr><td title="{% personal %}{{ subscriber.name }}{% endpersonal %}">x</td></tr></table>',
        )
        subject, _, html = filled(rendered, replace(ADA, name='<b a="1">&'))
        assert subject == 'For <b a="1">&'
        assert "<table><tr><td>&lt;b a=&#34;1&#34;&gt;&amp;</td></tr>" in html
        assert 'title="&lt;b a=&#34;1&#34;&gt;&amp;"' in html

    def test_they_work_in_title_elements_includes_and_inherited_blocks(self, render: Render) -> None:
        rendered = render(
            text='{% extends "email/frame.txt.j2" %}{% block body %}{% personal %}[{{ cadence }}]{% endpersonal %}'
            '{% include "email/part.txt.j2" %}{% endblock %}',
            html="<title>{% personal %}{{ subscriber.name }}{% endpersonal %}</title>",
            frame="<{% block body %}{% endblock %}>",
            part="{% personal %}{{ topics|listed }}{% endpersonal %}",
        )
        _, text, html = filled(rendered)
        assert text == "<[weekly on mon,thu at 08:00]Energy and Trains>\n"
        assert "<title>Ada</title>" in html

    def test_a_block_in_a_loop_stands_once_for_each_round(self, render: Render) -> None:
        rendered = render(
            "{% for s in stories %}{{ s.title }} {% personal %}{{ subscriber.name }}{% endpersonal %};{% endfor %}"
        )
        assert filled(rendered)[1] == "Story number 1 Ada;Story number 2 Ada;\n"

    def test_comments_raw_blocks_and_strings_hide_the_tag(self, render: Render) -> None:
        source = "{# {% personal %} #}{% raw %}{% personal %}{% endraw %}{{ '{% personal %}' }}"
        assert filled(render(source))[1] == "{% personal %}{% personal %}\n"

    def test_blanks_are_trimmed_as_around_any_other_tag(self, render: Render) -> None:
        source = (
            "a\n  {% personal %}\n  {% if topics %}\nb  \n  {% endif %}\n{% endpersonal %}\n"
            "c {%- personal -%}\n d {% endpersonal %}."
        )
        assert filled(render(source))[1] == "a\nb  \ncd .\n"

    def test_quotes_backslashes_and_every_script_survive_in_a_block(self, render: Render) -> None:
        tricky = "\"'\\n \\ { % } ü 🚲 %}"
        assert filled(render(f"{{% personal %}}{tricky}{{% endpersonal %}}"))[1] == f"{tricky}\n"

    def test_an_article_cannot_forge_a_slot(self, tmp_path: Path, ours: Templates) -> None:
        forged = "\ue0001234-0\ue001 <!--1234-0--> {% personal %}{{ subscriber.email }}{% endpersonal %}"
        rendered = ours.render(content(("Energy", [story(title=forged)])), NEWSLETTER)
        plain = ours.render(content(("Energy", [story()])), NEWSLETTER)
        assert sum(isinstance(p, Slot) for p in rendered.html) == sum(isinstance(p, Slot) for p in plain.html)


BROKEN = {
    "subscriber outside": ("1\n2 {{ subscriber.name }}", 2, "subscriber may only be used inside {% personal %}"),
    "subscriber in a branch never taken": ("{% if more %}\n{{ subscriber }}\n{% endif %}", 2, "only be used inside"),
    "topics outside": ("1\n\n{{ topics }}", 3, "topics may only be used inside {% personal %}"),
    "a name misspelt": ("1\n{{ storeis }}", 2, "'storeis' is not defined; did you mean 'stories'?"),
    "an attribute misspelt": ("{{ stories[0].titel }}", 1, "story has no 'titel'; did you mean 'title'?"),
    "an attribute of the newsletter": ("{{ newsletter.nmae }}", 1, "newsletter has no 'nmae'; did you mean 'name'?"),
    "a filter misspelt": ("1\n{{ digest.slot_at|dat }}", 2, "there is no filter 'dat'; did you mean 'date'?"),
    "an include misspelt": ('1\n{% include "email/fot.txt.j2" %}', 2, "did you mean 'email/foot.txt.j2'?"),
    "a fault in an include": ('{% include "email/foot.txt.j2" %}', "foot.txt.j2:2", "'nope' is not defined"),
    "an endless include": ('{% include "email/loop.txt.j2" %}', "loop.txt.j2:1", "includes itself without end"),
    "bad syntax": ("1\n{% if %}", 2, "Expected an expression"),
    "a tag unclosed": ("1\n{% for s in stories %}", 2, "Unexpected end of template"),
    "division by zero": ("1\n{{ 1 / 0 }}", 2, "division by zero"),
    "a date of nothing": ("1\n{{ none|date }}", 2, "a date is needed here"),
    "a look under the bonnet": ("{{ digest.__class__ }}", 1, "unsafe"),
    "a loop variable inside": (
        "{% for s in stories %}\n{% personal %}\n{{ s.title }}\n{% endpersonal %}\n{% endfor %}", 3,
        "'s' is not known inside {% personal %}",
    ),
    "a misspelling inside": (
        "\n{% personal %}\n\n{{ subscriber.nam }}{% endpersonal %}", 4, "subscriber has no 'nam'; did you mean 'name'?",
    ),
    "an include inside": ('{% personal %}\n{% include "x" %}{% endpersonal %}', 2, "{% include %} may not be used"),
    "bad syntax inside": ("{% personal %}\n{{ 1 + }}{% endpersonal %}", 2, "unexpected"),
    "never closed": ("1\n{% personal %}", 2, "{% endpersonal %} is missing"),
    "one in another": ("{% personal %}\n{% personal %}{% endpersonal %}", 2, "may not stand in another"),
    "closed but not opened": ("1\n{% endpersonal %}", 2, "unknown tag 'endpersonal'"),
    "with arguments": ("{% personal for me %}{% endpersonal %}", 1, "takes no arguments"),
    "changed by a filter": (
        "{% filter urlencode %}{% personal %}x{% endpersonal %}{% endfilter %}", 1, "put the filter inside",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_template_gets_one_line_with_file_and_line(render: Render, case: str) -> None:
    source, where, words = BROKEN[case]
    with pytest.raises(TemplateError) as caught:
        render(source, foot="1\n{{ nope }}", loop='{% include "email/loop.txt.j2" %}')
    place = where if isinstance(where, str) else f"digest.txt.j2:{where}"
    assert f"{place}: " in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_personal_block_as_a_bare_attribute_is_refused(render: Render) -> None:
    with pytest.raises(TemplateError, match="within the quotes of an attribute"):
        render(html="<p {% personal %}hidden{% endpersonal %}>x</p>")


def test_a_template_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.j2").write_bytes(b"caf\xe9")
    with pytest.raises(TemplateError, match=r"bad\.j2: not UTF-8 at byte 3"):
        Templates([tmp_path])


class TestFolders:
    def test_a_file_of_the_user_hides_ours_and_the_others_stay(self, tmp_path: Path) -> None:
        (tmp_path / "email").mkdir()
        (tmp_path / "email" / "digest.subject.j2").write_text("Mine: {{ newsletter.name }}")
        rendered = Templates([tmp_path, builtin_folder()]).render(content(("Energy", [story()])), NEWSLETTER)
        assert rendered.subject == ("Mine: The Larkmere Lantern",)
        assert "Story number 1" in filled(rendered)[1]

    def test_the_version_changes_with_any_template_and_with_nothing_else(self, tmp_path: Path, ours: Templates) -> None:
        assert Templates([tmp_path / "none", builtin_folder()]).version == ours.version
        (tmp_path / "other.j2").write_text("x")
        assert Templates([tmp_path, builtin_folder()]).version != ours.version

    def test_templates_are_a_snapshot(self, tmp_path: Path) -> None:
        (tmp_path / "email").mkdir()
        subject = tmp_path / "email" / "digest.subject.j2"
        subject.write_text("before")
        templates = Templates([tmp_path, builtin_folder()])
        subject.write_text("after")
        assert templates.render(content(), NEWSLETTER).subject == ("before",)


class TestOurDigest:
    def test_f11_the_text_is_authored_and_has_the_links_of_the_html(self, ours: Templates) -> None:
        rendered = ours.render(content(("Energy", [story(1), story(2)]), ("Trains", [story(3)]), more=2), NEWSLETTER)
        _, text, html = filled(rendered)
        links = set(re.findall(r'href="(https://[^"]+)"', html))
        assert links == {f"https://lantern.example/{n}" for n in ("", 1, 2, 3)}
        assert all(link in text for link in links)
        for words in (
            "Energy\n------",
            "Story number 2\nLantern desk · ",
            "standfirst of story 3",
            "and 2 more stories",
        ):
            assert words in text
        assert all(len(line) <= 72 for line in text.splitlines())

    def test_f12_the_html_is_what_mail_programs_take(self, ours: Templates) -> None:
        rendered = ours.render(content(("Energy", [story(image_url="https://lantern.example/a.jpg")])), NEWSLETTER)
        html = filled(rendered)[2]
        assert '<html lang="en" dir="ltr">' in html
        assert not re.search(r"<(form|script|iframe|link|object|embed)\b|@import|url\(", html)
        assert "max-width: 600px" in html
        assert "@media (prefers-color-scheme: dark)" in html
        assert '<meta name="color-scheme" content="light dark">' in html
        assert re.search(r'<div class="preheader"[^>]*>The standfirst of story 1\.', html)
        assert all("alt=" in tag for tag in re.findall(r"<img[^>]*>", html))
        assert all('role="presentation"' in tag for tag in re.findall(r"<table[^>]*>", html))
        assert re.search(r'<h3 class="headline lead" style="[^"]*font-size: 29px', html)

    def test_the_html_is_well_formed(self, ours: Templates) -> None:
        rendered = ours.render(
            content(("A & <b>", [story(1), story(2, also_in=("X",))]), ("B", [story(3)])), NEWSLETTER
        )
        check = Balance()
        check.feed(filled(rendered)[2])
        assert check.open == []
        assert check.wrong == []

    def test_content_is_escaped(self, ours: Templates) -> None:
        evil = "<script>alert('x')</script>&\"{{ 7*7 }}"
        made = story(title=evil, summary=evil, source=evil, also_in=(evil,), url='https://x.example/?a=1&b="><script>')
        html = filled(ours.render(content((evil, [made])), NEWSLETTER), replace(ADA, name=evil, topics=(evil,)))[2]
        check = Balance()
        check.feed(html)
        assert "script" not in check.seen
        assert check.wrong == []
        assert "{{ 7*7 }}" in html

    def test_the_footer_says_why_and_how_to_leave(self, ours: Templates) -> None:
        rendered = ours.render(content(("Energy", [story()])), NEWSLETTER)
        _, text, html = filled(rendered)
        why = "because you follow Energy and Trains (every week on Monday and Thursday at 8:00 AM)"
        assert why in " ".join(text.replace("\u202f", " ").split())
        assert why in " ".join(html.replace("\u202f", " ").split())
        assert "ada@reader.example" in text
        assert 'href="mailto:news@lantern.example?subject=unsubscribe"' in html
        assert "4 Cooper Street, Larkmere" in text
        assert "4 Cooper Street, Larkmere" in html

    def test_the_footer_uses_the_links_there_are(self, ours: Templates) -> None:
        links = Links(unsubscribe="https://l.example/u?a=1&b=2", preferences="https://l.example/p")
        _, text, html = filled(ours.render(content(("Energy", [story()])), NEWSLETTER), links=links)
        assert "Unsubscribe: https://l.example/u?a=1&b=2" in text
        assert 'href="https://l.example/u?a=1&amp;b=2"' in html
        assert "mailto:" not in html

    def test_a_story_without_a_link_shows_all_of_its_text_and_no_link(self, ours: Templates) -> None:
        desk = story(title="A note from the desk", url="", summary="First paragraph.\n\nSecond paragraph.")
        _, text, html = filled(ours.render(content(("Desk", [desk])), NEWSLETTER))
        assert "First paragraph.\n\nSecond paragraph." in text
        assert re.search(r"<h3[^>]*>A note from the desk</h3>", html)
        assert re.search(r"First paragraph\.</p>\s*<p[^>]*>Second paragraph\.</p>", html)

    @pytest.mark.parametrize("kind", [DeliveryKind.DIGEST, DeliveryKind.ALERT, DeliveryKind.BREAKING])
    def test_every_kind_renders_with_everything_missing(self, ours: Templates, kind: DeliveryKind) -> None:
        bare = Newsletter(slug="b", name="Bare", sender="b@b.example", list_id="b.b.example")
        nothing = Personal(email="x@y.example")
        for made in (content(kind=kind), content(("", [Story("", "")]), kind=kind)):
            subject, text, html = filled(ours.render(made, bare), nothing)
            assert subject.strip() == ("Breaking: Bare" if kind == DeliveryKind.BREAKING else "Bare")
            assert "because you subscribed to" in " ".join(text.split())
            assert "</html>" in html

    def test_the_subject_is_the_top_story_and_how_many_more(self, ours: Templates) -> None:
        made = content(("Energy", [story(1), story(2)]), more=3)
        assert filled(ours.render(made, NEWSLETTER))[0].strip() == "Story number 1, and 4 more"
        assert filled(ours.render(content(("E", [story(1)])), NEWSLETTER))[0].strip() == "Story number 1"

    def test_an_alert_is_one_story_with_a_button(self, ours: Templates) -> None:
        subject, text, html = filled(ours.render(content(("Energy", [story()]), kind=DeliveryKind.ALERT), NEWSLETTER))
        assert subject.strip() == "Story number 1"
        assert "New in Energy\n-------------" in text
        assert "Read the story</a>" in html


class Balance(HTMLParser):
    """Finds tags that are not closed in the order they were opened."""

    VOID = frozenset(("meta", "br", "img"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


class TestLanguages:
    def test_words_and_dates_are_the_readers(self, ours: Templates) -> None:
        made = content(("Energie", [story(1), story(2)]), locale="de", timezone="Europe/Berlin", more=1)
        _, text, html = filled(ours.render(made, NEWSLETTER), locale="de")
        assert "Sonntag, 22. November 2026 · Für Ada · 2 Beiträge" in text
        assert "wöchentlich am Montag und Donnerstag um 08:00" in " ".join(text.split())
        assert "Story number 1\nLantern desk · 07:30" in text
        assert '<html lang="de" dir="ltr">' in html

    def test_a_right_to_left_language_turns_the_page_and_a_foreign_story_turns_back(self, ours: Templates) -> None:
        stories = [story(1, language="ar"), story(2, language="en")]
        html = filled(ours.render(content(("طاقة", stories), locale="ar"), NEWSLETTER), locale="ar")[2]
        assert '<html lang="ar" dir="rtl">' in html
        assert len(re.findall(r'<td class="story next" dir="ltr" align="left" lang="en"', html)) == 1

    def test_an_unknown_locale_speaks_english_and_a_regional_one_its_language(self) -> None:
        assert voice("xx-nowhere", "UTC").lang == "en"
        assert voice("", "UTC").lang == "en"
        assert voice("de-AT", "UTC").lang == "de-AT"
        assert voice("de-AT", "UTC").gettext("Unsubscribe") == "Abbestellen"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("instant", "as it happens"),
            ("hourly", "every hour"),
            ("daily at 07:30", "every day at 7:30 AM"),
            ("weekdays at 18:05", "on weekdays at 6:05 PM"),
            ("weekly on mon,wed,sun at 08:00", "every week on Monday, Wednesday, and Sunday at 8:00 AM"),
            ("monthly on 31 at 08:00", "every month on day 31 at 8:00 AM"),
            ("cron 0 8 * * mon-fri", "cron 0 8 * * mon-fri"),
        ],
    )
    def test_a_cadence_is_said_in_words(self, text: str, words: str) -> None:
        assert voice("en", "America/St_Johns").cadence(text).replace("\u202f", " ") == words

    def test_a_time_is_short_today_and_a_day_before_and_a_year_long_ago(self) -> None:
        speaker = voice("en-GB", "Pacific/Auckland")
        assert speaker.moment(datetime(2026, 11, 22, 0, 5, tzinfo=UTC), SLOT) == "13:05"
        assert speaker.moment(datetime(2026, 11, 21, 0, 5, tzinfo=UTC), SLOT) == "21 Nov"
        assert speaker.moment(datetime(2025, 11, 21, 0, 5, tzinfo=UTC), SLOT) == "21 Nov 2025"


class TestSize:
    def test_f9_a_digest_that_is_too_large_keeps_its_footer_and_counts_what_it_left_out(self, ours: Templates) -> None:
        made = content(
            *((f"T{n}", [story(n * 100 + m, summary="words " * 300) for m in range(20)]) for n in range(5)), more=7
        )
        rendered = fit(made, NEWSLETTER, ours)
        _, text, html = filled(rendered)
        assert 60_000 < len(html.encode()) <= HTML_LIMIT
        kept = html.count("<h3")
        assert f"and {100 - kept + 7} more stories" in html
        assert f"and {100 - kept + 7} more stories" in text
        assert "4 Cooper Street, Larkmere" in html
        assert "unsubscribe" in html

    def test_f9_a_single_story_that_is_too_large_is_cut(self, ours: Templates) -> None:
        rendered = fit(content(("Desk", [story(url="", summary="wörter " * 20_000)])), NEWSLETTER, ours)
        html = filled(rendered)[2]
        assert 80_000 < len(html.encode()) <= HTML_LIMIT
        assert "…</p>" in html
        assert "4 Cooper Street" in html

    def test_what_fits_is_left_alone(self, ours: Templates) -> None:
        made = content(("Energy", [story()]))
        assert fit(made, NEWSLETTER, ours) == ours.render(made, NEWSLETTER)


class TestPlainFilters:
    def test_wrapping_keeps_to_the_width_in_every_script_and_never_breaks_a_link(self) -> None:
        wrap = environment().filters["wrap"]
        link = "https://lantern.example/" + "x" * 100
        assert wrap(f"See {link} now") == f"See\n{link}\nnow"
        assert max(map(len, wrap("word " * 100).splitlines())) <= 72
        assert {len(line) for line in wrap("漢" * 90).splitlines()} == {36, 18}
        assert wrap("a\n\n\nb\nc") == "a\n\nb c"
        assert wrap("one two", 8, "  ") == "  one two"
        assert wrap("") == ""

    def test_underline_is_as_wide_as_it_looks(self) -> None:
        underline = environment().filters["underline"]
        assert underline("漢字") == "漢字\n----"
        assert underline("né") == "né\n--"
        assert underline("ne\u0301") == "ne\u0301\n--"


def test_the_reference_names_everything_a_template_may_use() -> None:
    reference = (builtin_folder().parent / "docs" / "reference" / "templates.md").read_text()
    plain = set(environment().filters) - set(type(environment())().filters)
    for name in {*SHARED_NAMES, *PERSONAL_NAMES, *plain, "_", "ngettext", "dir_of"}:
        assert f"`{name}" in reference, name
    for kind in (DigestContent, Section, Story, Letterhead, Links):
        for field in kind.__dataclass_fields__:
            assert re.search(rf"`(\w+\.)?{field}`", reference), (kind.__name__, field)
