"""Sequences of words: recognised by following edges from sign to sign.

A sequence of signs a b c has two edges: a–b leads to a new sign, ab; ab–c leads to the sign that stands for the whole.
An article is walked from all its words at once. A word that must be glued to the one before it has a sign of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatcher.topics.columns import NO_INTS, Column, Flags, Ints
from dispatcher.topics.table import Keys
from dispatcher.topics.vocabulary import Vocabulary

_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_BITS = (1 << 64) - 1
_BIT = np.array([1 << bit for bit in range(8)], np.uint8)
_SMALLEST, _LARGEST = 16, 26  # the number of bits in the sieve, as powers of 2
_THIN = 16  # bits in the sieve for each edge, so that few strange pairs pass


class Found(NamedTuple):
    """The signs of the sequences that were found, and where each starts."""

    signs: Ints
    starts: Ints


NOTHING = Found(NO_INTS, NO_INTS)


class Edges(NamedTuple):
    """Edges in the order of their keys, and where each leads."""

    keys: Keys
    ends: Ints


class Sequences:
    """All sequences looked for. Edges are sorted from time to time (`settle`); the fresh ones are in a dict."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.settled = Edges(np.empty(0, np.int64), NO_INTS)
        self.fresh: dict[int, int] = {}
        self.glued: dict[int, int] = {}
        self._glued = Column(np.int32)
        self._have_sieve(_SMALLEST)

    def __len__(self) -> int:
        return len(self.fresh) + len(self.settled.keys)

    def add(self, signs: Sequence[int], glued: Sequence[bool]) -> int:
        """The sign that stands for a sequence of at least two signs; whether the first is glued does not matter."""
        state = signs[0]
        for sign, is_glued in zip(signs[1:], glued[1:], strict=True):
            state = self._step(state, self._gluing(sign) if is_glued else sign)
        return state

    def find(self, signs: Ints, glued: NDArray[np.bool_] | None) -> Found:
        """All sequences in a text of these signs."""
        if not len(self) or len(signs) < 2:
            return NOTHING
        self._glued.reach(len(self.vocabulary))
        starts = np.arange(len(signs) - 1, dtype=np.int32)
        found, length = [], 1
        walk = self._pass(signs, glued, Found(signs[:-1], starts))
        while len(walk.signs):
            found.append(walk)
            length += 1
            goes_on = walk.starts < len(signs) - length
            walk = Found(walk.signs[goes_on], walk.starts[goes_on])
            walk = self._advance(signs, glued, walk, length)
        if not found:
            return NOTHING
        return Found(np.concatenate([one.signs for one in found]), np.concatenate([one.starts for one in found]))

    def frozen(self) -> tuple[Edges, dict[int, int]]:
        """What `merged` needs, safe from changes."""
        return self.settled, dict(self.fresh)

    def settle(self, edges: Edges) -> None:
        """Use these merged edges from now on; what has been added since they were frozen stays fresh."""
        merged_in = len(edges.keys) - len(self.settled.keys)
        self.settled = edges
        self.fresh = dict(islice(self.fresh.items(), merged_in, None))

    def restore(self, edges: Edges, glued: dict[int, int]) -> None:
        """Take the place of others that had these edges and glued signs."""
        self.settled, self.glued = edges, glued
        self._glued.reach(len(self.vocabulary))
        for sign, gluing in glued.items():
            self._glued.data[sign] = gluing
        self._sift()

    def _pass(self, signs: Ints, glued: NDArray[np.bool_] | None, walk: Found) -> Found:
        """The first step, for pairs of words that the sieve lets through."""
        places = self._places(signs[:-1], signs[1:])
        passing = (self._sieve[places >> 3] & _BIT[places & 7]).nonzero()[0].astype(np.int32)
        first = self._follow(walk.signs[passing], signs[passing + 1], passing)
        if glued is None:
            return first
        at = np.flatnonzero(glued[1:] & (self._glued.data[signs[1:]] > 0)).astype(np.int32)
        return _together(first, self._follow(signs[at], self._glued.data[signs[at + 1]], at))

    def _advance(self, signs: Ints, glued: NDArray[np.bool_] | None, walk: Found, length: int) -> Found:
        behind = walk.starts + length
        onward = self._follow(walk.signs, signs[behind], walk.starts)
        if glued is None:
            return onward
        at = np.flatnonzero(glued[behind])
        return _together(
            onward, self._follow(walk.signs[at], self._glued.data[signs[behind[at]]], walk.starts[at])
        )  # fmt: skip

    def _follow(self, states: Ints, signs: Ints, starts: Ints) -> Found:
        """Where edges lead from these states by these signs; those without an edge are left out."""
        if not len(states):
            return NOTHING
        keys = (states.astype(np.int64) << 32) | signs
        ends = np.zeros(len(keys), np.int32)
        if len(self.settled.keys):
            at = np.minimum(self.settled.keys.searchsorted(keys), len(self.settled.keys) - 1)
            known = self.settled.keys[at] == keys
            ends[known] = self.settled.ends[at[known]]
        if self.fresh:
            for at_key in (ends == 0).nonzero()[0].tolist():
                ends[at_key] = self.fresh.get(int(keys[at_key]), 0)
        led = ends > 0
        return Found(ends[led], starts[led])

    def _step(self, state: int, sign: int) -> int:
        key = state << 32 | sign
        end = self.fresh.get(key)
        if end is not None:
            return end
        at = _position(self.settled.keys, key)
        if at < len(self.settled.keys):
            return int(self.settled.ends[at])
        end = self.fresh[key] = self.vocabulary.hold(self.vocabulary.take())
        if len(self) * _THIN > 8 * len(self._sieve) and len(self._sieve) < 1 << _LARGEST - 3:
            self._sift()
        place = self._place(state, sign)
        self._bits[place >> 3] |= 1 << (place & 7)
        return end

    def _gluing(self, sign: int) -> int:
        gluing = self.glued.get(sign)
        if gluing is None:
            gluing = self.glued[sign] = self.vocabulary.hold(self.vocabulary.take())
            self._glued.reach(len(self.vocabulary))
            self._glued.data[sign] = gluing
        return gluing

    def _sift(self) -> None:
        """Make the sieve anew, large enough for twice the edges."""
        bits = min(max(_SMALLEST, (2 * _THIN * len(self)).bit_length()), _LARGEST)
        self._have_sieve(bits)
        fresh = np.fromiter(self.fresh, np.int64, len(self.fresh))
        for keys in (self.settled.keys, fresh):
            places = self._places(keys >> 32, keys & 0xFFFFFFFF)
            np.bitwise_or.at(self._sieve, places >> 3, _BIT[places & 7])

    def _have_sieve(self, bits: int) -> None:
        self._bits = bytearray(1 << bits - 3)
        self._sieve: Flags = np.frombuffer(self._bits, np.uint8)  # the same memory, to be read all at once

    def _places(self, left: NDArray[np.signedinteger], right: NDArray[np.signedinteger]) -> NDArray[np.int64]:
        """Where in the sieve pairs of signs are marked."""
        mixed = left.astype(np.uint64) * np.uint64(_FACTORS[0])
        mixed ^= right.astype(np.uint64) * np.uint64(_FACTORS[1])
        mixed >>= np.uint64(62 - len(self._sieve).bit_length())
        return mixed.view(np.int64)

    def _place(self, left: int, right: int) -> int:
        """The same for one pair."""
        mixed = (left * _FACTORS[0] ^ right * _FACTORS[1]) & _BITS
        return mixed >> (62 - len(self._sieve).bit_length())


def merged(settled: Edges, fresh: dict[int, int]) -> Edges:
    """Settled and fresh edges in one order."""
    keys = np.concatenate([settled.keys, np.fromiter(fresh.keys(), np.int64, len(fresh))])
    ends = np.concatenate([settled.ends, np.fromiter(fresh.values(), np.int32, len(fresh))])
    order = np.argsort(keys, kind="stable")
    return Edges(keys[order], ends[order])


def _together(one: Found, other: Found) -> Found:
    return Found(np.concatenate([one.signs, other.signs]), np.concatenate([one.starts, other.starts]))


def _position(keys: Keys, key: int) -> int:
    """Where a key is, len(keys) if nowhere."""
    at = int(keys.searchsorted(np.int64(key))) if len(keys) else 0
    return at if at < len(keys) and keys[at] == key else len(keys)
