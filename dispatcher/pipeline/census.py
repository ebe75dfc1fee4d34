"""Census: what the publisher's topics find, and which of them are not worth having as they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.store import Store, turnout
from dispatcher.store.turnout import Entry
from dispatcher.topics.likeness import Alike, alike

WEEKS = 4
GREEDY = 0.5  # of all articles; what matches more sorts nothing out
_ENOUGH = 20  # articles; of fewer a share says nothing


@dataclass(frozen=True, slots=True)
class Turnout:
    """What one topic finds: `weeks` are its matches week by week, this one first; `share` is of all articles."""

    slug: str
    name: str
    is_paused: bool
    weeks: tuple[int, ...]
    matches: int
    share: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two topics, and the part of all that they found that both found."""

    first: str
    second: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Census:
    """The topics over the articles since an instant. `silent` never matched anything that is kept, `greedy` match
    nearly everything; each group of `same` asks the same query; `alike` are different queries that find the same."""

    articles: int
    since: datetime | None
    topics: Sequence[Turnout]
    silent: Sequence[str]
    greedy: Sequence[str]
    same: Sequence[Sequence[str]]
    alike: Sequence[Likeness]


async def census(store: Store, now: datetime) -> Census:
    """Count what the last four weeks brought, in the latest 5,000 articles at most."""
    oldest = now - timedelta(weeks=WEEKS)
    async with store.read() as tx:
        entries = await turnout.entries(tx)
        seen = await turnout.latest(tx, oldest)
        found = await turnout.found(tx, oldest)
    return await asyncio.to_thread(_census, entries, seen, found, now)


def _census(
    entries: Sequence[Entry], seen: Mapping[int, datetime], found: Mapping[int, frozenset[int]], now: datetime
) -> Census:
    week_of = {article_id: (now - seen_at) // timedelta(weeks=1) for article_id, seen_at in seen.items()}
    topics = [_turnout(entry, found.get(entry.query_id, frozenset()), week_of) for entry in entries]
    return Census(
        len(seen),
        min(seen.values(), default=None),
        topics,
        silent=[entry.slug for entry in entries if not entry.has_matches],
        greedy=[topic.slug for topic in topics if len(seen) >= _ENOUGH and topic.share >= GREEDY],
        same=[slugs for slugs in _by_query(entries).values() if len(slugs) > 1],
        alike=_alike(alike(found), _by_query(entries)),
    )


def _turnout(entry: Entry, found: Collection[int], week_of: Mapping[int, int]) -> Turnout:
    weeks = Counter(week_of[article_id] for article_id in found)
    share = round(len(found) / len(week_of), 4) if week_of else 0.0
    by_week = tuple(weeks[back] for back in range(WEEKS))
    return Turnout(entry.slug, entry.name, entry.is_paused, by_week, len(found), share)


def _by_query(entries: Sequence[Entry]) -> dict[int, list[str]]:
    slugs: dict[int, list[str]] = {}
    for entry in entries:
        slugs.setdefault(entry.query_id, []).append(entry.slug)
    return slugs


def _alike(pairs: Sequence[Alike], slugs: Mapping[int, Sequence[str]]) -> list[Likeness]:
    """The pairs by the slugs of their topics; a topic that was removed meanwhile is in none."""
    return [
        Likeness(slugs[pair.first][0], slugs[pair.second][0], round(pair.likeness, 3))
        for pair in pairs
        if pair.first in slugs and pair.second in slugs
    ]
