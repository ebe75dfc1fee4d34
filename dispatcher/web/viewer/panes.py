"""A mail in the viewer, as HTML: its head, the ways to look at it, and one of them. What came by mail is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from html import escape

from dispatcher.web.viewer.frame import SANDBOX
from dispatcher.web.viewer.mail import Mail

GMAIL_LIMIT = 102_400
"""Octets of HTML after which Gmail cuts a mail off and hides the rest behind a link."""


class View(StrEnum):
    """How a mail is looked at. The first five are also shown beside each other."""

    HTML = "html"
    PHONE = "phone"
    DARK = "dark"
    PLAIN = "plain"
    TEXT = "text"
    ALL = "all"
    LINKS = "links"
    HEADERS = "headers"
    SOURCE = "source"

    @property
    def label(self) -> str:
        """As a tab says it."""
        return _LABELS.get(self, self.value.capitalize())


FRAMED = (View.HTML, View.PHONE, View.DARK, View.PLAIN)
_LABELS = {View.HTML: "Desktop", View.PLAIN: "Images off", View.ALL: "Side by side"}
_TABS = (View.ALL, *(view for view in View if view is not View.ALL))
_ABOUT = {
    View.HTML: "640 px, light",
    View.PHONE: "360 px, light",
    View.DARK: "360 px, dark",
    View.PLAIN: "360 px, pictures blocked",
    View.TEXT: "the text part",
}


def tabs(view: View, page: Callable[[View], str], source: str) -> str:
    """The views to choose from, and the whole mail as a file at `source`."""
    links = "".join(f'<a href="{escape(page(one))}"{_current(one is view)}>{one.label}</a>' for one in _TABS)
    return (
        f'<nav class="views" aria-label="Views of this mail">{links}'
        f'<a class="download" href="{escape(source)}" download>Download .eml</a></nav>'
    )


def content(mail: Mail, view: View, body: Callable[[View], str]) -> str:
    """The mail in a view. `body` gives the address of the document for a frame."""
    match view:
        case View.ALL:
            panes = "".join(_beside(mail, body))
            return f'<div class="beside" tabindex="0" role="group" aria-label="Views side by side">{panes}</div>'
        case View.LINKS:
            return _links(mail)
        case View.HEADERS:
            return _table(("Header", "Value"), mail.headers)
        case View.SOURCE:
            return _sheet(mail.raw.decode("utf-8", "replace"), view)
        case View.TEXT:
            return _sheet(mail.text or "This mail has no text part.", view)
        case _:
            return _frame(view, body)


def weight(mail: Mail) -> str:
    """How large its HTML is, beside what Gmail shows of one."""
    share = round(100 * mail.html_size / GMAIL_LIMIT)
    words = f"{mail.html_size / 1024:.0f} KB of HTML, {share} % of what Gmail shows"
    if mail.html_size > GMAIL_LIMIT:
        words = f"{mail.html_size / 1024:.0f} KB of HTML: Gmail cuts it off at {GMAIL_LIMIT // 1024} KB"
    return (
        f'<span class="weight"><meter min="0" max="{GMAIL_LIMIT}" high="{GMAIL_LIMIT * 93 // 100}" low="0" optimum="0" '
        f'value="{min(mail.html_size, GMAIL_LIMIT)}" aria-label="Size of the HTML">{share} %</meter> {words}</span>'
    )


def _beside(mail: Mail, body: Callable[[View], str]) -> Iterator[str]:
    for view in FRAMED:
        yield _pane(view, _frame(view, body))
    yield _pane(View.TEXT, _sheet(mail.text or "This mail has no text part.", View.TEXT))


def _pane(view: View, inside: str) -> str:
    return f'<figure class="pane {view}"><figcaption><b>{view.label}</b> {_ABOUT[view]}</figcaption>{inside}</figure>'


def _frame(view: View, body: Callable[[View], str]) -> str:
    return f'<iframe class="{view}" src="{escape(body(view))}" title="{view.label}" sandbox="{SANDBOX}"></iframe>'


def _sheet(text: str, view: View) -> str:
    return f'<pre class="sheet {view}" tabindex="0" dir="auto">{escape(text)}</pre>'


def _links(mail: Mail) -> str:
    if not mail.links:
        return '<p class="sheet">This mail has no links.</p>'
    rows = [(words or "(a picture without words)", _linked(address)) for address, words in mail.links]
    return _table(("Says", "Leads to"), rows, is_markup=True)


def _linked(address: str) -> str:
    shown = escape(address)
    if not address.lower().startswith(("http://", "https://")):
        return shown
    return f'<a href="{shown}" target="_blank" rel="noopener noreferrer">{shown}</a>'


def _table(titles: tuple[str, str], rows: Iterable[tuple[str, str]], *, is_markup: bool = False) -> str:
    """`is_markup`: the second of each row is HTML already."""
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    body = "".join(
        f'<tr><th scope="row" dir="auto">{escape(name)}</th>'
        f'<td dir="auto">{value if is_markup else escape(value)}</td></tr>'
        for name, value in rows
    )
    return f'<div class="sheet" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _current(is_current: bool) -> str:
    return ' aria-current="page"' if is_current else ""
