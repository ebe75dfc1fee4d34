"""Features: every leaf of every query is one number, and an article is asked once which of them it has.

A leaf is looked for in one of four ways: by a sign (a word, its stem, a sequence of words), by a name (a tag, a source,
a language), by the beginning of a name, or, where a sign is not enough, by a watch: something to look at closely once
one of its words is there. Two leaves that find the same in every article are the same feature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dispatcher.text.language import primary
from dispatcher.text.stems import algorithm
from dispatcher.text.tokens import Token, pieces, tokenise
from dispatcher.topics.columns import Column, Floats, Ints
from dispatcher.topics.sequences import Sequences
from dispatcher.topics.syntax import Everything, Field, Leaf, Name, Near, Phrase, Prefix, Word
from dispatcher.topics.table import Table, meaning
from dispatcher.topics.vocabulary import Vocabulary

FIELDS = (Field.TITLE, Field.SUMMARY, Field.BODY, Field.TAG, Field.SOURCE, Field.AUTHOR, Field.LANG, Field.ANY)
CODES = {field: code for code, field in enumerate(FIELDS)}
MASKS = {field: 1 << code for code, field in enumerate(FIELDS)} | {Field.ANY: 0b1111}
ALWAYS, NEVER = 0, 1  # features: of every article, and of none
_NAMED = (Field.AUTHOR, Field.SOURCE)  # proper names, whose words are never stemmed
_WINDOW = 10_000  # articles whose frequencies count in full; earlier ones fade
_TRUST = 20.0  # articles that a guess is worth


class Group(NamedTuple):
    """Words that belong together: the sign of the sequence, that of its stems, and how many words it has."""

    sign: int
    stem: int
    length: int


@dataclass(frozen=True, slots=True)
class Nearby:
    """A watch: these groups, with at most `distance` other words between the first and the last."""

    groups: tuple[Group, ...]
    distance: int
    by: int


@dataclass(frozen=True, slots=True)
class Trail:
    """A watch: these words, and behind them one, glued or not, that begins with `prefix`."""

    group: Group
    prefix: str
    is_glued: bool


Watch = Nearby | Trail


class Features:
    """All features, how to find them, and how often they have been found of late."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary()
        self.sequences = Sequences(self.vocabulary)
        self.table = Table()
        self.vocabulary.greet = self._greet
        self.seen, self.guess = Column(np.float32), Column(np.float32)
        self.articles = 0.0
        self.signs: dict[int, int] = {}
        self.names: dict[tuple[str, str], int] = {}
        self.beginnings: dict[tuple[str, str], int] = {}
        self.prefixes: dict[tuple[str, str], int] = {}
        self.watches: dict[int, Watch] = {}
        self.watched: dict[tuple[str, str, int, str], int] = {}
        self.algorithms: list[str] = [""]
        self._lengths: dict[str, list[int]] = {}
        self._prefixed: dict[str, list[tuple[int, int]]] = {}
        self._prefix_lengths: list[int] = []
        for often in (1.0, 0.0):
            self._new(often)

    def __len__(self) -> int:
        return self.seen.count

    def of(self, leaf: Leaf, language: str) -> int:
        """The feature of a leaf in a query of this language."""
        match leaf:
            case Everything():
                return ALWAYS
            case Name(text, field):
                return self._name(text, field)
            case Prefix(text, Field.TAG | Field.SOURCE as field):
                return self._beginning(text, field)
        by = _algorithm(language) if isinstance(leaf, Word | Near) and leaf.field not in _NAMED else ""
        match leaf:
            case Word(text, field) | Phrase(text, field):
                return self._sign(self._group(tokenise(text), by), field, self.code(by))
            case Prefix(text, field):
                return self._prefix(text, field)
            case Near(text, distance, field):
                return self._near(text, distance, field, by)

    def beginnings_of(self, key: str, field: Field) -> Iterator[int]:
        """The features that look for names of this field that begin as this one does."""
        for length in self._lengths.get(field.value, ()):
            feature = self.beginnings.get((field.value, key[:length])) if length <= len(key) else None
            if feature is not None:
                yield feature

    def learn(self, features: Ints) -> None:
        """Count an article that has these features, each once."""
        self.seen.data[features] += 1
        self.articles += 1
        if self.articles >= 2 * _WINDOW:
            self.seen.values[:] /= 2
            self.articles /= 2

    def frequency(self) -> Floats:
        """How often each feature is found in an article, from 0 to 1; guessed for what has hardly had the chance."""
        often: Floats = (self.seen.values + _TRUST * self.guess.values.astype(np.float64)) / (self.articles + _TRUST)
        return often

    def frequency_of(self, feature: int) -> float:
        """The same for one feature."""
        seen, guess = self.seen.data[feature], self.guess.data[feature]
        return (float(seen) + _TRUST * float(guess)) / (self.articles + _TRUST)

    def code(self, by: str) -> int:
        """The number of a stemming algorithm; 0 for none."""
        if not by:
            return 0
        if by not in self.algorithms:
            self.algorithms.append(by)
        return self.algorithms.index(by)

    def forget_idle(self) -> None:
        """Forget the words of articles that no query holds."""
        self.table.drop(self.vocabulary.forget())

    def index_prefixes(self) -> None:
        """Have what is derived from `prefixes` and `beginnings`."""
        for (field, text), feature in self.prefixes.items():
            self._note_prefix(text, feature, meaning(MASKS[Field(field)]))
        for field, text in self.beginnings:
            self._note_beginning(field, text)

    def _new(self, guess: float) -> int:
        self.guess.append(guess)
        return self.seen.append(0.0)

    def _name(self, text: str, field: Field) -> int:
        key = (field.value, text)
        if key not in self.names:
            self.names[key] = self._new(0.3 if field is Field.LANG else 0.002)
        return self.names[key]

    def _beginning(self, text: str, field: Field) -> int:
        key = (field.value, text)
        if key not in self.beginnings:
            self.beginnings[key] = self._new(0.005)
            self._note_beginning(*key)
        return self.beginnings[key]

    def _note_beginning(self, field: str, text: str) -> None:
        lengths = self._lengths.setdefault(field, [])
        if len(text) not in lengths:
            lengths.append(len(text))

    def _group(self, tokens: Sequence[Token], by: str) -> Group:
        """The signs of some words in sequence."""
        vocabulary = self.vocabulary
        if len(tokens) == 1:
            sign = vocabulary.hold(vocabulary.word(tokens[0].word))
            return Group(sign, vocabulary.hold(vocabulary.stem(tokens[0].word, by)) if by else 0, 1)
        words = [vocabulary.hold(vocabulary.word(token.word)) for token in tokens]
        stems = [vocabulary.hold(vocabulary.stem(token.word, by)) for token in tokens] if by else []
        glued = [token.glued for token in tokens]
        return Group(
            self.sequences.add(words, glued), self.sequences.add(stems, glued) if by else 0, len(tokens)
        )  # fmt: skip

    def _sign(self, group: Group, field: Field, code: int) -> int:
        key = (group.sign << 8 | code) << 4 | CODES[field]
        feature = self.signs.get(key)
        if feature is None:
            guess = 0.01 if group.length == 1 else 0.0005
            feature = self.signs[key] = self._new(guess if field is Field.ANY else guess / 4)
            self._enter(group, feature, field, code)
        return feature

    def _enter(self, group: Group, feature: int, field: Field, code: int, *, is_watch: bool = False) -> None:
        """What says that the feature is found: the words, and in articles of the query's language the stems."""
        mask = MASKS[field]
        self.table.add(group.sign, feature, meaning(mask, not_in=code, is_watch=is_watch))
        if code:
            self.table.add(group.stem, feature, meaning(mask, is_watch=is_watch))

    def _prefix(self, text: str, field: Field) -> int:
        tokens = tokenise(text)
        key = (field.value, text)
        if key in self.prefixes:
            return self.prefixes[key]
        if len(tokens) > 1:
            return self._trail(tokens, text, field)
        feature = self.prefixes[key] = self._new(0.01)
        meant = meaning(MASKS[field])
        self._note_prefix(text, feature, meant)
        for sign in self.vocabulary.beginning_with(text):
            self.table.add(sign, feature, meant)
        return feature

    def _note_prefix(self, text: str, feature: int, meant: int) -> None:
        self._prefixed.setdefault(text, []).append((feature, meant))
        if len(text) not in self._prefix_lengths:
            self._prefix_lengths.append(len(text))

    def _greet(self, sign: int, word: str) -> None:
        """A word nobody has seen before: enter it for the prefixes it begins with."""
        for length in self._prefix_lengths:
            if length <= len(word):
                for feature, meant in self._prefixed.get(word[:length], ()):
                    self.table.add(sign, feature, meant)

    def _trail(self, tokens: Sequence[Token], text: str, field: Field) -> int:
        key = (field.value, text, -1, "")
        if key not in self.watched:
            feature = self.watched[key] = self._new(0.001)
            group = self._group(tokens[:-1], "")
            self.watches[feature] = Trail(group, tokens[-1].word, tokens[-1].glued)
            self._enter(group, feature, field, 0, is_watch=True)
        return self.watched[key]

    def _near(self, text: str, distance: int, field: Field, by: str) -> int:
        key = (field.value, text, distance, by)
        if key not in self.watched:
            feature = self.watched[key] = self._new(0.0005)
            groups = [(self._group(piece, by), piece) for piece in pieces(tokenise(text))]
            code = self.code(by)
            self.watches[feature] = Nearby(tuple(group for group, _ in groups), distance, code)
            # a long word is likely to be a rare one
            rarest = max(groups, key=lambda group: sum(len(token.word) for token in group[1]))[0]
            self._enter(rarest, feature, field, code, is_watch=True)
        return self.watched[key]


@lru_cache(maxsize=1024)
def _algorithm(language: str) -> str:
    return algorithm(primary(language))
