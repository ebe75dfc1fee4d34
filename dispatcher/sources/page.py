"""An HTML page kept as a file → what it says about itself and the part that is the article."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())  # noqa: SIM905
_FURNITURE = frozenset("nav footer aside form script style noscript template iframe svg button select".split())  # noqa: SIM905
_REGIONS = ("article", "main", "body")
_IN_HEAD = frozenset("html head title meta link base script style noscript template".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Page:
    """A page's own words: texts are plain, `body` is HTML, `meta` has lower-case names, tags in order."""

    title: str = ""
    body: str = ""
    language: str = ""
    canonical: str = ""
    base: str = ""
    meta: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


def read(text: str) -> Page:
    """Take a page apart. Never fails: what is missing is empty, and a fragment is all body."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    regions = {name: "".join(pieces).strip() for name, pieces in reader.regions.items()}
    body = next((regions[name] for name in _REGIONS if regions[name]), "")
    return Page(
        title=_title(reader),
        body=body,
        language=reader.language or reader.meta.get("og:locale", "") or reader.meta.get("content-language", ""),
        canonical=reader.canonical or reader.meta.get("og:url", ""),
        base=reader.base,
        meta=reader.meta,
        tags=tuple(reader.tags),
    )


def _title(reader: _Reader) -> str:
    """The headline: og:title; a <h1> that <title> repeats with the site's name around it; <title>; <h1>."""
    title, heading = (" ".join("".join(pieces).split()) for pieces in (reader.title, reader.heading))
    repeated = heading if heading and heading in title else ""
    return reader.meta.get("og:title", "") or repeated or title or heading


class _Reader(HTMLParser):
    """Copies the article's markup, without page furniture and without its headline, which is the title."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.meta: dict[str, str] = {}
        self.tags: list[str] = []
        self.language = self.canonical = self.base = ""
        self.title: list[str] = []
        self.heading: list[str] = []
        self.regions: dict[str, list[str]] = {name: [] for name in _REGIONS}
        self._open = {"article": 0, "main": 0}
        self._furniture: list[str] = []
        self._listening: list[str] | None = None
        self._has_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: (value or "").strip() for name, value in attrs}
        if self._furniture:
            if tag == self._furniture[-1]:
                self._furniture.append(tag)
        elif tag in _FURNITURE:
            self._furniture.append(tag)
        elif tag == "title" and not self.title:
            self._listening = self.title
        elif tag == "h1" and not self._has_heading:
            self._has_heading, self._listening = True, self.heading
        elif tag in self._open:
            self._open[tag] += 1
        else:
            self._note(tag, given)
            self._copy(self.get_starttag_text() or "", is_markup=tag in _IN_HEAD or tag == "body")

    def handle_endtag(self, tag: str) -> None:
        if self._furniture:
            if tag == self._furniture[-1]:
                self._furniture.pop()
        elif tag in ("title", "h1") and self._listening is not None:
            self._listening = None
        elif tag in self._open:
            self._open[tag] = max(0, self._open[tag] - 1)
        elif tag not in _VOID:
            self._copy(f"</{tag}>", is_markup=tag in _IN_HEAD or tag == "body")

    def handle_data(self, data: str) -> None:
        if self._furniture:
            return
        if self._listening is not None:
            self._listening.append(data)
        else:
            self._copy(html.escape(data, quote=False), is_markup=False)

    def _copy(self, piece: str, *, is_markup: bool) -> None:
        if is_markup or self._listening is not None:
            return
        self.regions["body"].append(piece)
        for region, depth in self._open.items():
            if depth:
                self.regions[region].append(piece)

    def _note(self, tag: str, given: dict[str, str]) -> None:
        if tag == "html":
            self.language = given.get("lang", "")
        elif tag == "base":
            self.base = self.base or given.get("href", "")
        elif tag == "link" and "canonical" in given.get("rel", "").lower().split():
            self.canonical = self.canonical or given.get("href", "")
        elif tag == "meta":
            self._note_meta(given)

    def _note_meta(self, given: dict[str, str]) -> None:
        name = (given.get("property") or given.get("name") or given.get("http-equiv") or "").lower()
        content = given.get("content", "")
        if name == "article:tag" and content:
            self.tags.append(content)
        elif name and content:
            self.meta.setdefault(name, content)
