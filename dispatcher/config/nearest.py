"""The word that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, among: Iterable[str]) -> str | None:
    """The word of `among` most like `word`, upper and lower case alike; None if nothing comes near."""
    by_folded = {candidate.casefold(): candidate for candidate in among}
    found = get_close_matches(word.casefold()[:200], by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, among: Iterable[str], otherwise: str = "") -> str:
    """The end of a sentence about a wrong `word`: a suggestion, or else what is said when nothing comes near."""
    found = nearest(word, among)
    if found is not None:
        return f'; did you mean "{found}"?'
    return f"; {otherwise}" if otherwise else ""
