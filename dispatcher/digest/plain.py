"""Plain text that reads well in a fixed-width window: wrapping, shortening, underlining, in every script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import combining, east_asian_width

WIDTH = 72


def wrap(text: str, width: int = WIDTH, indent: str = "") -> str:
    """Wrap at blanks to `width` columns, paragraph by paragraph; a link is never broken.

    Wide characters count two columns, and a run of them may be broken anywhere, as their languages have no blanks.
    """
    room = max(width - columns(indent), 8)
    lines = ("\n".join(indent + line for line in _lines(paragraph, room)) for paragraph in paragraphs(text))
    return "\n\n".join(lines)


def paragraphs(text: str) -> list[str]:
    """The text between empty lines, without blanks around it."""
    return [part.strip() for part in re.split(r"\n[^\S\n]*\n\s*", text.replace("\r\n", "\n")) if part.strip()]


def shorten(text: str, length: int = 160) -> str:
    """One line of at most `length` characters, cut at a word, with an ellipsis if anything is missing."""
    return cut_at_word(" ".join(text.split()), length)


def cut_at_word(text: str, length: int) -> str:
    """At most `length` characters, cut at a blank if there is one in reach, with an ellipsis; 0 is nothing."""
    if len(text) <= length:
        return text
    head = text[: max(length - 1, 0)]
    blank = max(head.rfind(" "), head.rfind("\n"))
    kept = (head[:blank] if blank > length // 2 else head).rstrip(" \n,;:.-–—")
    return kept + "…" if kept else ""


def underline(text: str, mark: str = "-") -> str:
    """The text on one line with a rule of the same width beneath."""
    line = " ".join(text.split())
    return f"{line}\n{mark * min(columns(line), WIDTH)}"


def columns(text: str) -> int:
    """How many columns of a fixed-width window the text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _lines(paragraph: str, room: int) -> Iterator[str]:
    line, used = "", 0
    for word in _words(paragraph, room):
        width = columns(word)
        if line and used + 1 + width > room:
            yield line
            line, used = "", 0
        line, used = (f"{line} {word}", used + 1 + width) if line else (word, width)
    if line:
        yield line


def _words(paragraph: str, room: int) -> Iterator[str]:
    for word in paragraph.split():
        if len(word) == columns(word) or columns(word) <= room:
            yield word
        else:
            yield from _pieces(word, room)


def _pieces(word: str, room: int) -> Iterator[str]:
    piece, used = "", 0
    for character in word:
        width = _width(character)
        if piece and used + width > room:
            yield piece
            piece, used = "", 0
        piece, used = piece + character, used + width
    yield piece
