"""The parser: recursive descent from a query's text to its tree.

either   = all { "OR" all }
all      = part { ["AND"] part }
part     = ("NOT" | "-") part | field ":" (leaf | "(" either ")") | leaf | "(" either ")"
leaf     = word | prefix "*" | '"' phrase '"' | '"' words '"~' number | "*"
"""

from __future__ import annotations

from collections.abc import Callable

from dispatcher.errors import QueryError
from dispatcher.text.language import primary
from dispatcher.text.tokens import Token, joined, pieces, tokenise
from dispatcher.topics.canonical import canonical, is_anchored
from dispatcher.topics.scanner import Kind, Lexeme, scan
from dispatcher.topics.syntax import (
    MAX_DEPTH,
    MAX_LEAVES,
    MAX_LENGTH,
    MAX_WORDS,
    MIN_PREFIX,
    And,
    Everything,
    Field,
    Leaf,
    Name,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Word,
    error_at,
)

_TERM = "a word, a phrase or an opening parenthesis"
_LEAVES = {Kind.WORD, Kind.PREFIX, Kind.PHRASE, Kind.NEAR, Kind.STAR}


def parse(text: str) -> Node:
    """The tree of a query. Raises QueryError, and nothing else, for a text that is none."""
    if not text.strip():
        raise error_at(text, 0, "the query is empty", f"{_TERM}, or * for everything")
    if "\0" in text:
        raise error_at(text, text.index("\0"), "here is a character that no text has", "letters and signs")
    if len(text) > MAX_LENGTH:
        raise error_at(text, MAX_LENGTH, "the query is too long", f"at most {MAX_LENGTH} characters")
    node = _Parser(text).parse()
    _check(text, node)
    return node


def _check(text: str, node: Node) -> None:
    """What only the whole tree can tell: that it asks for something, and that it can be stored."""
    if unanchored := _find_unanchored(node):
        raise error_at(text, unanchored.at, "this only excludes, so it would match nearly every article",
                       "something to look for beside it, or * for everything")  # fmt: skip
    # Folding and spread-out fields can make the stored text longer than the typed one, by less than twenty times
    if len(text) * 20 > MAX_LENGTH and len(canonical(node)) > MAX_LENGTH:
        raise error_at(text, 0, "the query is too long once written out", f"at most {MAX_LENGTH} characters")


def _find_unanchored(node: Node) -> Node | None:
    """The smallest part that lets an article match without anything found in it, or None."""
    if is_anchored(node):
        return None
    if isinstance(node, Or):
        return next((found for child in node.children if (found := _find_unanchored(child))), node)
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lexemes = scan(text)
        self.next = next(self.lexemes)
        self.depth = 0
        self.leaves = 0

    def parse(self) -> Node:
        node = self.either(Field.ANY)
        if self.next.kind is Kind.CLOSE:
            raise self.error(self.next, "this parenthesis closes nothing", f"{_TERM}, or the end of the query")
        return node

    def either(self, field: Field) -> Node:
        at = self.next.at
        children = [self.all(field)]
        while self.next.kind is Kind.OR:
            self.take()
            children.append(self.all(field))
        return children[0] if len(children) == 1 else Or(tuple(children), at)

    def all(self, field: Field) -> Node:
        at = self.next.at
        children = [self.part(field)]
        while self.next.kind not in (Kind.OR, Kind.CLOSE, Kind.END):
            if self.next.kind is Kind.AND:
                self.take()
            children.append(self.part(field))
        return children[0] if len(children) == 1 else And(tuple(children), at)

    def part(self, field: Field) -> Node:
        lexeme = self.take()
        if lexeme.kind is Kind.NOT:
            return Not(self.nested(lexeme, lambda: self.part(field)), lexeme.at)
        if lexeme.kind is Kind.FIELD:
            return self.fielded(lexeme)
        if lexeme.kind is Kind.OPEN:
            return self.group(lexeme, field)
        if lexeme.kind in _LEAVES:
            return self.leaf(lexeme, field)
        raise self.error(lexeme, f"{lexeme.kind.value} stands where something to look for should", _TERM)

    def fielded(self, lexeme: Lexeme) -> Node:
        field, behind = Field(lexeme.text), self.take()
        if behind.kind is Kind.OPEN:
            return self.group(behind, field)
        if behind.kind in _LEAVES:
            return self.leaf(behind._replace(at=lexeme.at), field)
        raise self.error(behind, f"nothing to look for follows {field}:", _TERM)

    def group(self, opening: Lexeme, field: Field) -> Node:
        node = self.nested(opening, lambda: self.either(field))
        if self.next.kind is not Kind.CLOSE:
            raise self.error(opening, "this parenthesis is never closed", "a closing )")
        self.take()
        return node

    def nested(self, lexeme: Lexeme, parse: Callable[[], Node]) -> Node:
        if self.depth == MAX_DEPTH:
            raise self.error(lexeme, "the query is nested too deeply", f"at most {MAX_DEPTH} levels")
        self.depth += 1
        node = parse()
        self.depth -= 1
        return node

    def leaf(self, lexeme: Lexeme, field: Field) -> Leaf:
        self.leaves += 1
        if self.leaves > MAX_LEAVES:
            raise self.error(lexeme, "the query has too many parts", f"at most {MAX_LEAVES} words and phrases")
        return _leaf(lexeme, field, self.error)

    def take(self) -> Lexeme:
        taken = self.next
        if taken.kind is not Kind.END:
            self.next = next(self.lexemes)
        return taken

    def error(self, lexeme: Lexeme, message: str, expected: str) -> QueryError:
        return error_at(self.text, lexeme.at, message, expected)


def _leaf(lexeme: Lexeme, field: Field, error: Callable[[Lexeme, str, str], QueryError]) -> Leaf:
    """The leaf that a lexeme means in a field, its text normalised."""
    kind, text, at, distance = lexeme
    if kind is Kind.STAR:
        if field:
            raise error(lexeme, f"{field}: cannot take a star alone", f"a word or phrase after {field}:")
        return Everything(at)
    if field is Field.LANG:
        if kind not in (Kind.WORD, Kind.PHRASE) or not primary(text):
            raise error(lexeme, f"{text!r} is not a language code", "a code of two or three letters, such as lang:de")
        return Name(primary(text), field, at)
    tokens = tokenise(text)
    if not tokens:
        raise error(lexeme, f"{text!r} holds nothing to look for", "letters or digits")
    if len(tokens) > MAX_WORDS:
        raise error(lexeme, "this word or phrase is too long", f"at most {MAX_WORDS} words")
    if kind is Kind.NEAR:
        return Near(_apart(tokens, lexeme, error), distance, field, at)
    if kind is Kind.PREFIX:
        if sum(len(token.word) for token in pieces(tokens)[-1]) < MIN_PREFIX:
            raise error(lexeme, f"the prefix {text}* is too short", f"at least {MIN_PREFIX} letters before the star")
        return Prefix(joined(tokens), field, at)
    if field in (Field.TAG, Field.SOURCE):
        return Name(joined(tokens), field, at)
    if kind is Kind.PHRASE or field is Field.AUTHOR:
        return Phrase(joined(tokens, " "), field, at)
    return Word(joined(tokens), field, at)


def _apart(tokens: list[Token], lexeme: Lexeme, error: Callable[[Lexeme, str, str], QueryError]) -> str:
    """The different words of a proximity, sorted, because their order means nothing."""
    words = sorted({joined(piece) for piece in pieces(tokens)})
    if len(words) < 2:
        raise error(lexeme, "a proximity needs at least two different words", 'two words, as in "wind power"~5')
    return " ".join(words)
