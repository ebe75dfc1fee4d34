"""An invented press: articles and saved queries in invented languages whose words are as unequal as real ones.

Words follow Zipf's law; an article is about one to three of many subjects, each with words and names (of one to three
words) of its own, and queries are about the same subjects. So queries match, and what they ask for co-occurs.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from dispatcher.text.document import Document, analyse

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "ru")
_CONSONANTS = {"ru": "бвгджзклмнпрстфхцчш"}
_VOWELS = {
    "ru": "аеиоу",
    "de": "aeiouäöü",
    "fr": "aeioué",
    "es": "aeiouó",
    "pl": "aeiouą",
    "sv": "aeiouå",
    "pt": "aeioã",
}
_ENDINGS = {"ru": ("", "а", "ы", "ов")}
_TAGS, _SOURCES = 5000, 2000
_SUBJECT = 80  # words, and names, of each subject


class Size(NamedTuple):
    """How much of everything one language has."""

    words: int
    subjects: int
    names: int


LARGE, SMALL = Size(200_000, 20_000, 250_000), Size(40_000, 3000, 40_000)


def zipf(count: int, exponent: float) -> list[float]:
    """Cumulated shares of `count` things."""
    shares = 1 / (np.arange(1, count + 1) + 2.7) ** exponent
    cumulated: list[float] = np.cumsum(shares / shares.sum()).tolist()
    return cumulated


class Press:
    """Everything written in one language."""

    def __init__(self, language: str, size: Size, seed: int) -> None:
        self.language, self.size = language, size
        self.random = random.Random(seed)
        self.words = _words(language, size.words, self.random)
        rng = np.random.default_rng(seed)
        low, high = size.words // 500, size.words // 4
        share = np.arange(low, high) ** -0.8
        self.of_words = rng.choice(np.arange(low, high), (size.subjects, _SUBJECT), p=share / share.sum()).tolist()
        rare = np.exp(rng.uniform(np.log(size.words // 70), np.log(size.words - 1), size.names)).astype(int).tolist()
        common = rng.integers(size.words // 250, size.words // 22, size.names).tolist()
        tail = rng.integers(size.words // 1000, size.words // 70, size.names).tolist()
        kinds = rng.choice(3, size.names, p=(0.25, 0.6, 0.15)).tolist()
        self.names = [
            ((one,), (two, one), (two, one, three))[kind]
            for kind, one, two, three in zip(kinds, rare, common, tail, strict=True)
        ]
        self.by_fame = zipf(size.names, 0.55)
        self.of_names = np.searchsorted(self.by_fame, rng.random((size.subjects, _SUBJECT))).tolist()
        self.of_tags = rng.integers(0, _TAGS, (size.subjects, 5)).tolist()
        self.by_rank, self.by_subject = zipf(size.words, 1.16), zipf(size.subjects, 0.7)
        self.within, self.by_source = zipf(_SUBJECT, 0.8), zipf(_SOURCES, 0.9)

    def pick(self, cumulated: Sequence[float]) -> int:
        """One of many, by their shares."""
        return min(bisect(cumulated, self.random.random()), len(cumulated) - 1)

    def article(self) -> dict[str, Any]:
        """The arguments of `analyse` for one article of about 850 words."""
        subjects = [self.pick(self.by_subject) for _ in range(self.random.randint(1, 3))]
        return {
            "title": self._text(self.random.randint(7, 11), subjects),
            "summary": self._text(self.random.randint(25, 40), subjects),
            "body": self._text(self.random.randint(600, 950), subjects),
            "tags": [f"tag{self.of_tags[subject][at]}" for subject in subjects for at in range(3)],
            "authors": [],
            "sources": [f"src{self.pick(self.by_source)}"],
            "language": self.language,
        }

    def query(self) -> str:
        """One saved query: most have two or three parts."""
        draw = self.random
        subject = self.pick(self.by_subject)

        def leaf(*, alone: bool = False) -> str:
            return self._leaf(subject if draw.random() < 0.8 else self.pick(self.by_subject), alone=alone)

        kind = draw.random()
        if kind < 0.25:
            parts = [leaf(alone=True)]
        elif kind < 0.77:
            parts = [leaf() for _ in range(2 if kind < 0.6 else 3 if kind < 0.72 else 4)]
        elif kind < 0.9:
            parts = [leaf(), f"({' OR '.join(leaf() for _ in range(draw.choice((2, 2, 3, 4))))})"]
        elif kind < 0.95:
            parts = [f"({' OR '.join(leaf(alone=True) for _ in range(draw.choice((2, 3))))})"]
        else:
            parts = [leaf(alone=True), f"-{leaf()}"]
        parts += [f"tag:tag{draw.choice(self.of_tags[subject])}"] if draw.random() < 0.1 else []
        parts += [f"source:src{self.pick(self.by_source)}"] if draw.random() < 0.05 else []
        parts += [f"lang:{self.language}"] if draw.random() < 0.1 else []
        return " ".join(parts)

    def frequent(self) -> str:
        """Four words that stand in many articles."""
        return " ".join(self.random.sample(self.words[20:2000], 4))

    def _leaf(self, subject: int, *, alone: bool) -> str:
        draw, field = self.random, "title:" if self.random.random() < 0.08 else ""
        kind = draw.random()
        if alone and kind < 0.25:
            return f"{field}{self.words[int(len(self.words) * draw.uniform(0.12, 0.95))]}"
        if alone or kind < 0.45:
            known = self.of_names[subject][self.pick(self.within)] if draw.random() < 0.6 else self.pick(self.by_fame)
            name = self.names[known]
            if alone and len(name) == 1:
                name = (name[0], self.of_words[subject][0])
            return f"{field}{self.words[name[0]]}" if len(name) == 1 else f'{field}"{self._spelt(name)}"'
        if kind < 0.8:
            word = self.words[self.of_words[subject][self.pick(self.within)]]
        else:
            word = self.words[
                int(math.exp(draw.uniform(math.log(len(self.words) // 100), math.log(len(self.words) - 1))))
            ]
        if draw.random() < 0.03 and len(word) >= 6:
            return f"{field}{word[:5]}*"
        return f"{field}{word}"

    def _spelt(self, name: Sequence[int]) -> str:
        return " ".join(self.words[rank] for rank in name)

    def _text(self, length: int, subjects: Sequence[int]) -> str:
        draw, words = self.random, self.words
        written: list[str] = []
        starts = True
        while len(written) < length:
            kind, subject = draw.random(), draw.choice(subjects)
            if kind < 0.74:
                said = words[self.pick(self.by_rank)]
            elif kind < 0.94:
                said = words[self.of_words[subject][self.pick(self.within)]]
            elif kind < 0.99:
                said = self._spelt(self.names[self.of_names[subject][self.pick(self.within)]]).title()
            else:
                said = self._spelt(self.names[self.pick(self.by_fame)]).title()
            said = said.capitalize() if starts else said
            mark = draw.random()
            starts = mark < 0.07
            written.append(
                f"{said}." if starts else f"{said}," if mark < 0.13 else f"{said}'s" if mark < 0.14 else said
            )
        return " ".join(written)


def newsroom(languages: Sequence[str], seed: int = 7) -> list[Press]:
    """One press for each language; a single one is larger."""
    size = LARGE if len(languages) == 1 else SMALL
    return [Press(language, size, seed + at) for at, language in enumerate(languages)]


def articles(room: Sequence[Press], count: int) -> list[Document]:
    """Articles in turn from each press. Only the texts are there: nothing has been analysed."""
    return [analyse(**room[number % len(room)].article()) for number in range(count)]


def queries(room: Sequence[Press], count: int, *, frequent: bool = False) -> Iterator[tuple[int, str, str]]:
    """Distinct queries with id and language."""
    seen: set[int] = set()
    while len(seen) < count:
        press = room[len(seen) % len(room)]
        text = press.frequent() if frequent else press.query()
        if hash(text) not in seen:
            seen.add(hash(text))
            yield len(seen), text, press.language


def _words(language: str, count: int, draw: random.Random) -> list[str]:
    """Distinct words, short ones first; some are others with an ending."""
    syllables = [
        one + two for one in _CONSONANTS.get(language, "bdfgklmnprstvz") for two in _VOWELS.get(language, "aeiou")
    ]
    draw.shuffle(syllables)
    words: dict[str, None] = {}
    number = 0
    while len(words) < count:
        rest, word = divmod(number, len(syllables))[0], syllables[number % len(syllables)]
        while rest:
            rest, place = divmod(rest - 1, len(syllables))
            word += syllables[place]
        for ending in _ENDINGS.get(language, ("", "s", "ing", "ed"))[: draw.choice((1, 1, 2, 4))]:
            words[word + ending] = None
        number += 1
    return list(words)[:count]
