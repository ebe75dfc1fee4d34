"""The invented paper's web site over real HTTP: an Atom feed, the twin towns' JSON Feed, pages and pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from xml.sax.saxutils import escape as escape_xml
from xml.sax.saxutils import quoteattr

from aiohttp import web

from dispatcher.demo import pictures
from dispatcher.demo.articles import PAPER, Outlet, SampleArticle

TWINS = "Twin Towns"
STYLE = (
    "body{font:18px/1.6 Georgia,serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fdfcf8}"
    "h1{line-height:1.2}img{max-width:100%;height:auto}.by{color:#666;font-size:15px}.stand{font-size:20px}"
    "@media(prefers-color-scheme:dark){body{background:#1b1b19;color:#e8e6e0}.by{color:#aaa}}"
)


class Press:
    """What has been published so far, and the site that shows it. `url` is known once the site is being served."""

    def __init__(self, articles: Iterable[SampleArticle]) -> None:
        self.articles = [article for article in articles if article.outlet is not Outlet.FOLDER]
        self.url = ""

    def publish(self, article: SampleArticle) -> None:
        """Put an article on top of its feed."""
        self.articles.insert(0, article)

    def app(self) -> web.Application:
        """The site."""
        app = web.Application()
        app.router.add_get("/feed.xml", self._atom)
        app.router.add_get("/twins.json", self._json_feed)
        app.router.add_get("/articles/{slug}", self._page)
        app.router.add_get("/pictures/{slug}.png", self._picture)
        return app

    async def _atom(self, request: web.Request) -> web.Response:
        mine = [article for article in self.articles if article.outlet is Outlet.PAPER]
        entries = "".join(self._entry(article) for article in mine)
        changed = _newest(mine).isoformat()
        body = (
            '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
            f'xmlns:media="http://search.yahoo.com/mrss/" xml:lang="en"><title>{escape_xml(PAPER)}</title>'
            f"<id>{self.url}/</id><updated>{changed}</updated><link href={quoteattr(self.url + '/')}/>{entries}</feed>"
        )
        return _conditional(request, body.encode(), "application/atom+xml", _newest(mine))

    def _entry(self, article: SampleArticle) -> str:
        authors = "".join(f"<author><name>{escape_xml(name)}</name></author>" for name in article.authors)
        tags = "".join(f"<category term={quoteattr(tag)}/>" for tag in article.tags)
        picture = f'<media:content url="{self._picture_url(article)}" type="image/png"/>' if article.picture else ""
        at = (article.published_at or datetime.now(UTC)).isoformat()
        return (
            f"<entry><id>{self._link(article)}</id><title>{escape_xml(article.title)}</title>"
            f"<link href={quoteattr(self._link(article))}/><published>{at}</published><updated>{at}</updated>"
            f"{authors}{tags}{picture}<summary>{escape_xml(article.standfirst)}</summary>"
            f'<content type="html">{escape_xml(_paragraphs(article))}</content></entry>'
        )

    async def _json_feed(self, request: web.Request) -> web.Response:
        mine = [article for article in self.articles if article.outlet is Outlet.TWINS]
        items = [
            {
                "id": self._link(article),
                "url": self._link(article),
                "title": article.title,
                "summary": article.standfirst,
                "content_html": _paragraphs(article),
                "language": article.language,
                "tags": list(article.tags),
                "authors": [{"name": name} for name in article.authors],
                "date_published": (article.published_at or datetime.now(UTC)).isoformat(),
                **({"image": self._picture_url(article)} if article.picture else {}),
            }
            for article in mine
        ]
        feed = {"version": "https://jsonfeed.org/version/1.1", "title": TWINS, "items": items}
        return _conditional(request, json.dumps(feed).encode(), "application/feed+json", _newest(mine))

    async def _page(self, request: web.Request) -> web.Response:
        article = self._find(request)
        picture = (
            f'<img src="{self._picture_url(article)}" alt="{escape(article.picture_alt)}">' if article.picture else ""
        )
        by = ", ".join(article.authors) or PAPER
        body = (
            f'<!doctype html><html lang="{article.language}"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width"><title>{escape(article.title)}</title>'
            f'<style>{STYLE}</style></head><body><main><p class="by">{escape(PAPER)}</p>'
            f"<h1>{escape(article.title)}</h1>"
            f'<p class="stand">{escape(article.standfirst)}</p><p class="by">{escape(by)}</p>{picture}'
            f"{_paragraphs(article)}</main></body></html>"
        )
        return web.Response(text=body, content_type="text/html")

    async def _picture(self, request: web.Request) -> web.Response:
        article = self._find(request)
        if not article.picture:
            raise web.HTTPNotFound
        return web.Response(body=pictures.draw(article.picture, article.slug), content_type="image/png")

    def _find(self, request: web.Request) -> SampleArticle:
        for article in self.articles:
            if article.slug == request.match_info["slug"]:
                return article
        raise web.HTTPNotFound

    def _link(self, article: SampleArticle) -> str:
        return f"{self.url}/articles/{article.slug}"

    def _picture_url(self, article: SampleArticle) -> str:
        return f"{self.url}/pictures/{article.slug}.png"


def _paragraphs(article: SampleArticle) -> str:
    return "".join(f"<p>{escape(paragraph)}</p>" for paragraph in article.paragraphs)


def _newest(articles: Iterable[SampleArticle]) -> datetime:
    return max((a.published_at for a in articles if a.published_at), default=datetime.fromtimestamp(0, UTC))


def _conditional(request: web.Request, body: bytes, content_type: str, changed: datetime) -> web.Response:
    """The body, or 304 to who has it already (RFC 9110 §13.1.2)."""
    etag = hashlib.sha256(body).hexdigest()[:16]
    asked = request.if_none_match
    if asked and any(known.value == etag for known in asked):
        answer = web.Response(status=304)
    else:
        answer = web.Response(body=body, content_type=content_type, charset="utf-8")
    answer.etag = etag
    answer.last_modified = changed
    return answer
