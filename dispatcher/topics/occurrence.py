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
from dispatcher.text.tokens import Token, pieces, tokenise
from dispatcher.topics.syntax import Everything, Field, Leaf, Name, Near, Prefix, Word


class Occurrence(NamedTuple):
    """One place: the field, which of its names (0 for a text), and the first and last token there.

    `first` is -1 where the whole is meant: every article, a name, a language.
    """

    field: Field
    which: int
    first: int = -1
    last: int = -1


@dataclass(frozen=True, slots=True)
class Probe:
    """A leaf ready to be looked for: its words in groups that belong together, and their stems by `stemmed_by`."""

    leaf: Leaf
    groups: tuple[tuple[Token, ...], ...]
    stems: tuple[tuple[str, ...], ...]
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
        """Stems compare only where query and article are in one language that has them."""
        is_stemmable = isinstance(self.leaf, Word | Near)
        return is_stemmable and self.stemmed_by != "" and self.stemmed_by == document.stemmed_by

    def _spans(self, passage: Passage, *, is_stemmed: bool) -> list[tuple[int, int]]:
        """First and last token of every occurrence in one text."""
        if isinstance(self.leaf, Near):
            starts = [self._sequence(passage, at, at + 1, is_stemmed) for at in range(len(self.groups))]
            return list(_windows(starts, [len(group) for group in self.groups], self.leaf.distance))
        length = sum(map(len, self.groups))
        starts_of_all = self._sequence(passage, 0, len(self.groups), is_stemmed)
        return [(start, start + length - 1) for start in starts_of_all]

    def _sequence(self, passage: Passage, low: int, high: int, is_stemmed: bool) -> list[int]:
        """Where the words of the groups from `low` to `high` stand one behind the other."""
        tokens = [token for group in self.groups[low:high] for token in group]
        if is_stemmed:
            wanted: Sequence[str] = [word for stems in self.stems[low:high] for word in stems]
        else:
            wanted = [token.word for token in tokens]
        is_prefix = isinstance(self.leaf, Prefix)
        if is_prefix and len(tokens) == 1:
            return sorted(at for word, places in passage.words.items() if word.startswith(wanted[0]) for at in places)
        starts = (passage.stems if is_stemmed else passage.words).get(wanted[0], ())
        if len(tokens) == 1:
            return list(starts)
        return [start for start in starts if _continues(passage, start, tokens, wanted, is_stemmed, is_prefix)]


def prepare(leaf: Leaf, language: str) -> Probe:
    """The probe of a leaf in a query of this language."""
    by = algorithm(primary(language))
    if isinstance(leaf, Everything):
        return Probe(leaf, (), (), by)
    groups = tuple(tuple(group) for group in pieces(tokenise(leaf.text)))
    return Probe(leaf, groups, tuple(tuple(stem(token.word, by) for token in group) for group in groups), by)


def _continues(
    passage: Passage, start: int, tokens: Sequence[Token], wanted: Sequence[str], is_stemmed: bool, is_prefix: bool
) -> bool:
    """Whether the words wanted follow from `start` on, glued where they are glued in the query."""
    end = start + len(wanted)
    if end > len(passage.tokens):
        return False
    behind = passage.tokens[start + 1 : end]
    if any(ours.glued and not theirs.glued for ours, theirs in zip(tokens[1:], behind, strict=True)):
        return False
    there = passage.stem_at[start:end] if is_stemmed else tuple(token.word for token in passage.tokens[start:end])
    if is_prefix:
        return list(there[:-1]) == list(wanted[:-1]) and there[-1].startswith(wanted[-1])
    return list(there) == list(wanted)


def _windows(starts: Sequence[Sequence[int]], lengths: Sequence[int], distance: int) -> Iterator[tuple[int, int]]:
    """The smallest window from each start that holds every group, if at most `distance` other tokens are in it."""
    if not all(starts):
        return
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
