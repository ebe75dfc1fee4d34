"""Where a leaf occurs in a document: the one place that decides what it means to be found.

A Probe is a leaf prepared for one language. Score, index and explanation all ask it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.text.document import Document, Passage
from dispatcher.text.document import Name as DocumentName
from dispatcher.text.language import primary
from dispatcher.text.stems import algorithm, stem
from dispatcher.text.tokens import pieces, tokenise
from dispatcher.topics.syntax import Everything, Field, Leaf, Name, Near, Prefix, Word


class Occurrence(NamedTuple):
    """One place: the field, which of its names (0 for a text), and the first and last token there.

    `first` is -1 where the whole is meant: every article, a name, a language.
    """

    field: Field
    which: int
    first: int = -1
    last: int = -1


class Key(NamedTuple):
    """One word to look for, its stem, and whether it must be glued to the one before."""

    word: str
    stem: str
    is_glued: bool


@dataclass(frozen=True, slots=True)
class Probe:
    """A leaf ready to be looked for: its keys in groups that belong together, with stems by `stemmed_by`."""

    leaf: Leaf
    groups: tuple[tuple[Key, ...], ...]
    stemmed_by: str

    def find(self, document: Document) -> list[Occurrence]:
        """All occurrences, field by field and in order; empty if there is none."""
        match self.leaf:
            case Everything():
                return [Occurrence(Field.ANY, 0)]
            case Name(text, Field.LANG):
                return [Occurrence(Field.LANG, 0)] if text == document.language else []
            case Name(text, field):
                names = _names(document, field)
                return [Occurrence(field, which) for which, name in enumerate(names) if name.key == text]
            case Prefix(text, Field.TAG | Field.SOURCE as field):
                names = _names(document, field)
                return [Occurrence(field, which) for which, name in enumerate(names) if name.key.startswith(text)]
            case _:
                return [
                    Occurrence(field, which, first, last)
                    for field, which, passage in _passages(document, self.leaf.field)
                    for first, last in self._spans(passage, is_stemmed=self._is_stemmed(document))
                ]

    def _is_stemmed(self, document: Document) -> bool:
        """Stems compare only where query and article are in one language that has them, and never in proper names."""
        is_stemmable = isinstance(self.leaf, Word | Near) and self.leaf.field not in (Field.AUTHOR, Field.SOURCE)
        return is_stemmable and self.stemmed_by != "" and self.stemmed_by == document.stemmed_by

    def _spans(self, passage: Passage, *, is_stemmed: bool) -> Iterator[tuple[int, int]]:
        """First and last token of every occurrence in one text."""
        if isinstance(self.leaf, Near):
            starts = [_starts(passage, group, is_stemmed=is_stemmed) for group in self.groups]
            yield from windows(starts, [len(group) for group in self.groups], self.leaf.distance)
            return
        keys = [key for group in self.groups for key in group]
        is_prefix = isinstance(self.leaf, Prefix)
        for start in _starts(passage, keys, is_stemmed=is_stemmed, is_prefix=is_prefix):
            yield start, start + len(keys) - 1


def prepare(leaf: Leaf, language: str) -> Probe:
    """The probe of a leaf in a query of this language."""
    by = algorithm(primary(language))
    tokens = [] if isinstance(leaf, Everything) else tokenise(leaf.text)
    groups = ([Key(token.word, stem(token.word, by), token.glued) for token in piece] for piece in pieces(tokens))
    return Probe(leaf, tuple(map(tuple, groups)), by)


def _starts(passage: Passage, keys: Sequence[Key], *, is_stemmed: bool, is_prefix: bool = False) -> Sequence[int]:
    """Where the words stand one behind the other; of a prefix the last is only how a word begins."""
    wanted = [key.stem if is_stemmed else key.word for key in keys]
    if is_prefix and len(keys) == 1:
        return sorted(at for word, places in passage.words.items() if word.startswith(wanted[0]) for at in places)
    starts = (passage.stems if is_stemmed else passage.words).get(wanted[0], ())
    if len(keys) == 1:
        return starts
    there = passage.stem_at if is_stemmed else passage.word_at
    return [
        start
        for start in starts
        if _follows(there[start : start + len(keys)], wanted, is_prefix=is_prefix)
        and all(passage.tokens[start + at].glued for at, key in enumerate(keys) if at and key.is_glued)
    ]


def _follows(there: Sequence[str], wanted: Sequence[str], *, is_prefix: bool) -> bool:
    """Whether these words are the ones wanted."""
    if len(there) < len(wanted) or (there[-1] != wanted[-1] and not is_prefix):
        return False
    return there[-1].startswith(wanted[-1]) and list(there[:-1]) == list(wanted[:-1])


def windows(starts: Sequence[Sequence[int]], lengths: Sequence[int], distance: int) -> Iterator[tuple[int, int]]:
    """The smallest window from each start that holds every group, if at most `distance` other tokens are in it."""
    for first in sorted({start for group in starts for start in group}):
        end = first
        for group, length in zip(starts, lengths, strict=True):
            at = bisect_left(group, first)
            if at == len(group):
                return
            end = max(end, group[at] + length)
        if end - first - sum(lengths) <= distance:
            yield first, end - 1


def _passages(document: Document, field: Field) -> Iterator[tuple[Field, int, Passage]]:
    """The texts that a leaf of this field is looked for in."""
    if field in (Field.ANY, Field.TITLE):
        yield Field.TITLE, 0, document.title
    if field in (Field.ANY, Field.SUMMARY):
        yield Field.SUMMARY, 0, document.summary
    if field in (Field.ANY, Field.BODY):
        yield Field.BODY, 0, document.body
    names = Field.TAG if field is Field.ANY else field
    for which, name in enumerate(_names(document, names)):
        yield names, which, name.passage


def _names(document: Document, field: Field) -> tuple[DocumentName, ...]:
    match field:
        case Field.TAG:
            return document.tags
        case Field.AUTHOR:
            return document.authors
        case Field.SOURCE:
            return document.sources
        case _:
            return ()
