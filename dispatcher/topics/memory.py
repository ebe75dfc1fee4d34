"""The memory of chunks: what `words_of` said of each, looked up for all chunks of an article at once.

A chunk is known by a hash of 64 bits with a factor drawn anew in every process, computed for all chunks together; of a
million chunks, two share a hash with a chance of less than one in a million. The hash is looked up in an array where
whoever comes first, which is mostly who comes often, has the place; the others are in a dict.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatcher.text.chunks import words_of
from dispatcher.text.tokens import Token
from dispatcher.topics.columns import Column, Ints, bounds, slices

Hashes = NDArray[np.uint64]
Booleans = NDArray[np.bool_]

_BITS = 20  # of the number of places
_MOST = 300_000  # chunks to remember
_LONGEST = 100  # bytes; a longer chunk is a sentence without blanks, which will not come again
_VALUE = 24  # bits of a place that say what was remembered; the others are the hash's
_LIST = 1 << _VALUE - 1  # marks a value that is the number of a list of signs
_CHECKED = (1 << 64 - _VALUE) - 1
_TO_PLACE, _TO_CHECK = np.uint64(64 - _BITS), np.uint64(_VALUE)
_ALL_VALUES = np.uint64((1 << _VALUE) - 1)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_BLANK = 32


class Words(NamedTuple):
    """The signs of words, and which of them are glued to the one before; None if none is."""

    signs: Ints
    glued: Booleans | None


class Lists:
    """Lists of signs by number, for chunks that are not exactly one word."""

    def __init__(self) -> None:
        self.starts, self.lengths, self.signs = Column(np.int32), Column(np.int32), Column(np.int32)
        self.glued = Column(np.bool_)

    def add(self, signs: Sequence[int], tokens: Sequence[Token]) -> int:
        """The number of a new list."""
        self.starts.append(self.signs.count)
        self.signs.extend(signs)
        self.glued.extend([token.glued for token in tokens])
        return self.lengths.append(len(signs))

    def cut(self, count: int) -> None:
        """Forget all but the first `count` lists."""
        if count < self.starts.count:
            words = int(self.starts.data[count])
            for column, kept in ((self.signs, words), (self.glued, words), (self.starts, count), (self.lengths, count)):
                column.shrink(kept)

    def unfold(self, values: Ints) -> Words:
        """The values with lists in place of their numbers."""
        at = (values >= _LIST).nonzero()[0]
        if not len(at):
            return Words(values, None)
        numbers = values[at] - _LIST
        lengths = self.lengths.data[numbers]
        counts = np.ones(len(values), np.int32)
        counts[at] = lengths
        inside = slices(self.starts.data[numbers], lengths).element
        where = slices(bounds(counts)[at], lengths).element
        signs = values.repeat(counts)
        signs[where] = self.signs.data[inside]
        sticking = self.glued.data[inside]
        if not sticking.any():
            return Words(signs, None)
        glued = np.zeros(len(signs), np.bool_)
        glued[where] = sticking
        return Words(signs, glued)


class Memory:
    """Chunks and the signs of their words. `sign_of` gives the sign of a word; the chunk `gap` means sign 0."""

    def __init__(self, sign_of: Callable[[str], int], gap: bytes) -> None:
        self._sign_of, self._gap = sign_of, gap
        self._factor = secrets.randbits(64) | 1
        self._powers: Hashes = np.ones(1, np.uint64)
        self._inverses: Hashes = np.ones(1, np.uint64)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._places: Hashes = np.zeros(1 << _BITS, np.uint64)
        self._displaced: dict[bytes, int] = {}
        self._lists = Lists()
        self._known = 0
        self._remember(self._gap, self._hash_of(self._gap), 0)

    def recall(self, data: bytes) -> Words:
        """The words of chunks that stand between blanks, the first behind a blank and the last before one."""
        if self._known > _MOST:
            self.clear()
        letters = np.frombuffer(data, np.uint8)
        is_letter = letters != _BLANK
        turns = (is_letter[1:] != is_letter[:-1]).nonzero()[0]
        turns += 1
        hashes = self._hashes(letters * is_letter, turns[::2])
        held = self._places[(hashes >> _TO_PLACE).view(np.int64)]
        values = (held & _ALL_VALUES).astype(np.int32)
        values -= 1
        strange = ((held ^ hashes << _TO_CHECK) >> _TO_CHECK).nonzero()[0]
        lasting = self._lists.starts.count
        if len(strange):
            lasting = self._meet(data, turns.reshape(-1, 2)[strange], hashes[strange], values, strange)
        words = self._lists.unfold(values)
        self._lists.cut(lasting)
        return words

    def _meet(self, data: bytes, spans: Any, hashes: Hashes, values: Ints, strange: Any) -> int:
        """Find the values of chunks that are not in their places; returns how many lists are to be kept."""
        passing = []
        for at, (start, end), hashed in zip(strange.tolist(), spans.tolist(), hashes.tolist(), strict=True):
            chunk = data[start:end]
            if len(chunk) > _LONGEST:
                passing.append((at, chunk))
            else:
                values[at] = self._value(chunk, hashed)
        lasting = self._lists.starts.count
        for at, chunk in passing:
            values[at] = self._read(chunk)
        return lasting

    def _value(self, chunk: bytes, hashed: int) -> int:
        """The value of a chunk that is not in its place, or was not before this article."""
        held = int(self._places[hashed >> int(_TO_PLACE)])
        if not (held >> _VALUE) ^ (hashed & _CHECKED):
            return (held & int(_ALL_VALUES)) - 1
        value = self._displaced.get(chunk)
        if value is None:
            value = self._read(chunk)
            self._remember(chunk, hashed, value)
        return value

    def _read(self, chunk: bytes) -> int:
        tokens = words_of(chunk)
        signs = [self._sign_of(token.word) for token in tokens]
        if len(signs) == 1 and not tokens[0].glued and signs[0] < _LIST - 1:
            return signs[0]
        return _LIST + self._lists.add(signs, tokens)

    def _remember(self, chunk: bytes, hashed: int, value: int) -> None:
        place = hashed >> int(_TO_PLACE)
        if self._places[place]:
            self._displaced[chunk] = value
        else:
            self._places[place] = (hashed & _CHECKED) << _VALUE | (value + 1)
        self._known += 1

    def _hash_of(self, chunk: bytes) -> int:
        return int(self._hashes(np.frombuffer(chunk, np.uint8), np.zeros(1, np.int64))[0])

    def _hashes(self, letters: NDArray[np.uint8], starts: NDArray[np.int64]) -> Hashes:
        """Of every chunk Σ letter × factorⁱ, i counted from its start, and then well mixed. Blanks are zeros. Odd, so
        that no empty place looks like a chunk's."""
        if len(letters) > len(self._powers):
            self._powers = _powers(self._factor, 2 * len(letters))
            self._inverses = _powers(pow(self._factor, -1, 1 << 64), 2 * len(letters))
        sums: Hashes = np.add.reduceat(letters * self._powers[: len(letters)], starts)
        sums *= self._inverses[starts]
        sums ^= sums >> np.uint64(32)
        sums *= _MIX
        sums |= np.uint64(1)
        return sums


def _powers(factor: int, count: int) -> Hashes:
    powers = np.full(count, factor, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)
