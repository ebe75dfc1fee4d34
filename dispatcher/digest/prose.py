"""Prose: the Markdown of an edition as blocks, each in HTML and in text that reads well by itself.

    What a week.                     ▷ Block(html="<p>What a week.</p>", text="What a week.")

    ```stories                       ▷ Block(section="1"), and an Order: which stories belong there
    topic: harbour
    since: 7d
    limit: 5
    ```

HTML written into the Markdown is shown as what it is, text; whatever comes out is made safe once more by `body.mailed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from markdown_it import MarkdownIt
from markdown_it.token import Token

from dispatcher.digest.plain import underline, wrap
from dispatcher.model.edition import Block

MOST_STORIES = 50
"""In one block."""

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class StoryOrder:
    """Which stories stand in a block: these addresses, or the best of a topic (or of all) of so long."""

    section: str
    line: int
    urls: tuple[str, ...] = ()
    topic: str = ""
    since: timedelta = WEEK
    limit: int = 5
    layout: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a block, and on which line of the text it begins."""

    line: int
    message: str


def blocks(markdown: str) -> tuple[tuple[Block, ...], tuple[StoryOrder, ...], tuple[Fault, ...]]:
    """An edition's text as blocks in order, the stories asked for, and what cannot be understood."""
    made: list[Block] = []
    orders: list[StoryOrder] = []
    faults: list[Fault] = []
    tokens = _MARKDOWN.parse(markdown)
    for stretch in _stretches(tokens):
        first = stretch[0]
        if not _is_order(first):
            made.append(Block(_MARKDOWN.renderer.render(stretch, _MARKDOWN.options, {}), _text(stretch)))
            continue
        read = _order(first, str(len(orders) + 1))
        if isinstance(read, Fault):
            faults.append(read)
        else:
            orders.append(read)
            made.append(Block(section=read.section))
    return tuple(made), tuple(orders), tuple(faults)


_MARKDOWN = MarkdownIt("commonmark", {"html": False, "typographer": False}).enable(["table", "strikethrough"])
_SPAN = re.compile(r"([1-9][0-9]{0,3})\s*(h|d|w)")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": WEEK}
_KEYS = ("topic", "since", "limit", "layout")
_LAYOUTS = ("cards", "list", "headlines", "full")


def _is_order(token: Token) -> bool:
    return token.type == "fence" and token.info.strip().lower() == "stories"


def _stretches(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """What stands between the blocks of stories, and those."""
    stretch: list[Token] = []
    for token in tokens:
        if _is_order(token) and token.level == 0:
            if stretch:
                yield stretch
            yield [token]
            stretch = []
        else:
            stretch.append(token)
    if stretch:
        yield stretch


# Blocks of stories


def _order(token: Token, section: str) -> StoryOrder | Fault:
    first = (token.map or [0])[0] + 2  # the line below the fence, counted from 1
    urls: list[str] = []
    known: dict[str, str] = {}
    for number, line in enumerate(token.content.splitlines(), first):
        text = line.strip()
        if re.match("https?://", text):
            urls.append(text)
        elif text:
            key, colon, value = (part.strip() for part in text.partition(":"))
            if not colon or key not in _KEYS:
                wanted = "an article's address, or one of " + ", ".join(f"{name}:" for name in _KEYS)
                return Fault(number, f'"{text[:60]}" is not understood in a block of stories; expected {wanted}')
            known[key] = value
    return _understood(section, first - 1, urls, known)


def _understood(section: str, line: int, urls: Sequence[str], known: dict[str, str]) -> StoryOrder | Fault:
    if urls and known.keys() - {"layout"}:
        return Fault(line, "a block of stories has addresses or a topic, not both")
    if known.get("layout", "cards") not in _LAYOUTS:
        return Fault(line, f'there is no layout "{known["layout"]}"; expected {", ".join(_LAYOUTS)}')
    span = _SPAN.fullmatch(known.get("since", "7d"))
    if span is None:
        return Fault(line, f'"{known["since"]}" is no time back; expected one such as 12h, 7d or 2w')
    limit = known.get("limit", "5")
    if not (limit.isascii() and limit.isdigit() and 0 < int(limit[:4]) <= MOST_STORIES):
        return Fault(line, f'"{limit}" is no number of stories; expected one from 1 to {MOST_STORIES}')
    since = int(span[1]) * _UNITS[span[2]]
    layout = known.get("layout", "")
    return StoryOrder(section, line, tuple(urls[:MOST_STORIES]), known.get("topic", ""), since, int(limit), layout)


# As text


def _text(tokens: Sequence[Token]) -> str:
    """What was written for those who read text: links behind their words, headings underlined, lists with marks."""
    scribe = _Scribe()
    for place, token in enumerate(tokens):
        scribe.take(token, tokens[place - 1].type)
    return scribe.finish()


class _Scribe:
    """Writes tokens down, one after the other."""

    def __init__(self) -> None:
        self._said: list[tuple[str, bool]] = []  # a paragraph, and whether it is an item of a list
        self._marks: list[str] = []  # of the lists that are open: of an ordered one, the next number
        self._mark, self._quotes = "", 0
        self._row: list[str] | None = None

    def take(self, token: Token, within: str) -> None:
        """The next token; `within` is what was opened right before it."""
        kind = token.type
        if kind == "inline":
            self._write(_inline(token.children or ()), within)
        elif kind in ("bullet_list_open", "ordered_list_open"):
            self._marks.append("*" if kind.startswith("bullet") else str(token.attrGet("start") or 1))
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._marks.pop()
        elif kind == "list_item_open":
            self._begin_item()
        elif kind in ("blockquote_open", "blockquote_close"):
            self._quotes += 1 if kind.endswith("open") else -1
        elif kind == "tr_open":
            self._row = []
        elif kind == "tr_close":
            self._said.append((" | ".join(self._row or ()), True))
            self._row = None
        elif kind in ("fence", "code_block"):
            self._said.append(("\n".join(f"    {line}" for line in token.content.rstrip("\n").splitlines()), False))
        elif kind == "hr":
            self._said.append(("* * *", False))

    def finish(self) -> str:
        """All of it: paragraphs apart, the items of a list beneath each other."""
        text, was_item = "", False
        for said, is_item in self._said:
            if said:
                text += ("\n" if was_item and is_item else "\n\n") + said if text else said
                was_item = is_item
        return text

    def _begin_item(self) -> None:
        mark = self._marks[-1]
        self._mark = mark if mark == "*" else f"{mark}."
        if mark != "*":
            self._marks[-1] = str(int(mark) + 1)

    def _write(self, said: str, within: str) -> None:
        if self._row is not None:
            self._row.append(said)
            return
        if within == "heading_open":
            self._said.append((underline(said), False))
            return
        indent = "  " * len(self._marks) + "> " * self._quotes
        text, is_item = wrap(said, indent=indent), bool(self._mark)
        if is_item:
            text = "  " * (len(self._marks) - 1) + f"{self._mark} {text.lstrip()}"
            self._mark = ""
        self._said.append((text, is_item))


def _inline(children: Sequence[Token]) -> str:
    said, hrefs = "", list[str]()
    for token in children:
        if token.type in ("text", "code_inline"):
            said += token.content
        elif token.type in ("softbreak", "hardbreak"):
            said += " "
        elif token.type == "image":
            said += f"[{token.content}]" if token.content else ""
        elif token.type == "link_open":
            hrefs.append(str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            href = hrefs.pop()
            said += "" if said.endswith(href) else f" <{href}>"
    return said.strip()
