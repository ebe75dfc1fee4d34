"""HTML → the text a person would read, and the odd characters no text should carry."""

from __future__ import annotations

import html
import re
import unicodedata

import nh3

MAX_HTML = 1_000_000
MAX_DEPTH = 200
SILENT = frozenset(
    """audio button embed iframe math noscript object script select style svg template textarea title
    video""".split()  # noqa: SIM905
)

_BLOCKS = frozenset(
    """address article aside blockquote caption dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4
    h5 h6 header hr li main nav ol p pre section summary table tbody tfoot thead tr ul br""".split()  # noqa: SIM905
)
_CELLS = frozenset(("td", "th"))
_ENDS_OPTIONAL = frozenset("p li dt dd tr td th thead tbody tfoot option colgroup rp rt".split())  # noqa: SIM905
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905

_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_WHOLE_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<![a-zA-Z\[][^<>]*>")
_SILENT_TAG = re.compile(r"<(/?)(?:script|style)\b[^<>]*>", re.IGNORECASE)
_BARE_TAG = re.compile(r"<(/?)([a-z0-9]+)>")
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_CONTROLS = {
    code: None for code in [*range(0x20), *range(0x7F, 0xA0), 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB] if code not in (9, 10)
}
_LINE_CONTROLS = _CONTROLS | {ord(character): None for character in _BIDI}


def html_to_text(markup: str) -> str:
    """The text of any HTML: one line to a block, a blank between table cells, no scripts and styles."""
    markup = printable(markup[:MAX_HTML])
    if "<" not in markup:
        return _lines(markup)
    if not is_tame(markup):
        return strip_tags(markup).strip()
    bare = nh3.clean(markup, tags=set(_BLOCKS | _CELLS), clean_content_tags=set(SILENT), attributes={}, link_rel=None)
    return _lines(bare)


def _lines(bare: str) -> str:
    """The text of HTML that has only tags of blocks and cells, without attributes: every `<` begins one."""
    broken = _BARE_TAG.sub(lambda tag: "\n" if tag[2] in _BLOCKS else " ", re.sub(r"[ \t\r\n\f]+", " ", bare))
    lines = (" ".join(line.split()) for line in printable(html.unescape(broken)).split("\n"))
    return "\n".join(filter(None, lines))


def strip_tags(text: str) -> str:
    """A line of text that may hold HTML: tags out, character references decoded once. "a < b" survives."""
    if "<" in text:
        text = _WHOLE_TAG.sub(_space_of, _without_silent(_without_comments(text)))
    return html.unescape(text)


def _space_of(tag: re.Match[str]) -> str:
    name = _ANY_TAG.match(tag[0])
    return " " if name and name[2].lower() in _BLOCKS | _CELLS else ""


def _without_comments(text: str) -> str:
    first, *rest = text.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in rest)


def _without_silent(text: str) -> str:
    """Without what stands in scripts and styles; what stands behind an unclosed one goes with it."""
    first, *rest = _SILENT_TAG.split(text)
    return first + "".join(part for slash, part in zip(rest[::2], rest[1::2], strict=True) if slash)


def is_tame(markup: str) -> bool:
    """Whether a tree builder can take it: nested deeper than any page, it costs minutes (200,000 `<div>`: 120 s)."""
    depth = 0
    for is_end, name in _ANY_TAG.findall(markup):
        tag = name.lower()
        if tag in _VOID or tag in _ENDS_OPTIONAL:
            continue
        depth = max(0, depth - 1) if is_end else depth + 1
        if depth > MAX_DEPTH:
            return False
    return True


def line(text: str) -> str:
    """One line: white space folded, no control characters, no bidirectional overrides that could disguise it."""
    return " ".join(printable(text).translate(_LINE_CONTROLS).split())


def printable(text: str) -> str:
    """Without what no database, mail or page can carry: control characters and lone surrogates. Line ends are `\\n`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return text.encode("utf-8", "replace").decode("utf-8").translate(_CONTROLS)


def shorten(text: str, limit: int, *, sentence_from: int | None = None) -> str:
    """At most `limit` characters: whole sentences if they fill `sentence_from`, else whole words and an ellipsis."""
    if len(text) <= limit:
        return text
    if sentence_from is not None and (end := _sentence_end(text, sentence_from, limit)):
        return text[:end].rstrip()
    cut = limit - 1
    blank = text.rfind(" ", limit * 2 // 3, cut + 1)
    if blank > 0:
        cut = blank
    while cut > 1 and _joins(text[cut], text[cut - 1]):
        cut -= 1
    return text[:cut].rstrip(" ,;:–—-") + "…"


def _sentence_end(text: str, start: int, limit: int) -> int:
    """Where the last sentence ends within [start, limit]; 0 if none does."""
    ends = [found.end() for found in re.finditer(r"[.!?…।؟۔](?=[\"'”’»)]?\s)|[。！？]", text[: limit + 1])]
    return max((end for end in ends if start <= end <= limit), default=0)


def _joins(character: str, before: str) -> bool:
    """Whether a cut here would tear one visible character apart."""
    return bool(unicodedata.combining(character)) or character in "\u200d\ufe0f" or before == "\u200d"
