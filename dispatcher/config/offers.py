"""Offers: which newsletter has what for its readers, and that no two have the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dispatcher.config.draft import Draft
from dispatcher.config.nearest import did_you_mean
from dispatcher.config.newsletters import DEFAULT


def slugs(draft: Draft) -> Iterator[str]:
    """What readers can follow beside topics: newsletters without any."""
    for _, entry in draft.entries("newsletters"):
        if isinstance(entry.get("slug"), str) and not entry.get("topics"):
            yield entry["slug"]


def check(draft: Draft) -> None:
    """Note in the draft what is wrong with newsletters beside one another."""
    topics = {entry["slug"]: number for number, entry in draft.entries("topics") if isinstance(entry.get("slug"), str)}
    claimed: dict[str, tuple[int, int]] = {}
    for number, entry in draft.entries("newsletters"):
        slug, wanted = entry.get("slug"), entry.get("topics")
        if slug == DEFAULT:
            sentence = f'"{slug}" is the newsletter that [site] and [mail] make; give this one another slug'
            draft.complain(("newsletters", number, "slug"), sentence)
        elif isinstance(slug, str) and slug in topics and not wanted:
            place = draft.place(("topics", topics[slug], "slug"))
            sentence = f'"{slug}" is {place.key} in {place.file}; a newsletter without topics needs a slug of its own'
            draft.complain(("newsletters", number, "slug"), sentence)
        for position, topic in enumerate(wanted if isinstance(wanted, list) else []):
            if isinstance(topic, str):
                _check_topic(draft, (number, position), topic, topics, claimed)


def _check_topic(
    draft: Draft, at: tuple[int, int], topic: str, topics: Collection[str], claimed: dict[str, tuple[int, int]]
) -> None:
    """That what a newsletter has on offer is a topic, and nobody else's."""
    keys = ("newsletters", at[0], "topics", at[1])
    owner = claimed.setdefault(topic, at)
    if owner == at:
        if topic not in topics and draft.is_whole:
            known = "expected the slug of one of [[topics]]" if topics else "there are no [[topics]] yet"
            draft.complain(keys, f'"{topic}" is not a topic{did_you_mean(topic, topics, known)}')
    elif owner[0] == at[0]:
        draft.complain(keys, f'"{topic}" stands here twice; keep one of the two')
    else:
        place = draft.place(("newsletters", owner[0]))
        draft.complain(
            keys,
            f'"{topic}" belongs to {place.key} already, and a topic has one newsletter; make a second one with the '
            "same query under another slug",
        )
