"""What makes two readers' digests one, and what templates see of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import article

from dispatcher.digest import compose
from dispatcher.digest.fragments import Told
from dispatcher.model.content import Article
from dispatcher.model.outbound import Digest, DigestContent
from dispatcher.model.values import DeliveryKind

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
ITEMS: list[compose.Item] = [(1, 1, 10, "Wind", ("Sea",)), (2, 3, 20, "Wind", ())]


def identity(**changes: Any) -> dict[str, Any]:
    items = changes.pop("items", ITEMS)
    values: dict[str, Any] = {
        "newsletter_id": 1, "kind": DeliveryKind.DIGEST, "locale": "en", "zone": "Europe/London",
        "cadence": "daily at 07:30", "slot_at": NOW, "more": 0, "layout": "cards", "look": "v1:300", "now": NOW,
    }  # fmt: skip
    return compose.identity(items, **values | changes)


def content(items: list[compose.Item], *known: Article, length: int = 300, **digest: Any) -> DigestContent:
    stored = Digest(**identity(items=items, **digest))
    stories = {a.id: compose.shortened(compose.story(a, "Gazette" if a.id == 1 else ""), length) for a in known}

    def tell(article_id: int, others: Sequence[str], length: int | None) -> Told | None:
        if article_id not in stories:
            return None
        told = replace(stories[article_id], also_in=tuple(others))
        return Told(told if length is None else compose.shortened(told, length))

    return compose.outline(stored, tell).content


@pytest.mark.parametrize(
    "changes",
    [
        {"newsletter_id": 2},
        {"kind": DeliveryKind.ALERT},
        {"locale": "de"},
        {"zone": "Europe/Paris"},
        {"cadence": "daily at 08:00"},
        {"slot_at": NOW + timedelta(days=1)},
        {"more": 1},
        {"layout": "list"},
        {"styles": {"Wind": {"layout": "list"}}},
        {"styles": {"Wind": {"summary_length": 80}}},
        {"look": "v2:300"},
        {"items": ITEMS[:1]},
        {"items": ITEMS[::-1]},
        {"items": [(1, 2, 10, "Wind", ("Sea",)), ITEMS[1]]},
        {"items": [(1, 1, 10, "My wind", ("Sea",)), ITEMS[1]]},
        {"items": [(1, 1, 10, "Wind", ()), ITEMS[1]]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_shows_makes_another_digest(changes: dict[str, Any]) -> None:
    assert identity(**changes)["key"] != identity()["key"]


def test_what_does_not_show_makes_none() -> None:
    later = NOW + timedelta(minutes=3)
    assert identity(now=later)["key"] == identity()["key"]
    assert identity(slot_at=later)["key"] == identity()["key"], "of the slot a reader sees the day"


def test_the_day_that_shows_is_the_readers() -> None:
    midnight = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    east = [identity(zone="Asia/Tokyo", slot_at=at)["key"] for at in (midnight, midnight + timedelta(hours=1))]
    west = [identity(zone="UTC", slot_at=at)["key"] for at in (midnight, midnight + timedelta(hours=1))]
    assert east[0] == east[1]
    assert west[0] != west[1]


def test_labels_of_every_script_and_odd_characters_make_a_key() -> None:
    keys = {identity(items=[(1, 1, 1, label, ())])["key"] for label in ("風", "рыба", "a|b", 'a","b', "", "\u2028")}
    assert len(keys) == 6


def test_what_is_stored_comes_back_from_json_as_it_was() -> None:
    row = identity()
    assert json.loads(json.dumps(row["items"])) == row["items"] == [[1, 1, 10, "Wind", ["Sea"]], [2, 3, 20, "Wind", []]]


def test_templates_see_sections_in_order_with_what_the_article_says_now() -> None:
    items: list[compose.Item] = [(1, 1, 1, "Wind", ("Sea",)), (2, 1, 2, "Wind", ()), (3, 1, 3, "Sea", ())]
    known = [article(NOW, id=n, title=f"Story {n}", tags=["t"], authors=["Ada"]) for n in (1, 2, 3)]
    seen = content(items, *known, more=4)
    assert [(s.label, [story.title for story in s.stories]) for s in seen.sections] == [
        ("Wind", ["Story 1", "Story 2"]),
        ("Sea", ["Story 3"]),
    ]
    first = seen.stories[0]
    assert (first.source, first.also_in, first.tags, first.authors) == ("Gazette", ("Sea",), ("t",), ("Ada",))
    assert (seen.more, seen.locale, seen.timezone, seen.slot_at) == (4, "en", "Europe/London", NOW)


def test_templates_see_the_layout_and_the_digests_of_before_there_was_one_are_cards() -> None:
    assert content(ITEMS, layout="headlines").layout == "headlines"
    assert content(ITEMS, layout="").layout == "cards"


def test_a_section_is_told_otherwise_than_the_rest() -> None:
    items: list[compose.Item] = [(1, 1, 1, "Wind", ()), (2, 1, 2, "Sea", ())]
    known = [article(NOW, id=n, summary="Wind and rain over the strait") for n in (1, 2)]
    seen = content(items, *known, styles={"Sea": {"layout": "list", "summary_length": 8}})
    assert [(s.layout, s.stories[0].summary) for s in seen.sections] == [
        ("", "Wind and rain over the strait"), ("list", "Wind and…"),
    ]  # fmt: skip


def test_an_article_that_is_gone_is_left_out_and_an_empty_section_with_it() -> None:
    items: list[compose.Item] = [(1, 1, 1, "Wind", ()), (2, 1, 2, "Sea", ())]
    seen = content(items, article(NOW, id=2))
    assert [s.label for s in seen.sections] == ["Sea"]
    assert content(items).sections == ()


@pytest.mark.parametrize(
    ("summary", "length", "shown"),
    [
        ("A short one.", 300, "A short one."),
        ("", 300, ""),
        ("exactly ten", 11, "exactly ten"),
        ("The wind rises, and falls", 16, "The wind rises…"),
        ("Donaudampfschifffahrt", 5, "Donau…"),
        ("風" * 50, 10, "風" * 10 + "…"),
        ("Anything at all", 0, ""),
    ],
)
def test_a_summary_is_cut_at_a_word(summary: str, length: int, shown: str) -> None:
    items: list[compose.Item] = [(1, 1, 1, "Wind", ())]
    assert content(items, article(NOW, id=1, summary=summary), length=length).stories[0].summary == shown


def test_an_article_without_a_link_is_shown_whole() -> None:
    items: list[compose.Item] = [(1, 1, 1, "Wind", ())]
    note = article(NOW, id=1, url="", summary="Start.", body_text="Start. " + "More. " * 200)
    assert content(items, note).stories[0].summary == note.body_text
