"""The languages our pages speak, and which of them a visitor would like best."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path

from babel import Locale, negotiate_locale

from dispatcher.digest.voice import Voice, catalogue, voice

WORDS = Path(__file__).parent / "words"


@lru_cache(maxsize=1)
def languages() -> dict[str, str]:
    """Language code → its name in itself, of every language we have words for."""
    codes = ["en", *sorted(path.stem for path in WORDS.glob("*.po"))]
    return {code: (Locale(code).get_display_name(code) or code).title() for code in codes}


def best_language(accepted: str, site_language: str) -> str:
    """The best of an Accept-Language header (RFC 9110 §12.5.4) that we speak; else the site's, else English."""
    ours = site_language.partition("-")[0]
    known = list(dict.fromkeys([ours, *languages()])) if ours in languages() else list(languages())
    return negotiate_locale(_preferred(accepted), known, sep="-") or known[0]


@lru_cache(maxsize=256)
def page_voice(locale: str, timezone: str) -> Voice:
    """The voice of a page: its own words, and where it has none the mails'."""
    speaker = voice(locale, timezone)
    return replace(speaker, catalogue=_words(speaker.locale.language))


@lru_cache(maxsize=64)
def _words(language: str) -> NullTranslations:
    """A copy, and only one of each language: whoever added the fallback twice would be led round in a circle."""
    words = copy(catalogue(language, WORDS))
    words.add_fallback(catalogue(language))
    return words


def _preferred(accepted: str) -> list[str]:
    weighed = []
    for part in accepted[:500].split(","):
        tag, _, rest = part.strip().partition(";")
        quality = rest.strip().removeprefix("q=")
        try:
            weighed.append((-float(quality or 1), tag))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighed, key=lambda one: one[0]) if weight < 0]
