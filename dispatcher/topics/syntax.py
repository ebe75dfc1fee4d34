"""The syntax tree of a query, and the bounds that every query keeps.

Texts in leaves are normalised: folded words as `dispatcher.text.tokens.joined` writes them. `at` is where a node starts
in the text it was parsed from; it takes no part in equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum

from dispatcher.errors import QueryError

MAX_LENGTH = 10_000  # characters of text
MAX_LEAVES = 256
MAX_WORDS = 64  # in one leaf
MAX_DEPTH = 32  # parentheses and NOTs inside each other
MAX_DISTANCE = 100  # words between those of a proximity
MIN_PREFIX = 3  # letters before the star


class Field(StrEnum):
    """Where a leaf looks. ANY is title, summary, body and tags."""

    ANY = ""
    TITLE = "title"
    SUMMARY = "summary"
    BODY = "body"
    TAG = "tag"
    SOURCE = "source"
    AUTHOR = "author"
    LANG = "lang"


@dataclass(frozen=True, slots=True)
class Everything:
    """`*`: every article."""

    at: int = attribute(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Word:
    """A word, stemmed where languages agree. One written with hyphens and the like is a sequence of words."""

    text: str
    field: Field = Field.ANY
    at: int = attribute(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in sequence, folded but not stemmed, within one text."""

    text: str
    field: Field = Field.ANY
    at: int = attribute(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Prefix:
    """Words that begin like this, folded but not stemmed; for a tag or source, names that do."""

    text: str
    field: Field = Field.ANY
    at: int = attribute(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Near:
    """Words, in any order, with at most `distance` other words between the first and the last of them."""

    text: str
    distance: int
    field: Field = Field.ANY
    at: int = attribute(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A whole tag or source name, or a language code."""

    text: str
    field: Field
    at: int = attribute(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    children: tuple[Node, ...]
    at: int = attribute(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these."""

    children: tuple[Node, ...]
    at: int = attribute(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    child: Node
    at: int = attribute(default=0, compare=False, repr=False)


Leaf = Everything | Word | Phrase | Prefix | Near | Name
Node = Leaf | And | Or | Not


def leaves(node: Node) -> Iterator[Leaf]:
    """All leaves below `node`, negated ones included."""
    match node:
        case And(children) | Or(children):
            for child in children:
                yield from leaves(child)
        case Not(child):
            yield from leaves(child)
        case _:
            yield node


def error_at(text: str, at: int, message: str, expected: str = "") -> QueryError:
    """The QueryError for the place `at`; at the end of the text it points behind the last visible character."""
    lines = (text[: min(at, len(text.rstrip()))] + "^").splitlines()
    return QueryError(message, text=text, line=len(lines), column=len(lines[-1]), expected=expected)
