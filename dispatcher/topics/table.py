"""The table from signs to features: what it means to a query that a sign stands in an article."""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatcher.topics.columns import NO_INTS, Column, Ints, bounds, slices

Keys = NDArray[np.int64]

_MEANING = 20  # bits of an entry that say how it is meant
WATCH = 1 << 16  # in `meaning`: the feature is not found yet, but worth a closer look


class Entries(NamedTuple):
    """Entries, each feature × 2²⁰ + meaning, sorted by sign: those of a sign start at starts[sign]."""

    entries: Keys
    starts: Ints


class Seen(NamedTuple):
    """The entries of many signs, and the place of each one's sign among those asked for."""

    entries: Keys
    places: Ints


def meaning(fields: int, *, not_in: int = 0, is_watch: bool = False) -> int:
    """How an entry is meant: in these fields (a bit for each), not in articles stemmed by the algorithm of this
    number (0: in all), and whether it is only a reason to look closer."""
    return fields | not_in << 8 | (WATCH if is_watch else 0)


def feature_of(entries: Keys) -> Keys:
    """The features of entries."""
    return entries >> _MEANING


class Table:
    """Entries by sign. They are sorted from time to time (`settle`); those that are fresh when somebody looks are
    listed in a dict."""

    def __init__(self) -> None:
        self.signs, self.entries = array("i"), array("q")
        self._settled = sort_entries(NO_INTS, np.empty(0, np.int64))
        self._fresh: dict[int, list[int]] = {}
        self._is_fresh = Column(np.bool_)
        self._listed = 0

    def __len__(self) -> int:
        return len(self.signs)

    @property
    def fresh(self) -> int:
        """How many entries are not yet sorted."""
        return len(self.signs) - len(self._settled.entries)

    def add(self, sign: int, feature: int, meant: int) -> None:
        """A feature that a sign is seen as."""
        self.signs.append(sign)
        self.entries.append(feature << _MEANING | meant)

    def find(self, signs: Ints, space: int) -> Seen:
        """All entries of signs, every one of which is below `space`."""
        known = self._settled.starts
        at = np.minimum(signs, len(known) - 2)  # the last sign of all has no entries
        starts = known[at]
        inside = slices(starts, known[at + 1] - starts)
        seen = Seen(self._settled.entries[inside.element], inside.owner)
        return self._with_fresh(seen, signs, space) if self.fresh else seen

    def frozen(self) -> tuple[Ints, Keys]:
        """What `sort_entries` needs, safe from changes."""
        return np.array(self.signs, np.int32), np.array(self.entries, np.int64)

    def settle(self, entries: Entries) -> None:
        """Use these sorted entries from now on; what has been added since they were frozen stays fresh."""
        self._settled, self._fresh, self._is_fresh = entries, {}, Column(np.bool_)
        self._listed = len(entries.entries)

    def drop(self, signs: Ints) -> None:
        """Forget the entries of these signs, which are about to mean something else."""
        held, entries = self.frozen()
        keep = ~np.isin(held, signs)
        self.restore(held[keep], entries[keep])

    def restore(self, signs: Ints, entries: Keys) -> None:
        """Have these entries and no others."""
        self.signs, self.entries = array("i", signs.tobytes()), array("q", entries.tobytes())
        self.settle(sort_entries(signs, entries))

    def _list(self, space: int) -> None:
        self._is_fresh.reach(space)
        for entry in range(self._listed, len(self.signs)):
            sign = self.signs[entry]
            self._fresh.setdefault(sign, []).append(entry)
            self._is_fresh.data[sign] = True
        self._listed = len(self.signs)

    def _with_fresh(self, seen: Seen, signs: Ints, space: int) -> Seen:
        self._list(space)
        places = self._is_fresh.data[signs].nonzero()[0].tolist()
        if not places:
            return seen
        found = [(self.entries[entry], place) for place in places for entry in self._fresh[int(signs[place])]]
        entries, where = zip(*found, strict=True)
        return Seen(
            np.concatenate([seen.entries, np.array(entries, np.int64)]),
            np.concatenate([seen.places, np.array(where, np.int32)]),
        )


def sort_entries(signs: Ints, entries: Keys) -> Entries:
    """The entries in the order of their signs."""
    order = np.argsort(signs, kind="stable")
    highest = int(signs[order[-1]]) if len(order) else 0
    return Entries(entries[order], bounds(np.bincount(signs, minlength=highest + 2)))
