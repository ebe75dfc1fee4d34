"""Documents: an article analysed once, so that any number of queries can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from dispatcher.text.language import primary
from dispatcher.text.stems import algorithm, stem
from dispatcher.text.tokens import Token, joined, tokenise

Positions = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Passage:
    """A text analysed: its tokens, the folded word and the stem at each position (an index into `tokens`), and the
    positions of each word and stem. Without a stemmer the stems are the words.
    """

    tokens: tuple[Token, ...]
    word_at: tuple[str, ...]
    words: Positions
    stem_at: tuple[str, ...]
    stems: Positions


@dataclass(frozen=True, slots=True)
class Name:
    """A tag, an author or a source: as written, and as a key by which whole names compare."""

    text: str
    key: str
    passage: Passage


class Written(NamedTuple):
    """An article's texts as they came: plain, without HTML."""

    title: str
    summary: str
    body: str
    tags: tuple[str, ...]
    authors: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """An article as the topics see it. Spans of tokens are places in the texts `written`.

    `language` is a primary subtag or ''; `stemmed_by` the algorithm behind its stems, '' for none. The passages are
    made when somebody first asks for them: the index reads the texts in a faster way, with the same words.
    """

    language: str
    stemmed_by: str
    written: Written

    @cached_property
    def title(self) -> Passage:
        """The title analysed."""
        return _passage(self.written.title, self.stemmed_by)

    @cached_property
    def summary(self) -> Passage:
        """The summary analysed."""
        return _passage(self.written.summary, self.stemmed_by)

    @cached_property
    def body(self) -> Passage:
        """The body analysed."""
        return _passage(self.written.body, self.stemmed_by)

    @cached_property
    def tags(self) -> tuple[Name, ...]:
        """The tags analysed."""
        return tuple(_name(tag, self.stemmed_by) for tag in self.written.tags)

    @cached_property
    def authors(self) -> tuple[Name, ...]:
        """The authors analysed; a person's name has no inflections to strip."""
        return tuple(_name(author, "") for author in self.written.authors)

    @cached_property
    def sources(self) -> tuple[Name, ...]:
        """The sources' names analysed, without stems as well."""
        return tuple(_name(source, "") for source in self.written.sources)


def analyse(
    *,
    title: str,
    summary: str,
    body: str,
    tags: Sequence[str] = (),
    authors: Sequence[str] = (),
    sources: Sequence[str] = (),
    language: str = "",
) -> Document:
    """Prepare an article for queries. The texts are plain, without HTML; any `language` tag will do, or none."""
    spoken = primary(language)
    written = Written(title, summary, body, tuple(tags), tuple(authors), tuple(sources))
    return Document(spoken, algorithm(spoken), written)


def _passage(text: str, by: str) -> Passage:
    tokens = tuple(tokenise(text))
    word_at = tuple(token.word for token in tokens)
    words = _positions(word_at)
    if not by:
        return Passage(tokens, word_at, words, word_at, words)
    stem_at = tuple(stem(word, by) for word in word_at)
    return Passage(tokens, word_at, words, stem_at, _positions(stem_at))


def _name(text: str, by: str) -> Name:
    passage = _passage(text, by)
    return Name(text, joined(passage.tokens), passage)


def _positions(words: Sequence[str]) -> Positions:
    found: dict[str, list[int]] = {}
    for position, word in enumerate(words):
        found.setdefault(word, []).append(position)
    return found
