"""Postings: a sheaf made ready to be asked. Every conjunction is listed under the rarest feature it wants, its anchor.

An article has a few hundred features of a million; only what is listed under those is looked at, and most of that is
ruled out by the next rarest. All of it is a handful of operations on arrays, whatever the number of queries.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dispatcher.topics.columns import Column, Floats, Ints, bounds, run_starts, slices
from dispatcher.topics.features import ALWAYS, NEVER
from dispatcher.topics.sheaf import EMPTY, Sheaf, reordered

_ROWS = 3  # wanted features beside the anchor that are checked for all candidates at once


class Presence:
    """The features of the article that is being matched: which are there, and what each is worth."""

    def __init__(self) -> None:
        self.flags = Column(np.bool_)
        self.worth = Column(np.float64)

    def show(self, features: Ints, worth: Floats, space: int) -> None:
        """Have these features there; all are below `space`."""
        self.flags.reach(space)
        self.worth.reach(space)
        self.flags.data[features] = True
        self.worth.data[features] = worth

    def clear(self, features: Ints) -> None:
        """Have them there no more."""
        self.flags.data[features] = False
        self.worth.data[features] = 0.0


class Scores(NamedTuple):
    """Slots, and what the part of a query that matched is worth. A slot may come more than once."""

    slots: Ints
    worth: Floats


class Postings(NamedTuple):
    """Conjunctions in the order of their anchors: those of a feature start at starts[feature]."""

    sheaf: Sheaf
    starts: Ints
    rows: tuple[Ints, ...]  # the k-th rarest wanted feature beside the anchor, ALWAYS where there is none
    unwanted: Ints  # the first unwanted feature, NEVER where there is none
    is_long: np.typing.NDArray[np.bool_]  # whether a conjunction has more than fits in the rows
    choices: Ints
    wanted_starts: Ints  # in the sheaf, of each conjunction
    unwanted_starts: Ints
    origin: Ints  # which conjunction of the sheaf each is
    scored_starts: Ints  # of each choice


def post(sheaf: Sheaf, frequency: Floats) -> Postings:
    """Make a sheaf ready. `frequency` says how often each feature is found in an article."""
    wanted_starts, unwanted_starts = bounds(sheaf.wanted), bounds(sheaf.unwanted)
    owner = np.repeat(np.arange(len(sheaf.wanted), dtype=np.int32), sheaf.wanted)
    by_rarity = np.lexsort((frequency[sheaf.wanted_features].astype(np.float32), owner))
    features = sheaf.wanted_features[by_rarity]
    anchors = features[wanted_starts[:-1]]
    second = features[wanted_starts[:-1] + np.minimum(sheaf.wanted, 2) - 1] if len(anchors) else anchors
    origin = np.lexsort((second, anchors)).astype(np.int32)
    features, wanted = reordered(features, sheaf.wanted, origin)
    firsts, unwanted = bounds(wanted)[:-1], sheaf.unwanted[origin]
    rows = []
    for row in range(1, _ROWS + 1):
        values = np.full(len(origin), ALWAYS, np.int32)
        has = wanted > row
        values[has] = features[firsts[has] + row]
        rows.append(values)
    first_unwanted = np.full(len(origin), NEVER, np.int32)
    first_unwanted[unwanted > 0] = sheaf.unwanted_features[unwanted_starts[:-1][origin[unwanted > 0]]]
    choices = np.repeat(np.arange(len(sheaf.slots), dtype=np.int32), sheaf.conjunctions)
    return Postings(
        sheaf=sheaf,
        starts=bounds(np.bincount(anchors, minlength=len(frequency))),
        rows=tuple(rows),
        unwanted=first_unwanted,
        is_long=(wanted > _ROWS + 1) | (unwanted > 1),
        choices=choices[origin],
        wanted_starts=wanted_starts,
        unwanted_starts=unwanted_starts,
        origin=origin,
        scored_starts=bounds(sheaf.scored),
    )


NONE = post(EMPTY, np.array([1.0, 0.0]))


def candidates(postings: Postings, features: Ints) -> Ints:
    """The conjunctions under the anchors that are there. `features` are sorted."""
    known = features[: int(features.searchsorted(len(postings.starts) - 1))]
    starts = postings.starts[known]
    return slices(starts, postings.starts[known + 1] - starts).element


def ask(postings: Postings, features: Ints, presence: Presence) -> Scores:
    """What matches an article with these features, which `presence` shows."""
    is_there = presence.flags.data
    left = candidates(postings, features)
    for row in postings.rows:
        left = left[is_there[row[left]]]
    left = left[~is_there[postings.unwanted[left]]]
    is_long = postings.is_long[left]
    if is_long.any():
        is_right = ~is_long
        is_right[is_long] = [_holds(postings, int(one), presence) for one in left[is_long]]
        left = left[is_right]
    if not len(left):
        return Scores(left, np.empty(0))
    choices = np.sort(postings.choices[left])
    choices = choices[run_starts(choices)]
    return _scores(postings, choices, presence)


def _scores(postings: Postings, choices: Ints, presence: Presence) -> Scores:
    lengths = postings.sheaf.scored[choices]
    scored = postings.sheaf.scored_features[slices(postings.scored_starts[choices], lengths).element]
    return Scores(
        postings.sheaf.slots[choices], np.add.reduceat(presence.worth.data[scored], bounds(lengths)[:-1])
    )  # fmt: skip


def _holds(postings: Postings, conjunction: int, presence: Presence) -> bool:
    """A conjunction checked to its end."""
    one, sheaf = int(postings.origin[conjunction]), postings.sheaf
    wanted = sheaf.wanted_features[postings.wanted_starts[one] : postings.wanted_starts[one + 1]]
    unwanted = sheaf.unwanted_features[postings.unwanted_starts[one] : postings.unwanted_starts[one + 1]]
    is_there = presence.flags.data
    return bool(is_there[wanted].all() and not is_there[unwanted].any())
