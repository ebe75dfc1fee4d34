"""Feed HTML made safe to store and to mail: an allow-list, absolute http(s) links, pictures over https only (W8)."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import nh3

from dispatcher.articles.identity import absolute_url
from dispatcher.articles.text import MAX_HTML, SILENT, html_to_text, is_tame, printable

MAX_LINKS = 2000

_TAGS = frozenset(
    """a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h1 h2 h3
    h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead
    time tr u ul var""".split()  # noqa: SIM905
)
_ATTRIBUTES = {
    "*": {"dir", "lang"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start", "reversed"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
_LOST_IMAGE = re.compile(r'<img(?!(?:[^">]|"[^"]*")* src=")(?:[^">]|"[^"]*")*>')


def sanitise(markup: str, base: str) -> str:
    """The HTML that may be shown, its links resolved against `base`. What cannot be parsed in time becomes text."""
    markup = printable(markup[:MAX_HTML])
    if not is_tame(markup):
        return paragraphs(html_to_text(markup))
    clean = nh3.clean(
        markup,
        tags=set(_TAGS),
        clean_content_tags=set(SILENT),
        attributes=_ATTRIBUTES,
        attribute_filter=_links_within(base),
        link_rel="noopener nofollow",
        url_schemes={"http", "https", "mailto"},
    )
    return _LOST_IMAGE.sub("", clean).strip()


def paragraphs(text: str) -> str:
    """Plain text as HTML: blank lines part paragraphs, line ends stay."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text))
    return "\n".join(f"<p>{html.escape(block, quote=False).replace(chr(10), '<br>')}</p>" for block in blocks if block)


def public_image(url: str, base: str) -> str:
    """A picture's absolute link; "" if it is none, or leads into somebody's own network."""
    link = absolute_url(url, base)
    return link if link and _is_public_host(urlsplit(link).hostname or "") else ""


def _links_within(base: str) -> Callable[[str, str, str], str | None]:
    """nh3's look at each attribute. The number of links is capped: each may grow by the length of the base."""
    left = MAX_LINKS

    def look(tag: str, attribute: str, value: str) -> str | None:
        nonlocal left
        if attribute not in ("href", "src"):
            return value
        left -= 1
        if left < 0 or _is_scheme_relative(value):
            return None
        if tag == "img":
            link = public_image(value, base)
            return link if link.startswith("https://") else None
        return value if value[:7].lower() == "mailto:" else absolute_url(value, base) or None

    return look


def _is_scheme_relative(link: str) -> bool:
    return link.strip().replace("\\", "/").startswith("//")


def _is_public_host(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal"))
