"""The inbox's HTML: one page with the readers, their mails and the chosen mail. Whatever came by mail is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode
from zlib import crc32

from dispatcher.web.viewer import panes
from dispatcher.web.viewer.mail import Mail
from dispatcher.web.viewer.panes import View

REFRESH = 4  # seconds, where scripts are off
MARK = '<span class="mark" aria-hidden="true"></span>'
HUES = 8  # how many colours of avatars the style sheet has


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody whose mail arrives here; `about` says in a line what they asked for."""

    address: str
    name: str
    about: str = ""


def page(
    mails: Sequence[Mail], *, accounts: Sequence[Account], hint: str, chosen: str = "", mail: Mail | None, view: View
) -> str:
    """The whole page: `mails` newest first, those of `chosen` alone if that is an address, and `mail` opened."""
    everybody = _everybody(accounts, mails)
    shown = [one for one in mails if chosen in ("", one.recipient)]
    title = mail.subject or "(no subject)" if mail else f"Inbox ({len(shown)})"
    # A page that shows a mail is being read: it must not be loaded again beneath the reader's eyes.
    again = "" if mail else f'<noscript><meta http-equiv="refresh" content="{REFRESH}"></noscript>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>{again}'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/viewer.css"><link rel="stylesheet" href="/inbox.css">'
        '<script src="/inbox.js" defer></script></head>'
        f'<body class="{"reading" if mail else "listing"}"><a class="skip" href="#main">Skip to the mail</a>'
        f"{_header(hint)}{_readers(everybody, mails, chosen)}"
        f"{_list(shown, everybody, chosen, mail)}"
        f'<main id="main" tabindex="-1">{_mail(mail, view, chosen) if mail else _nothing(bool(shown))}</main>'
        "</body></html>"
    )


def _everybody(accounts: Sequence[Account], mails: Iterable[Mail]) -> dict[str, Account]:
    """The accounts by address, with those that only their mail tells of at the end."""
    known = {account.address: account for account in accounts}
    for address in sorted({mail.recipient for mail in mails} - known.keys()):
        known[address] = Account(address, address.partition("@")[0])
    return known


def _header(hint: str) -> str:
    return (
        f'<header><a class="brand" href="/">{MARK}<span>dispatcher <b>inbox</b></span></a>'
        f'<p>{escape(hint)}</p><span id="live" role="status"></span></header>'
    )


def _readers(everybody: dict[str, Account], mails: Sequence[Mail], chosen: str) -> str:
    counts = Counter(mail.recipient for mail in mails)
    links = "".join(
        f'<li><a href="{_to("/", account.address)}"{_current(account.address == chosen)}>{_avatar(account)}'
        f'<span class="who">{escape(account.name)}</span><span class="sum">{counts[account.address] or ""}</span>'
        f'<span class="about">{escape(account.about or account.address)}</span></a></li>'
        for account in everybody.values()
    )
    everyone = (
        f'<li><a href="/"{_current(not chosen)}><span class="avatar all" aria-hidden="true">∗</span>'
        f'<span class="who">Everybody</span><span class="sum">{len(mails) or ""}</span>'
        '<span class="about">all mail</span></a></li>'
    )
    return f'<nav id="readers" aria-label="Readers"><ul>{everyone}{links}</ul></nav>'


def _list(mails: Sequence[Mail], everybody: dict[str, Account], chosen: str, opened: Mail | None) -> str:
    rows = "".join(_row(mail, everybody[mail.recipient], chosen, mail is opened) for mail in mails)
    number = f"{len(mails)} mail" + ("" if len(mails) == 1 else "s")
    name = f" for {everybody[chosen].name}" if chosen in everybody else ""
    content = f"<ol>{rows}</ol>" if rows else '<p class="empty">No mail yet. It comes by itself.</p>'
    return (
        f'<section class="list" aria-label="Mails"><h1 id="count" aria-live="polite">{number}{escape(name)}</h1>'
        f'<div id="mails">{content}</div></section>'
    )


def _row(mail: Mail, account: Account, chosen: str, is_open: bool) -> str:
    return (
        f'<li><a href="{_to(f"/mails/{mail.number}", chosen)}"{_current(is_open)}>{_avatar(account)}'
        f'<span class="to">{escape(account.name)}</span>{_time(mail)}<span class="subject">{_subject(mail)}</span>'
        f'<span class="snippet">{escape(mail.snippet())}</span></a></li>'
    )


def _subject(mail: Mail) -> str:
    return escape(mail.subject) or "(no subject)"


def _nothing(has_mails: bool) -> str:
    words = "Choose a mail to read it." if has_mails else "The first mail will be here in a moment."
    return f'<p class="nothing">{MARK}{words}</p>'


def _mail(mail: Mail, view: View, chosen: str) -> str:
    base = f"/mails/{mail.number}"
    tabs = panes.tabs(view, lambda one: _path(base, chosen, view=one), f"{base}.eml")
    return (
        f'<p class="back"><a href="{_to("/", chosen)}">← All mails</a></p>'
        f'<h2>{_subject(mail)}</h2><dl class="facts"><dt>From</dt><dd>{escape(mail.sender)}</dd>'
        f"<dt>To</dt><dd>{escape(mail.recipient)}</dd>"
        f"<dt>Arrived</dt><dd>{_time(mail)} · {panes.weight(mail)}</dd></dl>"
        f"{tabs}{panes.content(mail, view, lambda one: f'{base}/body?view={one}')}"
    )


def _avatar(account: Account) -> str:
    letters = "".join(word[0] for word in account.name.split()[:2]).upper() or "?"
    return (
        f'<span class="avatar hue{crc32(account.address.encode()) % HUES}" aria-hidden="true">{escape(letters)}</span>'
    )


def _time(mail: Mail) -> str:
    """In this machine's zone: whoever looks at the inbox sits in front of it."""
    return f'<time datetime="{mail.at.isoformat()}">{mail.at.astimezone():%H:%M:%S}</time>'


def _current(is_current: bool) -> str:
    return ' aria-current="page"' if is_current else ""


def _to(path: str, chosen: str) -> str:
    """As `_path`, as it stands in HTML."""
    return escape(_path(path, chosen))


def _path(path: str, chosen: str, *, view: View = View.HTML) -> str:
    """A link within the inbox that keeps the chosen reader and the chosen view."""
    query = {"to": chosen} if chosen else {}
    if view is not View.HTML:
        query["view"] = view
    return f"{path}?{urlencode(query)}" if query else path
