"""HTML → the text a person would read, and the odd characters no text should carry."""

from __future__ import annotations

import re
import unicodedata

from dispatcher.articles.tagsoup import tokens

MAX_HTML = 1_000_000

_BLOCKS = frozenset(
    """address article aside blockquote br caption center dd details div dl dt fieldset figcaption figure footer form h1
    h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody tfoot thead tr ul""".split()  # noqa: SIM905
)
_CELLS = frozenset(("td", "th"))
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_CONTROLS = {
    code: None for code in [*range(0x20), *range(0x7F, 0xA0), 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB] if code not in (9, 10)
}
_LINE_CONTROLS = _CONTROLS | {ord(character): None for character in _BIDI}


def html_to_text(markup: str) -> str:
    """The text of any HTML: one line to a block, a blank between table cells, no scripts and styles."""
    pieces = []
    for token in tokens(re.sub(r"\s+", " ", markup[:MAX_HTML])):
        if isinstance(token, str):
            pieces.append(token)
        elif token.name in _BLOCKS:
            pieces.append("\n")
        elif token.name in _CELLS:
            pieces.append(" ")
    lines = (" ".join(line.split()) for line in printable("".join(pieces)).split("\n"))
    return "\n".join(filter(None, lines))


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
