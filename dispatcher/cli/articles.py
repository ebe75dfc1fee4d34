"""`articles`: what we have stored."""

from __future__ import annotations

import typer

from dispatcher.cli.options import ALONE, Id, Json, Limit, Listing
from dispatcher.cli.session import run, store

app = typer.Typer(name="articles", cls=Listing, help="What we have stored.", epilog=ALONE)


@app.command("list")
def listing(limit: Limit = 20, json: Json = False) -> None:
    """List the latest articles, newest first."""
    run(_listing(limit, json=json))


async def _listing(limit: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.store import articles

    async with store() as opened, opened.read() as tx:
        found = await articles.newest(tx, limit=limit)
        names = await articles.source_names(tx, [article.id or 0 for article in found])
    if json:
        show.as_json([{**show.fields(a, "body_html", "body_text"), "sources": names[a.id or 0]} for a in found])
        return
    show.table(
        "articles",
        ("id", "seen", "source", "lang", "title"),
        [(a.id, a.seen_at, names[a.id or 0], a.language, a.title) for a in found],
        empty="none yet; `dispatcher ingest --all` polls every source",
    )


@app.command("show")
def show_one(article_id: Id, json: Json = False) -> None:
    """Show one article with the topics it matches."""
    run(_show_one(article_id, json=json))


async def _show_one(article_id: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.store import articles, topics

    async with store() as opened, opened.read() as tx:
        article = await articles.get(tx, article_id)
        if article is None:
            raise StoreError(f"no article {article_id}; `dispatcher articles list` shows what there is")
        matched = await articles.matched_queries(tx, article_id)
        followed = [topic.slug for topic in await topics.every(tx) if topic.query_id in matched]
        names = (await articles.source_names(tx, [article_id]))[article_id]
    found = {**show.fields(article, "body_html"), "sources": names, "topics": followed}
    if json:
        show.as_json(found)
    else:
        internal = ("id", "source_id", "cluster_id", "title", "content_hash", "image_url")
        show.facts(article.title, {name: value for name, value in found.items() if name not in internal})
