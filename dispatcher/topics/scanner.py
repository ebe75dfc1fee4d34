"""The scanner: a query's text as lexemes, each with the place where it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

from dispatcher.topics.syntax import MAX_DISTANCE, Field, error_at


class Kind(StrEnum):
    """What a lexeme is, in words that an error message can use."""

    OPEN = "an opening parenthesis"
    CLOSE = "a closing parenthesis"
    AND = "AND"
    OR = "OR"
    NOT = "NOT"
    FIELD = "a field"
    STAR = "*"
    WORD = "a word"
    PREFIX = "a prefix"
    PHRASE = "a phrase"
    NEAR = "a proximity"
    END = "the end of the query"


class Lexeme(NamedTuple):
    """One piece of a query. `at` counts characters from 0."""

    kind: Kind
    text: str
    at: int
    distance: int = 0


# As people and their word processors write them. One character for one, so that places stay the same.
_TYPED = str.maketrans(
    dict.fromkeys("„“”‟«»‹›＂「」『』〝〞〟", '"')
    | dict.fromkeys("‐‑‒–—―−－﹣", "-")
    | dict(zip("（）：＊", "():*", strict=True))
)
_BLANK = re.compile(r"[\s\ufeff]*")
_RUN = re.compile(r'[^\s()"\ufeff]+')
_NEARNESS = re.compile(r"[~～〜](\d*)")
_STRAY_NEARNESS = re.compile(r"[~～〜]|[^~]*[^~/]~\d*$")
_FIELD = re.compile(r"([^\W\d]+(?:-[^\W\d]+)*):(?!//|:)")
_OPERATORS = {"AND": Kind.AND, "OR": Kind.OR, "NOT": Kind.NOT}
_FIELDS = [name.value for name in Field if name]


def scan(text: str) -> Iterator[Lexeme]:
    """The lexemes of `text`, lazily, END last. Raises QueryError at the first place that makes no sense."""
    plain = text.translate(_TYPED)
    at = _skip_blanks(plain, 0)
    is_after_field = False
    while at < len(plain):
        lexeme, at = _next(text, plain, at, is_after_field)
        yield lexeme
        is_after_field = lexeme.kind is Kind.FIELD
        at = _skip_blanks(plain, at)
    yield Lexeme(Kind.END, "", len(plain))


def _skip_blanks(plain: str, at: int) -> int:
    found = _BLANK.match(plain, at)
    return found.end() if found else at


def _next(text: str, plain: str, at: int, is_after_field: bool) -> tuple[Lexeme, int]:
    """The lexeme that starts at `at`, and where it ends."""
    char = plain[at]
    if char in "()":
        return Lexeme(Kind.OPEN if char == "(" else Kind.CLOSE, char, at), at + 1
    if char == '"':
        return _quoted(text, plain, at)
    run = _RUN.match(plain, at)
    assert run  # whatever is neither blank, parenthesis nor quotation mark
    if char == "-":
        return _minus(text, plain, at, is_after_field), at + 1
    if is_after_field:
        return _word(text, at, run.end(), plain), run.end()
    if run[0] in _OPERATORS:
        return Lexeme(_OPERATORS[run[0]], run[0], at), run.end()
    field = _FIELD.match(plain, at, run.end())
    if field:
        return _field(text, field[1], at), field.end()
    return _word(text, at, run.end(), plain), run.end()


def _quoted(text: str, plain: str, at: int) -> tuple[Lexeme, int]:
    closing = plain.find('"', at + 1)
    if closing < 0:
        raise error_at(text, at, "this quotation mark is never closed", f"a closing {text[at]} after the phrase")
    inside, end = text[at + 1 : closing], closing + 1
    nearness = _NEARNESS.match(plain, end)
    if not nearness:
        if plain.startswith("*", end):
            raise error_at(text, end, "a star cannot follow a phrase", "a blank or the end of the query")
        return Lexeme(Kind.PHRASE, inside, at), end
    digits = nearness[1]
    if not digits or len(digits) > 3 or int(digits) > MAX_DISTANCE:
        raise error_at(text, end + 1, "a proximity needs its number of words", f"a number from 0 to {MAX_DISTANCE}")
    return Lexeme(Kind.NEAR, inside, at, int(digits)), nearness.end()


def _minus(text: str, plain: str, at: int, is_after_field: bool) -> Lexeme:
    if is_after_field:
        raise error_at(text, at, "a minus cannot follow a field", "the minus before the field, as in -title:word")
    behind = plain[at + 1 : at + 2]
    if not behind or behind.isspace() or behind in ")-":
        raise error_at(text, at, "a dash on its own means nothing", "-word to exclude a word")
    return Lexeme(Kind.NOT, plain[at], at)


def _field(text: str, name: str, at: int) -> Lexeme:
    known = name.casefold()
    if known in _FIELDS:
        return Lexeme(Kind.FIELD, known, at)
    nearest = get_close_matches(known, _FIELDS, n=1, cutoff=0.5)
    wanted = f"{nearest[0]}:" if nearest else ", ".join(f"{field}:" for field in _FIELDS)
    raise error_at(text, at, f"there is no field {name!r}", f"{wanted}, or quotation marks around a text with a colon")


def _word(text: str, at: int, end: int, plain: str) -> Lexeme:
    if _STRAY_NEARNESS.match(plain[at:end]):
        raise error_at(text, at, "a proximity belongs right behind a phrase", 'something like "wind power"~5')
    star = plain.find("*", at, end)
    if star < 0:
        return Lexeme(Kind.WORD, text[at:end], at)
    if end - at == 1:
        return _star(text, at, plain)
    if star == at or star < end - 1:
        raise error_at(text, star, "a star stands for everything, or ends a word", "a star at its end")
    return Lexeme(Kind.PREFIX, text[at:star], at)


def _star(text: str, at: int, plain: str) -> Lexeme:
    before, behind = plain[at - 1 : at] if at else "", plain[at + 1 : at + 2]
    if before in ('"', ")") or behind in ('"', "("):
        raise error_at(text, at, "a star stands for everything, or ends a word", "blanks around it")
    return Lexeme(Kind.STAR, "*", at)
