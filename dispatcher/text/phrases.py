"""Phrases: runs of up to a few words that stand together in a text, as candidates for something to look for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dispatcher.text.document import Document, Passage
from dispatcher.text.tokens import Token

LONGEST = 3  # words; of scripts without blanks, characters one more
_BETWEEN = frozenset((" ", "\u00a0", "-", "\u2010", "\u2011", "'", "\u2019", ""))


class Phrase(NamedTuple):
    """Folded words in sequence. `glued` says of each whether it is written on to the one before it."""

    words: tuple[str, ...]
    glued: tuple[bool, ...]

    @property
    def text(self) -> str:
        """As a query would have it."""
        pieces = zip(self.words, self.glued, strict=True)
        return "".join(word if is_glued else f" {word}" for word, is_glued in pieces).strip()


class Place(NamedTuple):
    """Where a phrase stands: the text of its field, and from which to before which token."""

    text: str
    first: int
    end: int


def texts(document: Document) -> list[tuple[str, Passage]]:
    """The running texts of an article: title, summary and body."""
    written = document.written
    return [(written.title, document.title), (written.summary, document.summary), (written.body, document.body)]


def phrases(text: str, passage: Passage) -> Iterator[tuple[Phrase, Place]]:
    """Every run of words between which nothing stands but a blank, a hyphen or an apostrophe, in order."""
    tokens = passage.tokens
    for first in range(len(tokens)):
        for end in range(first + 1, min(first + _longest(tokens[first]), len(tokens)) + 1):
            if end - first > 1 and text[tokens[end - 2].end : tokens[end - 1].start] not in _BETWEEN:
                break
            yield _phrase(tokens[first:end]), Place(text, first, end)


def occurs(phrase: Phrase, passage: Passage) -> bool:
    """Whether a text has these words in sequence."""
    words, size = phrase.words, len(phrase.words)
    return any(passage.word_at[start : start + size] == words for start in passage.words.get(words[0], ()))


def _phrase(tokens: Sequence[Token]) -> Phrase:
    glued = tuple(token.glued and number > 0 for number, token in enumerate(tokens))
    return Phrase(tuple(token.word for token in tokens), glued)


def _longest(token: Token) -> int:
    return LONGEST + (len(token.word) == 1 and not token.word.isascii())
