"""Cards, a list, headlines: what each shows of a story, in HTML and in text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_render_templates import NEWSLETTER, content, filled, story

from dispatcher.digest.render import HTML_LIMIT, Templates, builtin_folder, fit

PICTURE = "https://lantern.example/1.jpg"
SUMMARY = "Wind and rain over the strait. " * 20
STORIES = [story(1, image_url=PICTURE, summary=SUMMARY, also_in=("Trains",)), story(2)]
NOTE = "A note that nobody else has. It goes on\n\nand ends here."


@pytest.fixture(scope="module")
def ours() -> Templates:
    return Templates([builtin_folder()])


def shown(templates: Templates, layout: str, *stories: object, **changes: object) -> tuple[str, str]:
    """The text and the visible part of the HTML, without the preheader."""
    made = content(("Energy", list(stories or STORIES)), layout=layout, **changes)
    _, text, html = filled(templates.render(made, NEWSLETTER))
    return text, html.partition("<body")[2].partition("</div>")[2]


@pytest.mark.parametrize("layout", ["cards", "list", "headlines", "something new"])
def test_every_layout_shows_titles_links_source_and_time(ours: Templates, layout: str) -> None:
    text, html = shown(ours, layout)
    for number in (1, 2):
        assert f"Story number {number}" in html
        assert f'href="https://lantern.example/{number}"' in html
        assert f"Story number {number}\nLantern desk · " in text
        assert f"\nhttps://lantern.example/{number}\n" in text
    assert html.count("Lantern desk</span> · ") == 2


def test_only_cards_have_pictures_and_name_the_other_topics(ours: Templates) -> None:
    for layout, has in (("cards", True), ("list", False), ("headlines", False)):
        text, html = shown(ours, layout)
        assert ("<img" in html) is has
        assert ("Also in Trains" in html) is ("Also in Trains" in text) is has


def test_cards_have_whole_summaries_a_list_their_beginning_and_headlines_none(ours: Templates) -> None:
    found = {layout: shown(ours, layout) for layout in ("cards", "list", "headlines")}
    for number, unit in ((0, "text"), (1, "HTML")):
        counts = {layout: parts[number].count("strait") for layout, parts in found.items()}
        assert counts["cards"] == 20, unit
        assert 1 <= counts["list"] <= 4, unit
        assert counts["headlines"] == 0, unit
    assert "…" in found["list"][0]
    assert len(found["cards"][0]) > len(found["list"][0]) > len(found["headlines"][0])


@pytest.mark.parametrize("layout", ["cards", "list", "headlines"])
def test_what_can_be_read_nowhere_else_is_shown_whole_in_every_layout(ours: Templates, layout: str) -> None:
    text, html = shown(ours, layout, story(1, url="", summary=NOTE))
    for part in NOTE.split("\n\n"):
        assert part in text
        assert part in html


@pytest.mark.parametrize("layout", ["cards", "list", "headlines"])
def test_hostile_words_are_escaped_in_every_layout(ours: Templates, layout: str) -> None:
    _, html = shown(ours, layout, story(1, title="<script>alert(1)</script>", summary="<b onclick=x>", source="<i>"))
    assert not re.search(r"<script|<b |<i>", html)


@pytest.mark.parametrize("layout", ["list", "headlines"])
def test_no_layout_makes_a_mail_that_programs_cut_off(ours: Templates, layout: str) -> None:
    many = content(("Energy", [story(n) for n in range(400)]), layout=layout)
    rendered = fit(many, NEWSLETTER, ours)
    assert rendered.html_size <= HTML_LIMIT
    assert "more stories" in filled(rendered)[2]


def test_templates_of_an_operator_may_go_by_the_layout(tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "digest.txt.j2").write_text("Laid out as {{ digest.layout }}.", encoding="utf-8")
    text, _ = shown(Templates([tmp_path, builtin_folder()]), "headlines")
    assert text == "Laid out as headlines.\n"
