"""Sheaves: choices bound together in flat arrays, which is how they are collected, kept, merged and stored."""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np

from dispatcher.topics.clauses import Choice
from dispatcher.topics.columns import NO_INTS, Flags, Ints, bounds, slices


class Sheaf(NamedTuple):
    """Choices. Choice i belongs to the query in slot slots[i] and has the next conjunctions[i] conjunctions and
    scored[i] scored features; conjunction j the next wanted[j] wanted and unwanted[j] unwanted ones."""

    slots: Ints
    conjunctions: Ints
    scored: Ints
    wanted: Ints
    unwanted: Ints
    scored_features: Ints
    wanted_features: Ints
    unwanted_features: Ints


EMPTY = Sheaf(*[NO_INTS] * 8)


class Rows(NamedTuple):
    """The arrays of a sheaf while they grow."""

    slots: array[int]
    conjunctions: array[int]
    scored: array[int]
    wanted: array[int]
    unwanted: array[int]
    scored_features: array[int]
    wanted_features: array[int]
    unwanted_features: array[int]


class Gathering:
    """A sheaf that is being collected."""

    def __init__(self) -> None:
        self.rows = Rows(*(array("i") for _ in Rows._fields))

    def __len__(self) -> int:
        return len(self.rows.slots)

    def add(self, slot: int, choice: Choice) -> None:
        """Add a choice of the query in this slot."""
        rows = self.rows
        rows.slots.append(slot)
        rows.conjunctions.append(len(choice.conjunctions))
        rows.scored.append(len(choice.scored))
        rows.scored_features.extend(choice.scored)
        for conjunction in choice.conjunctions:
            rows.wanted.append(len(conjunction.wanted))
            rows.unwanted.append(len(conjunction.unwanted))
            rows.wanted_features.extend(conjunction.wanted)
            rows.unwanted_features.extend(conjunction.unwanted)

    def bound(self) -> Sheaf:
        """What has been collected so far."""
        return Sheaf(*(np.array(row, np.int32) for row in self.rows))


def joined(one: Sheaf, other: Sheaf) -> Sheaf:
    """The choices of both."""
    return Sheaf(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))


def living(sheaf: Sheaf, is_dead: Flags) -> Sheaf:
    """The choices of the slots that are not dead."""
    keep = is_dead[sheaf.slots] == 0
    if keep.all():
        return sheaf
    of_conjunctions = np.repeat(keep, sheaf.conjunctions)
    return Sheaf(
        sheaf.slots[keep],
        sheaf.conjunctions[keep],
        sheaf.scored[keep],
        sheaf.wanted[of_conjunctions],
        sheaf.unwanted[of_conjunctions],
        sheaf.scored_features[np.repeat(keep, sheaf.scored)],
        sheaf.wanted_features[np.repeat(of_conjunctions, sheaf.wanted)],
        sheaf.unwanted_features[np.repeat(of_conjunctions, sheaf.unwanted)],
    )


def reordered(features: Ints, lengths: Ints, order: Ints) -> tuple[Ints, Ints]:
    """Lists of features, given end to end with their lengths, in another order."""
    taken = slices(bounds(lengths)[:-1][order], lengths[order])
    return features[taken.element], lengths[order]
