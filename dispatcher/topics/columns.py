"""Columns: arrays that grow, and the few moves with them that the index is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.uint8]
NO_INTS: Ints = np.empty(0, np.int32)


class Column:
    """A growing array. `data` is longer than what has been reached or appended; beyond that it holds `fill`."""

    __slots__ = ("count", "data", "fill")

    def __init__(self, dtype: Any, fill: float = 0, values: NDArray[Any] | None = None) -> None:
        start = np.empty(0, dtype) if values is None else values.astype(dtype)
        self.fill = fill
        self.count = 0
        self.data: NDArray[Any] = np.full(max(1024, len(start)), fill, dtype)
        self.extend(start)

    @property
    def values(self) -> NDArray[Any]:
        """What has been reached or appended: a view, until the column grows."""
        return self.data[: self.count]

    def reach(self, count: int) -> None:
        """Have at least `count` values."""
        if count > len(self.data):
            grown = np.full(max(count, 2 * len(self.data)), self.fill, self.data.dtype)
            grown[: self.count] = self.values
            self.data = grown
        self.count = max(self.count, count)

    def append(self, value: float) -> int:
        """Add one value; returns its place."""
        at = self.count
        if at < len(self.data):
            self.count = at + 1
        else:
            self.reach(at + 1)
        self.data[at] = value
        return at

    def extend(self, values: Sequence[int] | NDArray[Any]) -> None:
        """Add many values."""
        at = self.count
        self.reach(at + len(values))
        self.data[at : self.count] = values

    def shrink(self, count: int) -> None:
        """Forget what is behind the first `count` values."""
        self.values[count:] = self.fill
        self.count = min(self.count, count)


class Slices(NamedTuple):
    """Many slices of one array laid behind each other: for each element its place there, and the slice it is from."""

    element: Ints
    owner: Ints


def slices(starts: Ints, lengths: Ints) -> Slices:
    """The elements of the slices that start and are as long as given."""
    owner = np.arange(len(starts), dtype=np.int32).repeat(lengths)
    behind = lengths.cumsum(dtype=np.int32)
    element = np.arange(len(owner), dtype=np.int32)
    element += (starts - behind + lengths)[owner]
    return Slices(element, owner)


def bounds(lengths: NDArray[Any]) -> Ints:
    """Where runs of these lengths start when laid behind each other, and, last, where they end."""
    ends = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=ends[1:])
    return ends


def run_starts(values: NDArray[Any]) -> NDArray[np.intp]:
    """Where each run of equal values starts in a sorted array that is not empty."""
    changes = np.empty(len(values), np.bool_)
    changes[0] = True
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes.nonzero()[0]
