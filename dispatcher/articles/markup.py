"""Feed HTML made safe to store and to mail: an allow-list, absolute http(s) links, pictures over https only (W8)."""

from __future__ import annotations

import html
import re
from ipaddress import ip_address
from urllib.parse import urlsplit

import nh3

from dispatcher.articles.identity import absolute_url
from dispatcher.articles.tagsoup import Tag, tokens
from dispatcher.articles.text import MAX_HTML, printable

MAX_LINKS = 2000  # each may grow by the length of its base
MAX_DEPTH = 100

_TAGS = frozenset(
    """a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h1 h2 h3
    h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead
    time tr u ul var""".split()  # noqa: SIM905
)
_VOID = frozenset(("br", "col", "hr", "img"))
_ALIASES = {"strike": "s", "tt": "code"} | dict.fromkeys(
    "address article aside center fieldset footer form header main nav section".split(),  # noqa: SIM905
    "div",
)
_EVERYWHERE = {"dir", "lang"}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start", "reversed"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
# An element whose end is usually left out ends where one of these begins.
_ENDED_BY = {
    "li": {"li"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "td": {"td", "th", "tr", "tbody", "tfoot"},
    "th": {"td", "th", "tr", "tbody", "tfoot"},
    "tr": {"tr", "tbody", "tfoot"},
    "thead": {"tbody", "tfoot"},
    "tbody": {"tbody", "tfoot"},
    "p": """blockquote details div dl dd dt figure figcaption h1 h2 h3 h4 h5 h6 hr li ol p pre table td th tr
        ul""".split(),  # noqa: SIM905
}


def sanitise(markup: str, base: str) -> str:
    """The HTML that may be shown, well nested, its links resolved against `base`.

    It is written anew from its tokens, which bounds depth and links in linear time; nh3 then has the last word.
    """
    writer = _Writer(base)
    for token in tokens(markup[:MAX_HTML]):
        if isinstance(token, str):
            writer.write(token)
        elif token.is_end:
            writer.end(_ALIASES.get(token.name, token.name))
        else:
            writer.start(_ALIASES.get(token.name, token.name), token)
    return nh3.clean(
        printable(writer.finish()),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES | {"*": _EVERYWHERE},
        link_rel="noopener nofollow",
        url_schemes={"http", "https", "mailto"},
    ).strip()


def paragraphs(text: str) -> str:
    """Plain text as HTML: blank lines part paragraphs, line ends stay."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text))
    return "\n".join(f"<p>{html.escape(block, quote=False).replace(chr(10), '<br>')}</p>" for block in blocks if block)


def public_image(url: str, base: str, *, allow_private: bool = False) -> str:
    """A picture's absolute link; "" if it is none, or leads into somebody's own network and may not."""
    link = "" if _is_scheme_relative(url) else absolute_url(url, base)
    return link if link and (allow_private or _is_public_host(urlsplit(link).hostname or "")) else ""


class _Writer:
    """Writes allowed tags so that every one is closed in its turn."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._pieces: list[str] = []
        self._open: list[str] = []
        self._links_left = MAX_LINKS

    def write(self, text: str) -> None:
        """Text, escaped."""
        self._pieces.append(html.escape(text, quote=False))

    def start(self, name: str, tag: Tag) -> None:
        """An element, if it is allowed and not nested beyond reason; a picture without a source is none."""
        while self._open and name in _ENDED_BY.get(self._open[-1], ()):
            self._close()
        if name not in _TAGS or len(self._open) >= MAX_DEPTH:
            return
        attributes = self._attributes(name, tag)
        if name == "img" and "src" not in attributes:
            return
        written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
        self._pieces.append(f"<{name}{written}>")
        if name not in _VOID:
            self._open.append(name)

    def end(self, name: str) -> None:
        """The end of an open element, and of all that is open within it; any other end is ignored."""
        if name in self._open:
            while self._close() != name:
                pass

    def finish(self) -> str:
        """All that was written, with everything closed."""
        while self._open:
            self._close()
        return "".join(self._pieces)

    def _close(self) -> str:
        name = self._open.pop()
        self._pieces.append(f"</{name}>")
        return name

    def _attributes(self, name: str, tag: Tag) -> dict[str, str]:
        if "=" not in tag.written:
            return {}
        allowed = _ATTRIBUTES.get(name, set()) | _EVERYWHERE
        attributes = {key: value for key, value in tag.attributes().items() if key in allowed}
        for key in ("href", "src"):
            if key in attributes and (link := self._link(name, attributes.pop(key))):
                attributes[key] = link
        return attributes

    def _link(self, name: str, value: str) -> str:
        self._links_left -= 1
        if self._links_left < 0 or _is_scheme_relative(value):
            return ""
        if name == "img":
            link = public_image(value, self._base)
            return link if link.startswith("https://") else ""
        return value.strip() if value.strip()[:7].lower() == "mailto:" else absolute_url(value, self._base)


def _is_scheme_relative(link: str) -> bool:
    return link.strip().replace("\\", "/").startswith("//")


def _is_public_host(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal"))
