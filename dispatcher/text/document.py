"""Documents: an article analysed once, so that any number of queries can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Document:
    """An article as the topics see it. The long texts stay with the caller: tokens carry spans into them.

    `language` is a primary subtag or ''; `stemmed_by` the algorithm behind its stems, '' for none.
    """

    language: str
    stemmed_by: str
    title: Passage
    summary: Passage
    body: Passage
    tags: tuple[Name, ...]
    authors: tuple[Name, ...]
    sources: tuple[Name, ...]


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
    by = algorithm(spoken)
    return Document(
        language=spoken,
        stemmed_by=by,
        title=_passage(title, by),
        summary=_passage(summary, by),
        body=_passage(body, by),
        tags=tuple(_name(tag, by) for tag in tags),
        authors=tuple(_name(author, "") for author in authors),  # a person's name has no inflections to strip
        sources=tuple(_name(source, "") for source in sources),
    )


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
