"""The theme: what is derived from what was chosen, and whether its words can be read."""

from __future__ import annotations

import random

import pytest

from dispatcher.model.colours import contrast, legible, luminance, readable_on
from dispatcher.model.theme import AA, OURS, Theme, faint, flaw

BRANDS = ("#0b57d0", "#006b3f", "#7a1fa2", "#ffd400", "#f00", "#123", "#000000", "#ffffff", "#808080")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
        ("#1a73e8", "#ffffff", 4.51),
        ("#abcdef", "#abcdef", 1.0),
    ],
)
def test_contrast_is_that_of_wcag_whichever_comes_first(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.01)


def test_green_is_brighter_than_red_and_red_than_blue() -> None:
    assert luminance("#00ff00") > luminance("#ff0000") > luminance("#0000ff")
    assert [luminance("#000000"), luminance("#ffffff")] == [0, pytest.approx(1)]


def test_every_colour_has_a_readable_one_and_words_for_a_button() -> None:
    chance = random.Random(7)
    for _ in range(100):
        colour, behind = (f"#{chance.randrange(1 << 24):06x}" for _ in range(2))
        assert contrast(readable_on(behind), behind) >= AA
        assert contrast(legible(colour, behind, AA), behind) >= AA
    assert legible("#1c1a17", "#ffffff", AA) == "#1c1a17", "what can be read stays as it is"


def test_our_own_theme_can_be_read_in_light_and_dark() -> None:
    assert faint(OURS) == []
    for words, behind in (("soft", "sheet"), ("ink", "blank"), ("on_accent", "accent"), ("muted", "paper")):
        for dark in ("", "dark_"):
            assert contrast(getattr(OURS, dark + words), getattr(OURS, dark + behind)) >= AA, (dark, words)


@pytest.mark.parametrize("accent", BRANDS)
def test_an_accent_alone_makes_a_dark_mode_that_can_be_read(accent: str) -> None:
    theme = Theme.of({"accent": accent})
    assert [one for one in faint(theme) if one.words.startswith("dark_")] == []
    assert contrast(theme.on_accent, theme.accent) >= AA
    assert contrast(theme.dark_on_accent, theme.dark_accent) >= AA


def test_twins_are_dark_where_their_colours_are_light_and_keep_their_hue() -> None:
    theme = Theme.of({"paper": "#e8eef7", "ink": "#10233f", "muted": "#4a5b73", "rule": "#d3deec"})
    assert max(map(luminance, (theme.dark_paper, theme.dark_sheet))) < 0.03 < 0.5 < luminance(theme.dark_ink)
    for colour in (theme.dark_paper, theme.dark_sheet, theme.dark_ink, theme.dark_rule):
        assert colour[5:] > colour[1:3], "still bluish"
    assert faint(theme) == []


def test_a_chosen_twin_goes_before_a_derived_one_and_the_accent_is_readable_on_it() -> None:
    theme = Theme.of({"accent": "#0b57d0", "dark_sheet": "#3a3a6a"})
    assert theme.dark_sheet == "#3a3a6a"
    assert contrast(theme.dark_accent, theme.dark_sheet) >= AA


def test_what_is_faint_is_named_with_a_colour_that_would_do() -> None:
    found = faint(Theme.of({"muted": "#888", "accent": "#ffd400"}))
    assert [one.words for one in found] == ["muted", "accent"]
    assert str(found[0]).startswith("muted on paper has a contrast of 3.14:1, and text needs 4.5:1 (WCAG AA)")
    mended = Theme.of({one.words: one.enough for one in found})
    assert faint(mended) == []


def test_a_stored_theme_is_the_same_again_and_nothing_chosen_is_ours() -> None:
    assert Theme.of({}) == OURS
    theme = Theme.of({"accent": "#0B57D0", "heading_font": '"Segoe UI",  Arial', "images": "none", "logo_width": 120})
    assert Theme.of(theme.stored) == theme
    assert (theme.accent, theme.heading_font) == ("#0b57d0", "'Segoe UI', Arial")
    assert not theme.has_pictures


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accent", "red"), ("accent", "#12345"), ("ink", 7), ("paper", "#fff;x:y"), ("logo", "javascript:alert(1)"),
        ("logo", 'https://x.example/"onload="x'), ("logo_width", 5), ("logo_width", True), ("images", "all"),
        ("body_font", "Arial; color: red"), ("body_font", "url(x)"), ("heading_font", "Times' New"),
        ("logo_alt", "a\nb"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_and_passed_over(name: str, value: object) -> None:
    assert flaw(name, value)
    assert Theme.of({name: value, "unknown": 1}) == OURS


@pytest.mark.parametrize(
    "value", ["Georgia, serif", "-apple-system, 'Segoe UI', Arial", '"Times New Roman"', "Inter,Arial"]
)
def test_fonts_are_names_with_commas_between(value: str) -> None:
    assert not flaw("body_font", value)
