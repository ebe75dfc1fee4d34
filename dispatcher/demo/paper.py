"""The invented paper's pages as HTML: the front page, and one for each article."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dispatcher.demo.articles import PAPER, SampleArticle
from dispatcher.demo.feed import Links, paragraphs

_FORM = (
    '<details class="write"><summary>Write a story yourself</summary><form method="post" action="/articles">'
    "<p>It comes out in the feed at once. Mention energy, a tram or the theatre, and see who is told.</p>"
    '<label>Headline<input name="title" required maxlength="200" autocomplete="off"></label>'
    '<label>Story<textarea name="text" required maxlength="5000" rows="4"></textarea></label>'
    '<label>Tags, with commas<input name="tags" maxlength="200" autocomplete="off"></label>'
    "<button>Publish</button></form></details>"
)


def front(articles: Sequence[SampleArticle], links: Links, *, can_write: bool) -> str:
    """What has come out, newest first; with a form to publish something, where there is a server behind it."""
    stories = "".join(_teaser(article, links, is_lead=place == 0) for place, article in enumerate(articles))
    return _page("The news", f'{_FORM if can_write else ""}<div class="stories">{stories}</div>', links, language="en")


def page(article: SampleArticle, links: Links) -> str:
    """One article."""
    picture = f'<img src="{links.picture(article)}" alt="{escape(article.picture_alt)}">' if article.picture else ""
    tags = "".join(f"<li>{escape(tag)}</li>" for tag in article.tags)
    return _page(
        article.title,
        f'<article class="whole"><h1>{escape(article.title)}</h1><p class="standfirst">{escape(article.standfirst)}</p>'
        f'{_by(article)}{picture}{paragraphs(article)}<ul class="tags">{tags}</ul></article>',
        links,
        language=article.language,
    )


def _page(title: str, content: str, links: Links, *, language: str) -> str:
    home = f"{links.root}index.html" if links.suffix else links.root
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} · {PAPER}</title><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="{links.root}paper.css"></head><body>'
        f'<header lang="en"><a href="{home}">{PAPER}</a><p>News from a town that does not exist</p></header>'
        f"<main>{content}</main></body></html>"
    )


def _teaser(article: SampleArticle, links: Links, *, is_lead: bool) -> str:
    picture = f'<img src="{links.picture(article)}" alt="{escape(article.picture_alt)}">'
    return (
        f'<article lang="{article.language}"{" class=lead" if is_lead else ""}>'
        f'<a href="{links.article(article)}">{picture if article.picture else ""}<h2>{escape(article.title)}</h2></a>'
        f"<p>{escape(article.standfirst)}</p>{_by(article)}</article>"
    )


def _by(article: SampleArticle) -> str:
    names = escape(", ".join(article.authors) or PAPER)
    at = article.published_at
    when = f' · <time datetime="{at.isoformat()}">{at.astimezone():%d %b, %H:%M}</time>' if at else ""
    return f'<p class="by">{names}{when}</p>'
