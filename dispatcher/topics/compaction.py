"""Compaction: new queries into the postings, removed ones out of them, and everything under its rarest feature.

It takes long enough to be done in a thread, while the index goes on: a Compaction works on copies and on arrays that
nobody changes. What is added meanwhile goes to a new annex, what is removed stays marked as dead, and both stay true
when the result is put in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from dispatcher.topics.annex import Annex
from dispatcher.topics.columns import Flags, Floats, Ints
from dispatcher.topics.features import Features
from dispatcher.topics.postings import Postings, post
from dispatcher.topics.sequences import Edges, merged
from dispatcher.topics.sheaf import Sheaf, joined, living
from dispatcher.topics.table import Entries, Keys, sort_entries


class Compacted(NamedTuple):
    """What a compaction has made."""

    postings: Postings
    entries: Entries
    edges: Edges


@dataclass(slots=True)
class Compaction:
    """One compaction, to be run anywhere. `turn` says whether its result is still wanted."""

    turn: int
    annexes: Sequence[Annex]
    is_dead: Flags
    _sheaves: Sequence[Sheaf]
    _frequency: Floats
    _entries: tuple[Ints, Keys]
    _edges: tuple[Edges, dict[int, int]]
    result: Compacted | None = None

    def run(self) -> None:
        """Do the work. Touches nothing that anybody else changes."""
        sheaf = living(reduce(joined, self._sheaves), self.is_dead)
        self.result = Compacted(
            post(sheaf, self._frequency), sort_entries(*self._entries), merged(*self._edges)
        )  # fmt: skip


def prepare(turn: int, postings: Postings, annexes: Sequence[Annex], is_dead: Flags, features: Features) -> Compaction:
    """A compaction of what is there now, copied as far as it can change; `is_dead` has been copied already."""
    return Compaction(
        turn,
        annexes,
        is_dead,
        [postings.sheaf, *(annex.gathering.bound() for annex in annexes)],
        features.frequency(),
        features.table.frozen(),
        features.sequences.frozen(),
    )
