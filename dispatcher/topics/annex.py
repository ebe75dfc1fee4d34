"""What stands beside the postings: queries added since they were made, and programs. Asked one candidate at a time."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Generic, TypeVar

import numpy as np

from dispatcher.topics.clauses import Any, Conjunction, Every, Step, Without, anchors
from dispatcher.topics.columns import Column, Ints
from dispatcher.topics.postings import Presence, Scores
from dispatcher.topics.sheaf import Gathering

Frequency = Callable[[int], float]
Entry = TypeVar("Entry")


class Listing(Generic[Entry]):
    """Entries under the features that make them worth a look."""

    def __init__(self) -> None:
        self._by_anchor: dict[int, list[Entry]] = {}
        self._is_anchor = Column(np.bool_)

    def add(self, anchor: int, entry: Entry) -> None:
        """List an entry under a feature."""
        self._by_anchor.setdefault(anchor, []).append(entry)
        self._is_anchor.reach(anchor + 1)
        self._is_anchor.data[anchor] = True

    def under(self, features: Ints, space: int) -> Iterator[Entry]:
        """All entries under these features, which are all below `space`."""
        if self._by_anchor:
            self._is_anchor.reach(space)
            for anchor in features[self._is_anchor.data[features]].tolist():
                yield from self._by_anchor[anchor]


class Annex:
    """Choices that are not yet in the postings. They are listed when the next article comes, so that a great number
    may be collected and go into the postings without ever having been listed."""

    def __init__(self) -> None:
        self.gathering = Gathering()
        self._listing: Listing[tuple[int, Conjunction]] = Listing()
        self._slots: list[int] = []
        self._scored: list[tuple[int, ...]] = []
        self._conjunctions = self._wanted = self._unwanted = self._features = 0

    def __len__(self) -> int:
        return len(self.gathering)

    @property
    def unlisted(self) -> int:
        """How many choices the next article would have to wait for."""
        return len(self.gathering) - len(self._slots)

    def ask(self, features: Ints, presence: Presence, frequency: Frequency) -> Scores:
        """What matches an article with these features, which `presence` shows."""
        if not len(self.gathering):
            return _NOTHING
        self._list(frequency)
        is_there, space = presence.flags.data, presence.flags.count
        found = {
            choice
            for choice, (wanted, unwanted) in self._listing.under(features, space)
            if all(is_there[one] for one in wanted) and not any(is_there[one] for one in unwanted)
        }
        worth = presence.worth.data
        return _scores([(self._slots[one], float(worth[list(self._scored[one])].sum())) for one in found])

    def _list(self, frequency: Frequency) -> None:
        """List what has been added since the last article."""
        rows = self.gathering.rows
        for choice in range(len(self._slots), len(rows.slots)):
            for conjunction in range(self._conjunctions, self._conjunctions + rows.conjunctions[choice]):
                wanted_end = self._wanted + rows.wanted[conjunction]
                unwanted_end = self._unwanted + rows.unwanted[conjunction]
                listed = Conjunction(
                    tuple(rows.wanted_features[self._wanted : wanted_end]),
                    tuple(rows.unwanted_features[self._unwanted : unwanted_end]),
                )
                self._listing.add(min(listed.wanted, key=frequency), (choice, listed))
                self._wanted, self._unwanted = wanted_end, unwanted_end
            self._conjunctions += rows.conjunctions[choice]
            scored_end = self._features + rows.scored[choice]
            self._scored.append(tuple(rows.scored_features[self._features : scored_end]))
            self._features = scored_end
            self._slots.append(rows.slots[choice])


class Programs:
    """Parts of queries that are evaluated as trees."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, Step]] = []
        self._listing: Listing[int] = Listing()

    def add(self, slot: int, step: Step, frequency: Frequency) -> None:
        """Add a program of the query in this slot."""
        for anchor in anchors(step, frequency):
            self._listing.add(anchor, len(self.steps))
        self.steps.append((slot, step))

    def without(self, slots: Container[int], frequency: Frequency) -> Programs:
        """All programs but those of these slots, under what is rarest by now."""
        others = Programs()
        for slot, step in self.steps:
            if slot not in slots:
                others.add(slot, step, frequency)
        return others

    def ask(self, features: Ints, presence: Presence) -> Scores:
        """What matches an article with these features, which `presence` shows."""
        if not self.steps:
            return _NOTHING
        numbers = set(self._listing.under(features, presence.flags.count))
        run = ((self.steps[number][0], value(self.steps[number][1], presence)) for number in numbers)
        return _scores([(slot, score) for slot, score in run if score is not None])


def value(step: Step, presence: Presence) -> float | None:
    """What a program scores, or None if it does not hold. As `Plan.score` does it, with features for leaves."""
    match step:
        case int(feature):
            return float(presence.worth.data[feature]) if presence.flags.data[feature] else None
        case Without(feature):
            return None if presence.flags.data[feature] else 0.0
        case Every(children):
            total = 0.0
            for child in children:
                found = value(child, presence)
                if found is None:
                    return None
                total += found
            return total
        case Any(children):
            scores = [found for child in children if (found := value(child, presence)) is not None]
            return sum(scores) if scores else None


def _scores(found: list[tuple[int, float]]) -> Scores:
    return Scores(np.array([slot for slot, _ in found], np.int32), np.array([score for _, score in found]))


_NOTHING = _scores([])
