"""The mails of a demo as files: .eml for mail programs, .html for browsers, and a page that lists them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from pathlib import Path

from dispatcher.demo import pictures
from dispatcher.demo.feed import Press
from dispatcher.demo.mailbox import Mail

PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>Mails of the demo</title><style>body{{font:16px/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;"
    "padding:0 1rem;color-scheme:light dark}}li{{margin:.6rem 0}}small{{opacity:.7}}</style></head><body>"
    "<h1>Mails of the demo</h1><ol>{items}</ol></body></html>\n"
)


def save(mails: Sequence[Mail], folder: Path, press: Press) -> list[Path]:
    """Write each mail as NNN-reader-subject.eml and .html, and an index.html; what an earlier run left is replaced.

    The pages show pictures saved beside them: the paper's site is gone when somebody looks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("[0-9][0-9][0-9]-*.eml"), *folder.glob("[0-9][0-9][0-9]-*.html")):
        old.unlink()
    written, items = [], []
    for mail in sorted(mails, key=lambda mail: mail.number):
        stem = f"{mail.number:03}-{_slug(mail.recipient.partition('@')[0])}-{_slug(mail.subject)[:50].strip('-')}"
        (folder / f"{stem}.eml").write_bytes(mail.raw)
        html = mail.body("html").replace(f"{press.url}/pictures/", "pictures/")
        (folder / f"{stem}.html").write_text(html, encoding="utf-8")
        written.append(folder / f"{stem}.eml")
        items.append(
            f'<li><a href="{stem}.html">{escape(mail.subject)}</a><br>'
            f'<small>to {escape(mail.recipient)} · <a href="{stem}.eml">source</a></small></li>'
        )
    _save_pictures(press, folder / "pictures")
    (folder / "index.html").write_text(PAGE.format(items="".join(items)), encoding="utf-8")
    return written


def _save_pictures(press: Press, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for article in press.articles:
        if article.picture:
            (folder / f"{article.slug}.png").write_bytes(pictures.draw(article.picture, article.slug))


def _slug(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "mail"
