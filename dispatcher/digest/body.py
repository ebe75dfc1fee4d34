"""The whole text of an article as HTML that mail programs can show: few tags, no attributes but what they need.

What comes out is safe whatever went in: a tag, attribute or address that is not known is not written. Every element is
closed in its turn, so that what follows is not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser

from dispatcher.digest.plain import cut_at_word

LONGEST = 24_000
"""Characters of one article's HTML that are mailed; the rest is read where it was published."""


def mailed(html: str, *, pictures: bool = True, longest: int = LONGEST) -> str:
    """The article's HTML for a mail, cut after a whole block where it is longer than that. Headings begin at h3."""
    writer = _Writer(pictures, longest)
    writer.feed(html)
    writer.close()
    return writer.finish()


class _Writer(HTMLParser):
    """Writes what is known, and of everything else only its text."""

    def __init__(self, pictures: bool, longest: int) -> None:
        super().__init__(convert_charrefs=True)
        self._pictures, self._longest = pictures, longest
        self._written: list[str] = []
        self._length = 0
        self._open: list[str] = []
        self._sound = 0
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """An element begins, under the name that it has in a mail."""
        if tag in _UNHEARD:
            self._skipped += 1
        name = _NAMES.get(tag, "")
        if self._is_deaf or not name or (tag == "img" and not self._pictures):
            return
        self._close_unended(name)
        known = {key: value for key, value in attrs if value}
        kept = _attributes(tag, known)
        if kept is None:
            return
        written = "".join(f' {key}="{escape(value)}"' for key, value in kept.items())
        self._write(f"<{name}{written}>")
        if name not in _VOID:
            self._open.append(name)
        elif not self._open:
            self._sound = len(self._written)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """`<br/>` is `<br>`, and so is any other."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """An element ends, and all that is open in it."""
        if tag in _UNHEARD:
            self._skipped = max(self._skipped - 1, 0)
        name = _NAMES.get(tag, "")
        if self._is_deaf or name in _VOID or name not in self._open:
            return
        while self._close() != name:
            pass

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._is_deaf:
            return
        room = self._longest - self._length
        self._write(escape(data if self._sound else cut_at_word(data, room), quote=False))
        if len(data) > room:
            self._length = self._longest + 1

    def finish(self) -> str:
        """What was written, up to the last block that is whole if it was too much."""
        if self._is_full and self._sound:
            return "".join(self._written[: self._sound])
        while self._open:
            self._close()
        return "".join(self._written).strip()

    @property
    def _is_deaf(self) -> bool:
        return bool(self._skipped) or self._is_full

    @property
    def _is_full(self) -> bool:
        return self._length > self._longest

    def _close_unended(self, name: str) -> None:
        while self._open and self._open[-1] in _ENDED_BY.get(name, ()):
            self._close()

    def _write(self, text: str) -> None:
        self._length += len(text)
        self._written.append(text)

    def _close(self) -> str:
        name = self._open.pop()
        self._written.append(f"</{name}>")
        self._length += len(name) + 3
        if not self._open:
            self._sound = len(self._written)
        return name


def _attributes(tag: str, known: dict[str, str]) -> dict[str, str] | None:
    """What a tag keeps of its attributes; None if it is nothing without those that it lacks."""
    kept = {key: known[key] for key in ("lang", "dir") if _WORD.fullmatch(known.get(key, ""))}
    if tag == "a":
        return kept | {"href": known["href"]} if _ADDRESS.match(known.get("href", "")) else None
    if tag == "img":
        if not _PICTURE.match(known.get("src", "")):
            return None
        width = known.get("width", "")
        small = {"width": width} if width.isascii() and width.isdigit() and 0 < int(width[:6]) < _WIDTH else {}
        return {"src": known["src"], "alt": known.get("alt", ""), **(small or {"width": str(_WIDTH)})}
    if tag in ("td", "th"):
        scope = {"scope": known["scope"] if known.get("scope") in _SCOPES else "col"} if tag == "th" else {}
        spans = {key: known[key] for key in ("colspan", "rowspan") if _NUMBER.fullmatch(known.get(key, ""))}
        return kept | spans | scope
    if tag == "ol" and _NUMBER.fullmatch(known.get("start", "")):
        return kept | {"start": known["start"]}
    if tag == "table":
        return kept | {"cellpadding": "0", "cellspacing": "0", "border": "0"}
    return kept


_WIDTH = 536
_SAME = "a b blockquote br code em h3 h4 hr i img li ol p pre s strong sub sup table td th tr u ul"
_NAMES = {name: name for name in _SAME.split()} | {
    "h1": "h3", "h2": "h3", "h5": "h4", "h6": "h4", "del": "s", "strike": "s", "ins": "u", "kbd": "code",
    "samp": "code", "tt": "code", "var": "i", "cite": "i", "dfn": "i",
    "div": "div", "figure": "div", "figcaption": "div", "details": "div", "summary": "div", "dt": "div", "dd": "div",
}  # fmt: skip
_VOID = ("br", "hr", "img")
_UNHEARD = ("script", "style", "title", "template", "noscript", "iframe", "object", "svg", "math", "head", "textarea")
_ENDED_BY = {"li": ("p", "li"), "tr": ("td", "th", "tr"), "td": ("td", "th"), "th": ("td", "th")} | dict.fromkeys(
    ("p", "div", "ul", "ol", "h3", "h4", "blockquote", "pre", "hr", "table"), ("p",)
)
_SCOPES = ("row", "col", "rowgroup", "colgroup")
_WORD = re.compile("[A-Za-z0-9-]{1,20}")
_NUMBER = re.compile("[0-9]{1,4}")
_ADDRESS = re.compile("(?:https?://|mailto:)", re.IGNORECASE)
_PICTURE = re.compile("https?://|cid:[0-9a-f]{32}@", re.IGNORECASE)  # or within the mail: see `pictures`
