"""The mails of a demo as files: .eml for mail programs, .html for browsers, and a page that lists them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from pathlib import Path

from dispatcher.demo.press import Press
from dispatcher.web.viewer.mail import Mail

PAPER_FOLDER = "paper"
STYLE = """
:root{color-scheme:light dark;--ground:#f3f1ec;--card:#fff;--ink:#1c1b19;--soft:#66625a;--line:#e2ded4;--accent:#9b2318}
@media(prefers-color-scheme:dark){
:root{--ground:#131312;--card:#1f1f1d;--ink:#ecebe6;--soft:#a5a197;--line:#32312d;--accent:#ff8f7a}}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:46rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font:700 1.7rem/1.2 Georgia,serif;margin:0 0 .3rem}
p{margin:0;color:var(--soft);overflow-wrap:anywhere}ol{list-style:none;margin:1.5rem 0 0;padding:0}
li{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1rem 1.2rem;margin:0 0 .7rem}
h2{font-size:1.1rem;line-height:1.3;margin:.1rem 0 .3rem;overflow-wrap:anywhere}a{color:var(--accent)}
h2 a{color:inherit;text-decoration:none}h2 a:hover{text-decoration:underline}small{color:var(--soft);font-size:.88rem}
"""


def save(mails: Sequence[Mail], folder: Path, press: Press) -> list[Path]:
    """Write each mail as NNN-reader-subject.eml and .html, and an index.html; what an earlier run left is replaced.

    The pages lead to a copy of the paper saved beside them: its site is gone when somebody looks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("[0-9][0-9][0-9]-*.eml"), *folder.glob("[0-9][0-9][0-9]-*.html")):
        old.unlink()
    written, items = [], []
    for mail in sorted(mails, key=lambda mail: mail.number):
        stem = f"{mail.number:03}-{_slug(mail.recipient.partition('@')[0])}-{_slug(mail.subject)[:50].strip('-')}"
        (folder / f"{stem}.eml").write_bytes(mail.raw)
        (folder / f"{stem}.html").write_text(_at_home(mail.html, press), encoding="utf-8")
        written.append(folder / f"{stem}.eml")
        items.append(_item(mail, stem))
    _save_paper(press, folder / PAPER_FOLDER)
    (folder / "index.html").write_text(_index(items), encoding="utf-8")
    return written


def _at_home(html: str, press: Press) -> str:
    """A mail's HTML with its links and pictures leading to the saved paper."""
    html = re.sub(re.escape(press.url) + r"/articles/([\w-]+)", rf"{PAPER_FOLDER}/articles/\1.html", html)
    html = html.replace(f"{press.url}/pictures/", f"{PAPER_FOLDER}/pictures/")
    return re.sub(re.escape(press.url) + r'/?(?=")', f"{PAPER_FOLDER}/index.html", html)


def _save_paper(press: Press, folder: Path) -> None:
    for path, content in press.copies().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _index(items: Sequence[str]) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Mails of the demo</title>'
        f"<style>{STYLE}</style></head><body><main><h1>Mails of the demo</h1><p>{len(items)} mails, sent over "
        f'real SMTP to the readers of <a href="{PAPER_FOLDER}/index.html">a paper that does not exist</a>.</p>'
        f"<ol>{''.join(items)}</ol></main></body></html>\n"
    )


def _item(mail: Mail, stem: str) -> str:
    return (
        f"<li><small>{escape(mail.recipient)}</small>"
        f'<h2><a href="{stem}.html">{escape(mail.subject) or "(no subject)"}</a></h2>'
        f'<p>{escape(mail.snippet())}</p><small><a href="{stem}.eml">as a mail (.eml)</a></small></li>'
    )


def _slug(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "mail"
