"""The guid of an item: what a source calls it, or the best stand-in, always fit to be stored and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from dispatcher.model.raw import RawArticle

MAX_LENGTH = 500  # PostgreSQL refuses index entries beyond about 2,700 bytes


def choose(identifier: str, link: str, *texts: str) -> str:
    """The identifier, else the link, else a hash of the texts; too long a one is hashed."""
    given = _storable(identifier) or _storable(link)
    if not given:
        return _hashed("\n".join(texts))
    return given if len(given) <= MAX_LENGTH else _hashed(given)


def tell_apart(items: Sequence[RawArticle]) -> tuple[RawArticle, ...]:
    """The items without repetitions; where a feed gives one guid to items with different links, the link decides."""
    links: dict[str, set[str]] = {}
    for item in items:
        links.setdefault(item.guid, set()).add(item.url)
    first: dict[str, RawArticle] = {}
    for item in items:
        told = replace(item, guid=choose("", item.url, item.title)) if len(links[item.guid]) > 1 else item
        first.setdefault(told.guid, told)
    return tuple(first.values())


def _hashed(text: str) -> str:
    return "sha256:" + sha256(text.encode("utf-8", "replace")).hexdigest()


def _storable(text: str) -> str:
    """Without NUL and lone surrogates, which databases refuse, and without the white space feeds wrap around ids."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()
