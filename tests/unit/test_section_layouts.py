"""One topic laid out, cut short and told otherwise than the rest of its digest, put together or rendered in full."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime

from test_render_templates import NEWSLETTER, filled

from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.compose import Outline, shortened
from dispatcher.digest.composer import Composer
from dispatcher.digest.fragments import Told
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.wire import Door, Draft
from dispatcher.model.content import Story
from dispatcher.model.outbound import Personal
from dispatcher.model.values import DeliveryKind, Style

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
WORDS = "Wind and rain over the strait. "
TEMPLATES = Templates([builtin_folder()])


def told(number: int) -> Told:
    url = f"https://lantern.example/{number}"
    picture = f"https://lantern.example/{number}.jpg"
    return Told(Story(f"Story {number}", url, WORDS * 8, "Lantern", image_url=picture, published_at=NOW))


STORIES = [told(number) for number in range(8)]


def outline(first: int, **layouts: str) -> Outline:
    some = STORIES[first : first + 4]
    sections = [("Wind", some[:2]), ("Council", some[2:])]
    return Outline(DeliveryKind.DIGEST, "en", "UTC", "daily at 07:30", NOW, sections, layouts=layouts)


def section(html: str, number: int) -> str:
    return html.split('id="topic-')[number].partition("</body>")[0]


def test_a_section_has_its_own_layout_and_the_others_that_of_the_digest() -> None:
    _, text, html = filled(TEMPLATES.render(outline(0, Council="headlines").content, NEWSLETTER))
    assert section(html, 1).count("<img") == 2
    assert section(html, 2).count("<img") == 0
    assert "strait" in section(html, 1)
    assert "strait" not in section(html, 2)
    assert "strait" in text.partition("Council\n-")[0]
    assert "strait" not in text.partition("Council\n-")[2]


def test_digests_with_such_sections_are_put_together_and_read_as_if_rendered_in_full() -> None:
    complaints: list[str] = []
    composer = Composer(TEMPLATES, NEWSLETTER, Door("https://g.example"), complaints.append)
    some = [outline(n, **layouts) for n in range(4) for layouts in ({}, {"Council": "list"}, {"Wind": "headlines"})]
    for one in (*some, *some):
        assert bodies(composer.compose(one)) == bodies(composer.render(one))
    assert complaints == []


def bodies(made: Draft) -> list[str]:
    """What a reader reads, however it was cut into pieces."""
    envelope = Envelope("ada@example.org", Personal("Ada"), "<1@g.example>", NOW)
    message = email.message_from_bytes(assemble(made.wire(), envelope), policy=email.policy.default)
    return [part.get_content() for part in message.iter_parts()]


def test_a_style_says_what_it_says_and_leaves_the_rest() -> None:
    general = Style("cards", "newest", 20, 300)
    assert Style(max_articles=5).over(general) == replace(general, max_articles=5)
    assert Style(summary_length=0).over(general).summary_length == 0
    assert Style.of({"layout": "list", "of another version": 1}) == Style("list")
    assert Style.of(Style("list", summary_length=0).stored) == Style("list", summary_length=0)


def test_a_summary_is_cut_as_long_as_it_is_wanted_and_a_note_without_a_link_stays_whole() -> None:
    assert len(shortened(STORIES[0].story, 40).summary) <= 41
    assert shortened(STORIES[0].story, 0).summary == ""
    note = replace(STORIES[0].story, url="")
    assert shortened(note, 40) == note
