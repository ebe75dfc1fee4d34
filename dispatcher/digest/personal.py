"""`{% personal %}…{% endpersonal %}`: what differs between the readers of one digest.

A template is rendered once, however many readers share its digest. Where a personal block stands, the rendering holds
a marker; `split` cuts the rendering there into shared text and slots. A slot is the block's own source: it is kept with
the digest, and filled for each reader when the message is assembled.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from dispatcher.digest import jinja
from dispatcher.digest.jinja import PERSONAL_NAMES, nearest
from dispatcher.digest.slots import Piece, Pieces, Slot


class PersonalExtension(Extension):
    """The tag. Every personal block is moved into a string before Jinja parses the template around it."""

    tags = {"personal"}  # noqa: RUF012 (Jinja's own declaration)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._token = "".join(secrets.choice("0123456789") for _ in range(16))
        self._marker = re.compile(f"(?:{_OPEN}|<!--|&lt;!--)({self._token}-[0-9]+)(?:{_CLOSE}|-->|--&gt;)")
        self._slots: list[Slot] = []

    @classmethod
    def join(cls, environment: Environment) -> PersonalExtension:
        """Add the tag to an environment, and hand out what splits its renderings."""
        environment.extensions[cls.identifier] = extension = cls(environment)
        return extension

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The source with each personal block as `{% personal "its source" %}`, on the same lines."""
        if "personal" not in source:
            return source
        source = re.sub(r"\r\n?", "\n", source)
        out, done = [], 0
        for block in _blocks(self.environment, source, name, filename):
            _check(block, name, filename)
            out += [source[done : block.name_at], f"personal {block.line} {_literal(block.body)}"]
            out += ["\n" * source.count("\n", block.name_at, block.tail_at), " "]
            done = block.tail_at
        return "".join(out) + source[done:]

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Refuse `subscriber` outside personal blocks, even where a branch is never taken."""
        before = ""
        for token in stream:
            if token.type == "name" and token.value == "subscriber" and before != "dot":
                message = "subscriber may only be used inside {% personal %}"
                raise TemplateSyntaxError(message, token.lineno, stream.name, stream.filename)
            before = token.type
            yield token

    def parse(self, parser: Parser) -> nodes.Node:
        """The marker in the place of the block."""
        lineno = next(parser.stream).lineno
        line = parser.stream.expect("integer").value
        body = parser.stream.expect("string").value
        self._slots.append(Slot(body, parser.filename or parser.name or "", int(line)))
        marker = f"{_OPEN}{self._token}-{len(self._slots) - 1}{_CLOSE}"
        return nodes.Output([nodes.TemplateData(marker)], lineno=lineno)

    def shield(self, html: str) -> str:
        """Markers between tags as comments, which an HTML parser leaves where they are, even within a table.

        ValueError for one inside a tag but outside the quotes of an attribute, where nothing could be escaped.
        """
        return _PART.sub(self._shielded, html)

    def _shielded(self, part: re.Match[str]) -> str:
        text = part[0]
        if self._token not in text:
            return text
        if not text.startswith("<"):
            return self._marker.sub(r"<!--\1-->", text)
        if not text.startswith("<!--") and self._marker.search(_QUOTED.sub("", text)):
            raise ValueError("inside a tag {% personal %} may only stand within the quotes of an attribute")
        return text

    def split(self, rendered: str) -> Pieces:
        """Cut a rendering at its markers. ValueError if something in the template has damaged one."""
        parts = self._marker.split(rendered)
        if any(self._token in part for part in parts[::2]):
            raise ValueError("a filter around {% personal %} would have changed it: put the filter inside")
        pieces: list[Piece] = []
        for shared, marker in zip(parts[::2], [*parts[1::2], ""], strict=True):
            pieces += [shared] if shared else []
            pieces += [self._slots[int(marker.partition("-")[2])]] if marker else []
        return tuple(pieces)


_OPEN, _CLOSE = "\ue000", "\ue001"
_QUOTED = re.compile("\"[^\"]*\"|'[^']*'")
_PART = re.compile(rf"<!--.*?-->|<[a-zA-Z/!](?:[^<>\"']|{_QUOTED.pattern})*>|[^<]+|<", re.DOTALL)
_JINJAS_OWN = ("loop", "caller", "varargs", "kwargs")
_FORBIDDEN = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)


@dataclass(frozen=True, slots=True)
class _Block:
    """One personal block in a source: where its opening word is, its body, and where its last `%}` stands."""

    name_at: int
    line: int
    body: str
    tail_at: int


def _blocks(environment: Environment, source: str, name: str | None, filename: str | None) -> Iterator[_Block]:
    """Find the blocks with Jinja's own lexer, so that comments, raw blocks and strings hide what they hide."""
    opened: tuple[int, int] | None = None
    body: list[str] = []
    for tag in _tags(environment, source, name, filename):
        if tag.word == "personal":
            if opened:
                raise TemplateSyntaxError("{% personal %} may not stand in another one", tag.line, name, filename)
            if not tag.is_bare:
                raise TemplateSyntaxError("{% personal %} takes no arguments", tag.line, name, filename)
            opened, body = (tag.name_at, source.count("\n", 0, tag.end) + 1), []
        elif tag.word == "endpersonal" and opened:
            yield _Block(*opened, "".join(body), tag.tail_at)
            opened = None
        elif opened:
            body.append(tag.text)
    if opened:
        line = source.count("\n", 0, opened[0]) + 1
        raise TemplateSyntaxError("{% personal %} is never closed: {% endpersonal %} is missing", line, name, filename)


@dataclass(slots=True)
class _Tag:
    """A stretch of source: a block tag (with its first word) or anything else. `text` is what the lexer left of it."""

    line: int
    text: str = ""
    word: str = ""
    is_bare: bool = True
    name_at: int = 0
    tail_at: int = 0
    end: int = 0


def _tags(environment: Environment, source: str, name: str | None, filename: str | None) -> Iterator[_Tag]:
    at, tag = 0, None
    for line, kind, value in environment.lexer.tokeniter(source, name, filename):
        start = source.index(value, at)
        at = start + len(value)
        if kind == "block_begin":
            tag = _Tag(line)
        if tag is None:
            yield _Tag(line, value)
            continue
        tag.text += value
        if kind == "name" and not tag.word:
            tag.word, tag.name_at = value, start
        elif kind not in ("block_begin", "whitespace", "block_end"):
            tag.is_bare = False
        if kind == "block_end":
            tag.tail_at, tag.end = start, at
            yield tag
            tag = None


def _check(block: _Block, name: str | None, filename: str | None) -> None:
    """Refuse at once what a personal block cannot know when it is filled, long after the template was rendered."""
    try:
        tree = jinja.environment().parse(block.body, name, filename)
    except TemplateSyntaxError as error:
        raise TemplateSyntaxError(error.message or "", block.line + error.lineno - 1, name, filename) from None
    for tag in tree.find_all(_FORBIDDEN):
        message = f"{{% {type(tag).__name__.lower()} %}} may not be used inside {{% personal %}}"
        raise TemplateSyntaxError(message, block.line + tag.lineno - 1, name, filename)
    known = {*PERSONAL_NAMES, *jinja.environment().globals, *_JINJAS_OWN, *_made_here(tree)}
    for used in tree.find_all(nodes.Name):
        if used.name not in known:
            message = f"{used.name!r} is not known inside {{% personal %}}{nearest(used.name, PERSONAL_NAMES)}"
            raise TemplateSyntaxError(message, block.line + used.lineno - 1, name, filename)


def _made_here(tree: nodes.Template) -> Iterator[str]:
    """The names that a block's own loops, assignments and macros make."""
    yield from (name.name for name in tree.find_all(nodes.Name) if name.ctx != "load")
    yield from (macro.name for macro in tree.find_all(nodes.Macro))


def _literal(text: str) -> str:
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', "\\x22") + '"'
