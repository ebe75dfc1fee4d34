"""HTML as it comes → tags and text, in one pass over the characters and nothing built.

A tree builder is the wrong first reader for hostile HTML: 200,000 nested `<div>` cost html5ever two minutes, and a few
thousand unclosed `<b a=1>` its memory. What is made of these tokens is well nested and bounded before nh3 sees it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""<!--.*?(?:-->|\Z)                                                  # a comment, closed or not
      | <[!?][^<>]*>                                                       # <!DOCTYPE>, <![CDATA[…]]>, <?pi>
      | <(/?)([a-zA-Z][a-zA-Z0-9]*+)((?:=\s*+(?:"[^"]*"|'[^']*')|[^<>])*+)>  # a tag; quotes count only behind "="
    """,
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""(?<![\w-])([a-zA-Z][a-zA-Z-]*+)\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]++))""")

# What stands in these is not text that anybody reads.
_SILENT = frozenset(
    """audio button embed iframe math noscript object script select style svg template textarea title
    video""".split()  # noqa: SIM905
)
_RAW = frozenset(("iframe", "script", "style", "textarea", "title"))


class Tag(NamedTuple):
    """A start or end tag; its name in lower case, its attributes as written."""

    name: str
    is_end: bool
    written: str

    def attributes(self) -> dict[str, str]:
        """The attributes, decoded; of two with one name the first counts, as in HTML."""
        found: dict[str, str] = {}
        for name, *values in _ATTRIBUTE.findall(self.written):
            found.setdefault(name.lower(), html.unescape("".join(values)))
        return found


def tokens(markup: str) -> Iterator[str | Tag]:
    """The tags and the decoded texts between them, without comments and without what scripts and the like hold.

    "1 < 2" and "<3" are text; so is whatever begins like a tag and never ends.
    """
    position = 0
    unclosed: set[str] = set()
    while found := _TOKEN.search(markup, position):
        if found.start() > position:
            yield html.unescape(markup[position : found.start()])
        position = found.end()
        if found[2] is None:
            continue
        tag = Tag(found[2].lower(), found[1] == "/", found[3])
        if tag.name not in _SILENT:
            yield tag
        elif not tag.is_end and tag.name not in unclosed:
            end = re.compile(rf"</{tag.name}\b[^<>]*>", re.IGNORECASE).search(markup, position)
            if end is None and tag.name in _RAW:
                return
            if end is None:
                unclosed.add(tag.name)  # so that a flood of them is not searched for each time
            else:
                position = end.end()
    if position < len(markup):
        yield html.unescape(markup[position:])
