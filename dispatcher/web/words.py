"""The languages our pages speak, and which of them a visitor would like best."""

from __future__ import annotations

from functools import lru_cache

from babel import Locale, negotiate_locale

from dispatcher.digest import voice


@lru_cache(maxsize=1)
def languages() -> dict[str, str]:
    """Language tag → its name in itself, of every language we have words for."""
    return {tag: (Locale.parse(tag, sep="-").get_display_name() or tag).title() for tag in voice.languages()}


def best_language(accepted: str, site_language: str) -> str:
    """The best of an Accept-Language header (RFC 9110 §12.5.4) that we speak; else the site's, else English."""
    ours = site_language.partition("-")[0]
    known = list(dict.fromkeys([ours, *languages()])) if ours in languages() else list(languages())
    return negotiate_locale(_preferred(accepted), known, sep="-") or known[0]


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
