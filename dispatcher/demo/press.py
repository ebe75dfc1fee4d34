"""The invented paper's web site over real HTTP: feeds with conditional GET, pages, pictures, and a form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib import resources
from itertools import count

from aiohttp import web

from dispatcher import clock
from dispatcher.demo import feed, paper, pictures
from dispatcher.demo.articles import Outlet, SampleArticle
from dispatcher.demo.feed import Links

MOST_TITLE, MOST_TEXT = 200, 5_000  # characters of a story that somebody writes in the browser
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class Press:
    """What has been published so far, newest first, and the site that shows it. `url` is known once it is served."""

    def __init__(self, articles: Iterable[SampleArticle]) -> None:
        self.articles = [article for article in articles if article.outlet is not Outlet.FOLDER]
        self.url = ""
        self._numbers = count(1)

    def publish(self, article: SampleArticle) -> None:
        """Put an article on top of its feed."""
        self.articles.insert(0, article)

    def app(self) -> web.Application:
        """The site."""
        app = web.Application()
        app.router.add_get("/", self._front)
        app.router.add_post("/articles", self._write)
        app.router.add_get("/feed.xml", self._atom)
        app.router.add_get("/twins.json", self._json_feed)
        app.router.add_get("/articles/{slug}", self._page)
        app.router.add_get("/pictures/{slug}.png", self._picture)
        app.router.add_get("/paper.css", self._style)
        return app

    def copies(self) -> dict[str, bytes]:
        """The site as files that need no server, by their relative path."""
        below = Links("../", ".html")
        files = {
            "index.html": paper.front(self.articles, Links("", ".html"), can_write=False).encode(),
            "paper.css": style(),
        }
        for article in self.articles:
            files[f"articles/{article.slug}.html"] = paper.page(article, below).encode()
            if article.picture:
                files[f"pictures/{article.slug}.png"] = pictures.draw(article.picture, article.slug)
        return files

    async def _front(self, request: web.Request) -> web.Response:
        return _html(paper.front(self.articles, Links("/"), can_write=True))

    async def _page(self, request: web.Request) -> web.Response:
        return _html(paper.page(self._find(request), Links("/")))

    async def _write(self, request: web.Request) -> web.Response:
        """Publish what somebody wrote into the form. Only our own page may send it: other sites share this browser."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise web.HTTPForbidden
        form = await request.post()
        title, text, tags = (str(form.get(name, "")).strip() for name in ("title", "text", "tags"))
        if not title or not text:
            raise web.HTTPBadRequest(text="A story needs a headline and a text.")
        article = _written(title[:MOST_TITLE], text[:MOST_TEXT], tags[:MOST_TITLE], number=next(self._numbers))
        self.publish(article.published(clock.now()))
        raise web.HTTPSeeOther(Links("/").article(article))

    async def _atom(self, request: web.Request) -> web.Response:
        mine = self._of(Outlet.PAPER)
        body = feed.atom(mine, Links(f"{self.url}/"))
        return _conditional(request, body, "application/atom+xml", feed.changed_at(mine))

    async def _json_feed(self, request: web.Request) -> web.Response:
        mine = self._of(Outlet.TWINS)
        body = feed.json_feed(mine, Links(f"{self.url}/"))
        return _conditional(request, body, "application/feed+json", feed.changed_at(mine))

    async def _picture(self, request: web.Request) -> web.Response:
        article = self._find(request)
        if not article.picture:
            raise web.HTTPNotFound
        return web.Response(body=pictures.draw(article.picture, article.slug), content_type="image/png")

    async def _style(self, request: web.Request) -> web.Response:
        return web.Response(body=style(), content_type="text/css", charset="utf-8")

    def _of(self, outlet: Outlet) -> Sequence[SampleArticle]:
        return [article for article in self.articles if article.outlet is outlet]

    def _find(self, request: web.Request) -> SampleArticle:
        for article in self.articles:
            if article.slug == request.match_info["slug"]:
                return article
        raise web.HTTPNotFound


def style() -> bytes:
    """The paper's style sheet."""
    return (resources.files("dispatcher.demo") / "paper.css").read_bytes()


def _written(title: str, text: str, tags: str, *, number: int) -> SampleArticle:
    first, *rest = (_line(paragraph) for paragraph in text.replace("\r\n", "\n").split("\n\n"))
    return SampleArticle(
        slug=f"yours-{number}",
        title=_line(title),
        standfirst=first,
        paragraphs=tuple(rest),
        language="en",
        authors=("You",),
        tags=tuple(filter(None, map(_line, tags.split(",")))),
    )


def _line(text: str) -> str:
    """A text on one line, without control characters."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})


def _conditional(request: web.Request, body: bytes, content_type: str, changed: datetime) -> web.Response:
    """The body, or 304 to who has it already; If-None-Match decides where both are given (RFC 9110 §13.2.2)."""
    etag = hashlib.sha256(body).hexdigest()[:16]
    known, since = request.if_none_match, request.if_modified_since
    is_known = any(one.value in (etag, "*") for one in known) if known else since is not None and changed <= since
    answer = web.Response(status=304) if is_known else web.Response(body=body, content_type=content_type)
    if not is_known:
        answer.charset = "utf-8"
    answer.etag = etag
    answer.last_modified = changed
    return answer
