"""Composing with our own templates: what digests share, and that they read as if each was rendered by itself."""

from __future__ import annotations

import email
import email.policy
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.compose import Outline
from dispatcher.digest.composer import Composer
from dispatcher.digest.fragments import Told
from dispatcher.digest.render import HTML_LIMIT, Templates, builtin_folder
from dispatcher.digest.transfer import BASE64
from dispatcher.digest.wire import Door, Draft
from dispatcher.model.content import Story
from dispatcher.model.outbound import Newsletter, Personal
from dispatcher.model.values import DeliveryKind, Layout

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
GAZETTE = Newsletter(slug="g", name="The Gazette", sender="news@gazette.example", list_id="g", url="https://g.example")
TEMPLATES = Templates([builtin_folder()])
TOLD = [
    Told(
        Story(
            f"Story {n}",
            f"https://g.example/{n}" if n % 3 else "",
            "Что-то о ветре. " * (n % 4),
            image_url=f"https://g.example/{n}.jpg" if n % 2 else "",
            published_at=NOW - timedelta(hours=n),
        )
    )
    for n in range(30)
]


def composer() -> tuple[Composer, list[str]]:
    """A composer that has met its digests before, and a list of its complaints."""
    complaints: list[str] = []
    made = Composer(TEMPLATES, GAZETTE, Door("https://g.example"), complaints.append)
    return made, complaints


def outline(seed: int, count: int = 10, **changes: object) -> Outline:
    """Another selection of stories for each seed, under two topics."""
    chosen = random.Random(seed).sample(TOLD, count)
    sections = [("Wind & weather", chosen[: count // 2]), ("Town hall", chosen[count // 2 :])]
    made = Outline(DeliveryKind.DIGEST, "en", "Europe/London", "daily at 07:30", NOW, sections, 3)
    return replace(made, **changes)  # type: ignore[arg-type]


def beside(one: Outline) -> set[str]:
    """The titles of the stories that are not the first of their section."""
    return {f"{told.story.title}<" for _, section in one.sections for told in section[1:]}


def message(draft: Draft) -> list[str]:
    """One reader's message, decoded, but for the boundary."""
    wire = draft.wire()
    envelope = Envelope("ann@reader.example", Personal("Ann", topics=("Wind",)), "<1@g.example>", NOW)
    found = email.message_from_bytes(assemble(wire, envelope), policy=email.policy.default)
    parts = [part.get_content() for part in found.walk() if not part.is_multipart()]
    return [str(found["Subject"]), *parts]


@pytest.mark.parametrize("kind", [DeliveryKind.DIGEST, DeliveryKind.ALERT, DeliveryKind.BREAKING])
@pytest.mark.parametrize("layout", list(Layout))
def test_our_templates_can_be_shared_in_every_layout(kind: DeliveryKind, layout: Layout) -> None:
    made, complaints = composer()
    for seed in range(4):
        one = outline(seed, kind=kind, layout=layout)
        assert message(made.compose(one)) == message(made.render(one))
    assert complaints == []


def test_digests_share_what_they_show_of_the_same_stories() -> None:
    made, _ = composer()
    for seed in range(12):
        made.compose(outline(seed))
    first, second = made.compose(outline(20)), made.compose(outline(21))
    same = beside(outline(20)) & beside(outline(21))
    shared = "".join(str(stretch.content) for stretch in {*first.html} & {*second.html})
    assert same
    assert all(title in shared for title in same)


def test_another_locale_zone_or_slot_begins_afresh() -> None:
    made, complaints = composer()
    for changes in ({}, {"locale": "de"}, {"timezone": "Asia/Tokyo"}, {"slot_at": NOW + timedelta(days=1)}):
        for seed in range(3):
            one = outline(seed, **changes)
            assert message(made.compose(one)) == message(made.render(one))
    assert complaints == []


def test_a_part_that_is_smaller_in_base64_is_composed_in_it() -> None:
    made, _ = composer()
    cyrillic = [Told(replace(one.story, title="Ветер и море", summary="Что-то о ветре. " * 40)) for one in TOLD]
    for start in (0, 5, 10):
        one = outline(1, sections=[("Ветер", cyrillic[start : start + 5])])
        draft = made.compose(one)
        assert draft.frame.text == BASE64
        assert message(draft) == message(made.render(one))


def test_f9_a_digest_that_is_too_large_loses_stories_as_ever() -> None:
    made, _ = composer()
    long = [Told(replace(one.story, url="", summary="word " * 4_000)) for one in TOLD]
    for start in (0, 8, 16):
        one = outline(1, sections=[("Long", long[start : start + 8])])
        draft = made.compose(one)
        assert sum(stretch.size for stretch in draft.html) <= HTML_LIMIT
        assert message(draft) == message(made.render(one))


def test_a_letter_and_an_empty_digest_are_rendered_in_full() -> None:
    made, _ = composer()
    for one in (outline(1, sections=[], letter="manage", kind=DeliveryKind.CONFIRMATION), outline(1, sections=[])):
        for _ in range(3):
            assert message(made.compose(one)) == message(made.render(one))


def test_what_is_forgotten_is_learnt_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.digest.composer.FRAGMENTS", 20_000)
    monkeypatch.setattr("dispatcher.digest.composer.SKELETONS", 5_000)
    monkeypatch.setattr("dispatcher.digest.composer.SETTINGS", 2)
    made, complaints = composer()
    for seed in range(12):
        one = outline(seed, count=4 + seed % 3, locale=("en", "de", "fr")[seed // 2 % 3])
        assert message(made.compose(one)) == message(made.render(one))
    assert complaints == []
