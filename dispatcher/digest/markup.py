"""HTML in pieces: whether a stretch of a page can be styled by itself, and in which surroundings it stands.

A page is parsed and its style sheet written into its tags as a whole. A stretch of it comes out the same by itself, if
its tags are balanced, if no rule of the style sheet looks at neighbours, and if all that is around is the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from dispatcher.digest.recorder import UnsharableError

Surroundings = tuple[str, ...]
"""The tags that are open at a place, with their attributes, and before them a hash of what the whole page begins with
and is styled with."""


def check_styles(page: str) -> None:
    """UnsharableError if a rule depends on what stands beside an element, or within it."""
    for sheet in _STYLE.findall(page):
        if selector := _looks_around(sheet):
            raise UnsharableError(f"the style sheet looks at neighbours: {selector}")


def surroundings(chunks: Sequence[str]) -> Iterator[Surroundings]:
    """What is around each joint between the chunks of a page that was parsed and written again."""
    styles = _STYLE.findall("".join(chunks))
    page = hashlib.sha256("\0".join((chunks[0][:_PROLOGUE], *styles)).encode()).hexdigest()
    opened: list[tuple[str, str]] = []
    for chunk in chunks[:-1]:
        for is_end, name, tag in _tags(chunk):
            if not is_end:
                opened.append((name, tag))
            elif not opened or opened.pop()[0] != name:
                raise UnsharableError("a loop over stories stands where the page is not well formed")
        if (opened and opened[-1][0] in _RAW) or _UNFINISHED.search(_COMMENT.sub("", chunk)):
            raise UnsharableError("a loop over stories stands within a tag")
        yield page, *(tag for _, tag in opened)


def check_edge(source: str) -> None:
    """UnsharableError if what follows this source would be taken for its continuation."""
    if _RUNS_ON.search(source[-_EDGE:]):
        raise UnsharableError("a loop over stories stands in the middle of a tag or of a character")


def check_balance(source: str) -> None:
    """UnsharableError if a stretch of HTML, as it was written, could have an effect on what is around it."""
    if _AFFECTS_PAGE.search(source):
        raise UnsharableError("the body of a loop has a tag that changes the whole page")
    opened: list[str] = []
    for is_end, name, _ in _tags(source):
        if not is_end:
            opened.append(name)
            continue
        while opened and opened[-1] != name and opened[-1] in _MAY_STAY_OPEN:
            opened.pop()
        if not opened or opened.pop() != name:
            raise UnsharableError(f"the body of a loop closes a <{name}> that it did not open")
    if left := [name for name in opened if name not in _MAY_STAY_OPEN]:
        raise UnsharableError(f"the body of a loop leaves <{left[0]}> open")


_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_RAW = frozenset(
    ["style", "script", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext", "textarea", "title"]
)
_MAY_STAY_OPEN = frozenset(["p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup"])
_COMMENT = re.compile("<!--.*?-->", re.DOTALL)
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style", re.DOTALL | re.IGNORECASE)
_CSS_ASIDE = re.compile(r"/\*.*?\*/|\"[^\"]*\"|'[^']*'", re.DOTALL)
_SELECTORS = re.compile(r"([^{};]+)\{")
_LOOKS_AROUND = re.compile(r"\+|~(?!=)|\|\||:(?:first|last|only|nth|empty|has|scope|host|slotted)", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>")
_UNFINISHED = re.compile(r"<[a-zA-Z/!?](?:[^>\"']|\"[^\"]*\"|'[^']*')*(?:\"[^\"]*|'[^']*)?$")
_RUNS_ON = re.compile(r"&#?\w*$|<[^>]*$|<(?:pre|listing|textarea)\b[^>]*>$", re.IGNORECASE)
_AFFECTS_PAGE = re.compile(
    r"<[/!?]?(?:style|link|script|base|html|head|body|frame|frameset|form|select|template|svg|math|plaintext|xmp|"
    r"title|textarea|iframe|noembed|noframes|noscript|caption|colgroup|doctype|\[CDATA)\b",
    re.IGNORECASE,
)
_EDGE, _PROLOGUE = 400, 60


@lru_cache(maxsize=64)
def _looks_around(sheet: str) -> str:
    """The first selector that asks for more than an element and those it stands in."""
    selectors = _SELECTORS.findall(_CSS_ASIDE.sub(" ", sheet))
    return next((one.strip() for one in selectors if _LOOKS_AROUND.search(one)), "")


def _tags(text: str) -> Iterator[tuple[bool, str, str]]:
    """Start and end tags in order, but for those of elements that have no end."""
    for found in _TAG.finditer(_raw_emptied(_COMMENT.sub("", text))):
        name = found[2].lower()
        if name not in _VOID:
            yield bool(found[1]), name, found[0]


def _raw_emptied(text: str) -> str:
    """Style sheets and the like, whose text is no markup, without it."""
    return re.sub(r"(<(style|script|title|textarea)\b[^>]*>).*?(</\2)", r"\1\3", text, flags=re.DOTALL | re.IGNORECASE)
