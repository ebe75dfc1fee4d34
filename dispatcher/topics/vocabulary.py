"""The vocabulary: a number, called a sign, for every word and stem that a query holds or an article has shown.

Signs are what the index compares. One space of numbers serves words, stems and what else may stand at a place in a text
(see `sequences`); 0 is the gap between two texts. The memory of words is bounded: see `forget`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dispatcher.text.chunks import prepared
from dispatcher.text.stems import stem
from dispatcher.topics.columns import Column, Flags, Ints
from dispatcher.topics.memory import Memory
from dispatcher.topics.syntax import MIN_PREFIX

_GAP = b"\0"  # the chunk between two texts; no text has one left when it is prepared
_IDLE = 500_000  # words of articles that no query holds, to remember
_UNKNOWN = -1


class Reading(NamedTuple):
    """Some texts read: the sign of each word, 0 around the texts; which are glued to the one before (None: no word
    is); and which of the texts each is in, the last gap being in one too many."""

    words: Ints
    glued: np.typing.NDArray[np.bool_] | None
    text: Ints


class Vocabulary:
    """Signs by word and by stem. `greet` is told of every new word, `held` are the signs that queries stand on."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}
        self.stems: dict[str, dict[str, int]] = {}
        self.spelt: list[str] = [""]
        self.held = bytearray(1)
        self.standing = 0  # how many signs are held
        self.greet: Callable[[int, str], None] = lambda sign, word: None
        self._free: list[int] = []
        self._beginning: dict[str, list[int]] = {}
        self._stem_of: dict[str, Column] = {}
        self._memory = Memory(self.word, _GAP)

    def __len__(self) -> int:
        """How many signs there are: all are smaller than this."""
        return len(self.spelt)

    def take(self, text: str = "") -> int:
        """A new sign, free of any meaning."""
        if not self._free:
            self.spelt.append(text)
            self.held.append(0)
            return len(self.spelt) - 1
        sign = self._free.pop()
        self.spelt[sign] = text
        return sign

    def hold(self, sign: int) -> int:
        """Keep a sign for good, because a query stands on it."""
        if not self.held[sign]:
            self.held[sign] = 1
            self.standing += 1
        return sign

    def word(self, word: str) -> int:
        """The sign of a folded word."""
        sign = self.words.get(word)
        if sign is None:
            sign = self.words[word] = self.take(word)
            self._beginning.setdefault(word[:MIN_PREFIX], []).append(sign)
            self.greet(sign, word)
        return sign

    def stem(self, word: str, by: str) -> int:
        """The sign of a folded word's stem by an algorithm."""
        known, text = self.stems.setdefault(by, {}), stem(word, by)
        sign = known.get(text)
        if sign is None:
            sign = known[text] = self.take(text)
        return sign

    def beginning_with(self, prefix: str) -> list[int]:
        """The signs of all words that begin with at least MIN_PREFIX letters."""
        return [sign for sign in self._beginning.get(prefix[:MIN_PREFIX], ()) if self.spelt[sign].startswith(prefix)]

    def read(self, texts: Sequence[str]) -> Reading:
        """The words of some texts, with a gap before each and behind the last."""
        gap = b" " + _GAP + b" "
        words = self._memory.recall(gap + gap.join(map(prepared, texts)) + gap)
        return Reading(words.signs, words.glued, np.cumsum(words.signs == 0, dtype=np.int32) - 1)

    def stemmed(self, words: Ints, by: str) -> Ints:
        """The signs of the words' stems; gaps stay gaps."""
        column = self._stem_of.get(by)
        if column is None:
            column = self._stem_of[by] = Column(np.int32, _UNKNOWN)
            column.append(0)
        column.reach(len(self))
        stems: Ints = column.data[words]
        if len(stems) and stems.min() == _UNKNOWN:
            for sign in set(words[stems == _UNKNOWN].tolist()):
                column.data[sign] = self.stem(self.spelt[sign], by)
            stems = column.data[words]
        return stems

    @property
    def is_full(self) -> bool:
        """Whether it is time to forget."""
        return len(self) - len(self._free) - self.standing > _IDLE

    def forget(self) -> Ints:
        """Forget the words and stems that no query stands on; returns their signs, which will get other meanings."""
        held = self.held
        self.words = {word: sign for word, sign in self.words.items() if held[sign]}
        self.stems = {by: {text: sign for text, sign in known.items() if held[sign]}
                      for by, known in self.stems.items()}  # fmt: skip
        idle = np.flatnonzero(np.frombuffer(held, np.uint8) == 0)[1:].astype(np.int32)
        self._free = idle.tolist()
        self._stem_of.clear()
        self._memory = Memory(self.word, _GAP)
        self._index_beginnings()
        return idle

    def restore(self, spelt: list[str], held: Flags, words: Ints, stems: dict[str, Ints]) -> None:
        """Take the place of a vocabulary whose held words and stems had these signs."""
        self.spelt, self.held = spelt, bytearray(held.tobytes())
        self.standing = int(held.sum())
        self._free = ((held[1:] == 0).nonzero()[0] + 1).tolist()
        self.words = {spelt[sign]: sign for sign in words.tolist()}
        self.stems = {by: {spelt[sign]: sign for sign in signs.tolist()} for by, signs in stems.items()}
        self._index_beginnings()

    def _index_beginnings(self) -> None:
        self._beginning = {}
        for word, sign in self.words.items():
            self._beginning.setdefault(word[:MIN_PREFIX], []).append(sign)
