"""Stems by Snowball: the part of a word that its inflections share."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

_ALGORITHMS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "st": "sesotho", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_LONGEST = 100  # characters; what is longer is no word of any language


@cache
def algorithm(language: str) -> str:
    """The stemmer for a primary subtag; '' if there is none, and then words compare folded."""
    name = _ALGORITHMS.get(language, "")
    return name if name and _stemmer(name) else ""


def stem(word: str, by: str) -> str:
    """The stem of a folded word by the named algorithm; the word itself where `by` is ''.

    Taken from the folded word, so that `élections` and `elections` share a stem as they share a folded form.
    """
    return _remembered(word, by) if by and len(word) <= _LONGEST else word


@lru_cache(maxsize=262144)
def _remembered(word: str, by: str) -> str:
    return str(_stemmer(by).stemWord(word))


@cache
def _stemmer(name: str) -> Any:
    """A Snowball stemmer, or None where the installed PyStemmer is too old to know it."""
    import Stemmer  # here, so that commands that stem nothing do not load it

    try:
        return Stemmer.Stemmer(name, 0)
    except KeyError:
        return None
