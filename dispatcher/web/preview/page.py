"""The preview page as HTML: the choices on one side, the mail, or what is wrong, on the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from dispatcher.model.values import Layout, LetterName
from dispatcher.pipeline.specimens import STORIES
from dispatcher.pipeline.studio import Shown
from dispatcher.web.preview.query import Query
from dispatcher.web.viewer import panes
from dispatcher.web.viewer.mail import Mail

_MAILS = {
    "alert": "Alert: one story", "breaking": "Breaking news", "edition": "Written edition", "confirm": "Confirmation",
    "manage": "Link to preferences", "verify": "Link to one's data", "address": "New address",
    "moved": "Old address", "owner": "To the owner",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to choose from: addresses of readers, languages, newsletters by slug and name."""

    readers: Sequence[str]
    locales: Sequence[str]
    newsletters: Sequence[tuple[str, str]]


def page(
    query: Query, shown: Shown, mail: Mail | None, offer: Offer, *, version: int, token: str, to: str, told: str
) -> str:
    """The whole page. `to` is the address that the form begins with; `told` is what became of a copy."""
    title = mail.subject if mail else "Something is to be mended" if shown.fault else "Preview"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/viewer.css"><link rel="stylesheet" href="/preview.css">'
        '<script src="/preview.js" defer></script></head>'
        f'<body data-version="{version}"><a class="skip" href="#main">Skip to the mail</a>'
        '<header><a class="brand" href="/"><span class="mark" aria-hidden="true"></span>'
        "<span>dispatcher <b>preview</b></span></a>"
        "<p>Nothing is sent or changed. Save a template, and look here.</p>"
        '<span id="live" role="status"></span></header>'
        f'<aside aria-label="What to look at">{_choices(query, offer)}{_sending(query, token, to, told)}</aside>'
        f'<main id="main" tabindex="-1">{_shown(query, shown, mail, version)}</main></body></html>'
    )


def _choices(query: Query, offer: Offer) -> str:
    mails = [("", "Their next mail")] + [(name, _name(name)) for name in STORIES]
    letters = [(name.value, _name(name)) for name in LetterName]
    newsletters = _select("newsletter", "Newsletter", query.newsletter, [("", "As it is"), *offer.newsletters])
    return (
        '<form id="choices" method="get" action="/" autocomplete="off">'
        f'<label>Reader<input type="search" name="reader" value="{escape(query.reader)}" list="known" '
        'placeholder="somebody invented" spellcheck="false"></label>'
        f'<datalist id="known">{"".join(f"<option>{escape(one)}</option>" for one in offer.readers)}</datalist>'
        f"{_found(query, offer.readers)}"
        f'<label>Mail<select name="mail">{_options(mails, query.mail)}'
        f'<optgroup label="Letters">{_options(letters, query.mail)}</optgroup></select></label>'
        f'<label>As if it were (UTC)<input type="datetime-local" name="at" value="{escape(query.at)}"></label>'
        f"{_select('locale', 'Language', query.locale, [('', 'The reader’s'), *((one, one) for one in offer.locales)])}"
        f"{_select('layout', 'Layout', query.layout, [('', 'As it is'), *((one, one.capitalize()) for one in Layout)])}"
        f"{newsletters if len(offer.newsletters) > 1 else ''}"
        f'<input type="hidden" name="view" value="{query.view}"><button>Show</button></form>'
    )


def _found(query: Query, readers: Sequence[str]) -> str:
    """Whom it may mean, where the browser does not complete an address by itself."""
    if not query.reader or query.reader.lower() in readers or not readers:
        return ""
    links = "".join(
        f'<li><a href="{escape(query.path("/", reader=reader))}">{escape(reader)}</a></li>' for reader in readers[:5]
    )
    return f'<ul class="found" aria-label="Readers whose address begins so">{links}</ul>'


def _sending(query: Query, token: str, to: str, told: str) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in query.said.items()
    )
    return (
        f'<form id="sending" method="post" action="/send">{hidden}<input type="hidden" name="token" value="{token}">'
        f'<label>Send me this<input type="email" name="to" required value="{escape(to)}" placeholder="you@example.org" '
        "></label><button>Send</button>"
        f'<p id="told" role="status">{escape(told) or "One copy over the real relay, marked [Preview]."}</p></form>'
    )


def _shown(query: Query, shown: Shown, mail: Mail | None, version: int) -> str:
    if mail is None:
        return (
            f'<section class="fault" role="alert"><h1>This cannot be rendered</h1><pre>{escape(shown.fault)}</pre>'
            "<p>Mend it and save: the page shows the mail again by itself.</p></section>"
        )
    note = f'<p class="note" role="note">{escape(shown.note)}</p>' if shown.note else ""
    tabs = panes.tabs(query.view, lambda one: query.path("/", view=one), query.path("/mail.eml"))
    return (
        f'{note}<h1 class="subject" dir="auto">{escape(mail.subject)}</h1>'
        f'<dl class="facts"><dt>From</dt><dd dir="auto">{escape(mail.sender)}</dd>'
        f"<dt>To</dt><dd>{escape(mail.recipient)}</dd>"
        f'<dt>Begins</dt><dd dir="auto">{escape(mail.snippet(110))}</dd><dt>Size</dt><dd>{panes.weight(mail)}</dd></dl>'
        f"{tabs}{panes.content(mail, query.view, lambda one: query.path('/body', view=one, v=str(version)))}"
    )


def _name(name: str) -> str:
    return _MAILS.get(name, name.capitalize())


def _select(name: str, label: str, chosen: str, options: Iterable[tuple[str, str]]) -> str:
    return f'<label>{label}<select name="{name}">{_options(options, chosen)}</select></label>'


def _options(options: Iterable[tuple[str, str]], chosen: str) -> str:
    return "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(words)}</option>'
        for value, words in options
    )
