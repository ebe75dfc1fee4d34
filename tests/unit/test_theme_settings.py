"""`[theme]`: what is stored of it, and what is warned of."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dispatcher.config import Settings, look
from dispatcher.config.look import ThemeSettings
from dispatcher.model.theme import OURS, Theme
from dispatcher.pipeline.context import default_newsletter


def test_the_defaults_written_out_are_our_theme() -> None:
    everything = ThemeSettings().model_dump()
    assert look.stored(ThemeSettings(**everything)) == {}
    assert Theme.of(look.stored(ThemeSettings())) == OURS


def test_only_what_was_chosen_is_stored_with_the_newsletter() -> None:
    settings = Settings(theme=ThemeSettings(accent="#0B57D0", logo="https://news.example/logo.png"))
    assert default_newsletter(settings).theme == {"accent": "#0b57d0", "logo": "https://news.example/logo.png"}


def test_a_newsletters_own_theme_goes_before_the_sites_even_where_it_says_the_default() -> None:
    site, own = (
        ThemeSettings(accent="#0b57d0", logo="https://a.example/1.png"),
        ThemeSettings(accent=OURS.accent, logo=""),
    )
    assert look.stored(site, own) == {}
    assert look.stored(site, ThemeSettings(ink="#000")) == {**look.stored(site), "ink": "#000000"}


@pytest.mark.parametrize(
    "wrong", [{"accent": "red"}, {"accent": ""}, {"body_font": ""}, {"logo": "logo.png"}, {"dark_ink": "x"}]
)
def test_what_is_no_colour_no_font_and_no_address_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"is (not|no)"):
        ThemeSettings(**wrong)  # type: ignore[arg-type]


def test_faint_words_are_warned_of_once_and_by_name() -> None:
    assert look.warnings(ThemeSettings(), [ThemeSettings()]) == []
    (warning,) = look.warnings(ThemeSettings(accent="#ffd400"), [ThemeSettings(paper="#ffffff")])
    assert warning.startswith("theme: accent on sheet has a contrast of 1.43:1")
    assert 'accent = "#8a7200" would do' in warning


def test_a_newsletters_own_faint_words_are_named_as_its_own() -> None:
    (warning,) = look.warnings(ThemeSettings(), [ThemeSettings(), ThemeSettings(muted="#aaa")])
    assert warning.startswith("newsletters[1].theme: muted on paper")
