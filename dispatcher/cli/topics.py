"""`topics`: what readers can follow, and why an article matches."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli.options import ALONE, Json, Listing, Yes
from dispatcher.cli.session import context, load, run, store
from dispatcher.cli.topic_stats import stats
from dispatcher.cli.topic_suggestions import suggest

app = typer.Typer(name="topics", cls=Listing, help="What readers can follow, and why an article matches.", epilog=ALONE)
app.command()(stats)
app.command()(suggest)
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="Its name in links and in other commands.")]
Query = Annotated[str, typer.Argument(metavar="QUERY", help='What to look for; "*" is everything.')]
Language = Annotated[
    str, typer.Option("--language", metavar="TAG", help="The query's language; the site's by default.")
]


@app.command("list")
def listing(json: Json = False) -> None:
    """List the publisher's topics with their matches and readers."""
    run(_listing(json=json))


async def _listing(*, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.store import topics

    async with store() as opened, opened.read() as tx:
        found, figures = await topics.every(tx), await topics.figures(tx)
    counted = [(topic, *figures.get(topic.id or 0, (0, 0))) for topic in found]
    if json:
        show.as_json(
            [{**show.fields(topic), "matches": matches, "readers": readers} for topic, matches, readers in counted]
        )
        return
    show.table(
        "topics",
        ("slug", "name", "readers", "matches", "origin", "paused", "query"),
        [(t.slug, t.name, r, m, t.origin.value, t.is_paused, t.query_text) for t, m, r in counted],
        empty="none yet; add one with `dispatcher topics add SLUG QUERY` or in config/topics.toml",
    )


@app.command()
def add(
    slug: Slug,
    query: Query,
    name: Annotated[str, typer.Option(metavar="TEXT", help="What readers see; made from the slug by default.")] = "",
    description: Annotated[str, typer.Option(metavar="TEXT", help="One sentence for readers.")] = "",
    language: Language = "",
    newsletter: Annotated[str, typer.Option(metavar="SLUG", help="The newsletter it belongs to.")] = "",
    private: Annotated[bool, typer.Option("--private", help="Not offered to the public.")] = False,
) -> None:
    """Add a topic to the database. The next ingest matches recent articles against it."""
    run(_add(slug, query, name, description, language, newsletter, public=not private))


async def _add(
    slug: str, query: str, name: str, description: str, language: str, newsletter: str, *, public: bool
) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, catalogue
    from dispatcher.pipeline.entries import topic_entry
    from dispatcher.topics.parser import parse

    parse(query)  # its own error shows the place with a caret
    entry = topic_entry(slug=slug, query=query, name=name, description=description, language=language, public=public)
    now = clock.now()
    async with context() as ctx, ctx.store.write() as tx:
        await catalogue.add_topic(ctx, tx, entry, now, newsletter=newsletter)
        await audit.note(tx, "cli", "add topic", entry.slug, now, query=entry.query)
    show.say(f"added {entry.slug}")


@app.command()
def remove(slug: Slug, yes: Yes = False) -> None:
    """Remove a topic, and everybody's subscription to it."""
    run(_remove(slug, yes=yes))


async def _remove(slug: str, *, yes: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, catalogue
    from dispatcher.store import topics

    async with context() as ctx:
        async with ctx.store.read() as tx:
            found = await catalogue.topic(tx, slug)
            readers = (await topics.figures(tx)).get(found.id or 0, (0, 0))[1]
        catalogue.refuse_declared_topic(ctx, slug, "removed")
        show.confirm(f"Remove {slug} and the {readers} subscriptions to it?", yes=yes)
        async with ctx.store.write() as tx:
            await catalogue.remove_topic(ctx, tx, found)
            await audit.note(tx, "cli", "remove topic", slug, clock.now())
    show.say(f"removed {slug}")


@app.command("test")
def try_query(
    query: Query,
    article: Annotated[str, typer.Option(metavar="FILE|URL", help="A .txt, .md or .html file, or an http(s) URL.")],
    language: Language = "",
    json: Json = False,
) -> None:
    """Say whether a query matches an article, and why. The exit code is 0 for a match and 1 for none."""
    matched = run(_try_query(query, article, language, json=json))
    raise typer.Exit(0 if matched else 1)


async def _try_query(query: str, where: str, language: str, *, json: bool) -> bool:
    from dispatcher.cli import show
    from dispatcher.cli.article_file import read_article
    from dispatcher.pipeline.entries import topic_entry
    from dispatcher.pipeline.trial import explained
    from dispatcher.topics.parser import parse

    parse(query)  # its own error shows the place with a caret
    language = topic_entry(slug="test", query=query, language=language).language
    settings = load()
    article = await read_article(where, settings.user_agent)
    found = explained(query, article, language or settings.site.language)
    if json:
        show.as_json(found)
    else:
        from dispatcher.cli.explanation import print_explanation

        print_explanation(found, article)
    return found.matched
