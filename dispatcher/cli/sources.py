"""`sources`: where articles come from and how healthy that is."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.options import ALONE, Json, Listing, Yes
from dispatcher.cli.session import context, load, run, store

if TYPE_CHECKING:
    from dispatcher.model.content import Source

app = typer.Typer(name="sources", cls=Listing, help="Where articles come from, and how healthy that is.", epilog=ALONE)
_WEEK = timedelta(days=7)
Url = Annotated[str, typer.Argument(metavar="URL", help="A feed's http(s) or file: URL, or a file or folder.")]


@app.command("list")
def listing(json: Json = False) -> None:
    """List every source with its state and its last success or error."""
    run(_listing(json=json))


async def _listing(*, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.store import sources

    now = clock.now()
    async with store() as opened, opened.read() as tx:
        found, counts = await sources.every(tx), await sources.article_counts(tx)
        fresh = await sources.fresh_counts(tx, now - _WEEK)
    flow = {source.id: _a_day(source, fresh.get(source.id or 0, 0), now) for source in found}
    if json:
        more = [{"articles": counts.get(s.id or 0, 0), "articles_a_day": flow[s.id]} for s in found]
        show.as_json([{**show.fields(source), **counted} for source, counted in zip(found, more, strict=True)])
        return
    show.table(
        "sources",
        ("name", "state", "articles", "a day", "304", "last success", "next poll", "url"),
        [
            (
                s.name,
                _state(s),
                counts.get(s.id or 0, 0),
                f"{flow[s.id]:g}",
                _share(s),
                s.succeeded_at,
                None if s.is_paused or s.url == sources.PUSHED else s.next_poll_at,
                s.url,
            )
            for s in found
        ],
        empty="none yet; add one with `dispatcher sources add URL` or in config/dispatcher.toml",
    )
    for source in found:
        if source.failures:
            again = "" if source.is_paused else f"; next try {source.next_poll_at:%Y-%m-%d %H:%M}Z"
            show.say(f"{source.name}: {source.last_error}{again}")


def _a_day(source: Source, fresh: int, now: datetime) -> float:
    """Articles a day, over the last week or for as long as there has been the source."""
    return round(fresh / max(1.0, min(_WEEK, now - source.created_at) / timedelta(days=1)), 1)


def _share(source: Source) -> str:
    """How many of the polls that succeeded were answered with 304, which costs nearly nothing."""
    return f"{source.not_modified / source.polls:.0%}" if source.polls else ""


def _state(source: Source) -> str:
    if source.is_paused:
        return f"paused by {(source.paused_by or 'operator')}"
    if source.failures:
        return f"broken ({source.failures}×)"
    return "fine" if source.succeeded_at else "not polled yet"


@app.command()
def add(
    url: Url,
    name: Annotated[str, typer.Option(metavar="TEXT", help="What readers see; from the URL by default.")] = "",
    every: Annotated[str, typer.Option(metavar="DURATION", help='How often to look: "15m", "1h".')] = "15m",
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A tag for all its articles; may be repeated.")
    ] = None,
    priority: Annotated[
        int, typer.Option(metavar="N", min=1, max=10, help="What its stories weigh where digests are ranked.")
    ] = 5,
) -> None:
    """Add a source to the database, beside those that config declares."""
    run(_add(url, name, every, tag or [], priority))


async def _add(url: str, name: str, every: str, tags: list[str], priority: int) -> None:
    import shlex

    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, catalogue
    from dispatcher.pipeline.entries import source_entry

    place = _place(url)
    entry = source_entry(name=name or _name_of(place), url=place, poll_every=every, tags=tags, priority=priority)
    now = clock.now()
    async with context() as ctx, ctx.store.write() as tx:
        await catalogue.add_source(tx, entry, now)
        await audit.note(tx, "cli", "add source", entry.name, now, url=entry.url)
    show.say(f"added {entry.name}; try it with `dispatcher sources check {shlex.quote(url)}`")


def _place(url: str) -> str:
    """What was meant by a source on the command line: a path there is relative to where one stands."""
    import os

    try:
        path = Path(url).expanduser()
        is_path = url.startswith((".", "/", "~")) or (":" not in url.partition("/")[0] and path.exists())
        return os.path.abspath(path) if is_path else url
    except (OSError, RuntimeError, ValueError):  # too long for a path, or somebody's home that there is not
        return url


def _name_of(url: str) -> str:
    from pathlib import PurePosixPath
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        return url  # the entry's own check says what is wrong with it
    return parts.hostname or PurePosixPath(unquote(parts.path)).name or url


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As the list shows it.")], yes: Yes = False
) -> None:
    """Stop reading a source. One that has brought articles stays, paused, as their origin."""
    run(_remove(name, yes=yes))


async def _remove(name: str, *, yes: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, catalogue

    async with context() as ctx:
        async with ctx.store.read() as tx:
            found = await catalogue.source(tx, name)
        catalogue.refuse_declared_source(ctx, name)
        show.confirm(f"Stop reading {name}?", yes=yes)
        async with ctx.store.write() as tx:
            kept = await catalogue.remove_source(ctx, tx, found)
            await audit.note(tx, "cli", "remove source", name, clock.now())
    show.say(f"{name} is no longer read" + ("; its articles stay" if kept else ""))


@app.command()
def check(
    url: Url,
    allow_private: Annotated[bool, typer.Option("--allow-private", help="Allow loopback and private hosts.")] = False,
    json: Json = False,
) -> None:
    """Read a feed or folder once, say step by step what happened, and show what would be stored. Nothing is stored."""
    run(_check(url, allow_private=allow_private, json=json))


async def _check(url: str, *, allow_private: bool, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.articles.clean import clean
    from dispatcher.cli import show
    from dispatcher.errors import SourceError
    from dispatcher.model.content import Source
    from dispatcher.model.values import Origin
    from dispatcher.pipeline.entries import source_entry
    from dispatcher.sources.http import Fetcher
    from dispatcher.sources.read import read

    steps: list[str] = []
    settings, now, place = load(), clock.now(), source_entry(name="check", url=_place(url)).url
    source = Source(
        name=url, url=place, origin=Origin.CLI, allow_private=allow_private, next_poll_at=now, created_at=now
    )
    with show.progress(f"reading {url}"):
        async with Fetcher(settings.user_agent) as fetcher:
            reading = await read(source, fetcher, now=now, base=Path.cwd(), known={}, steps=steps)
    for step in steps:
        show.note(step)
    if reading.failure is not None:
        raise SourceError(f"{url}: {reading.failure.reason}")
    found = [clean(raw, source, now) for raw in reading.items]
    for problem in reading.problems:
        show.note(f"left out: {problem}")
    if json:
        show.as_json([show.fields(article, "id", "source_id", "cluster_id") for article in found])
        return
    show.table(
        f"{url}: {len(found)} {'article' if len(found) == 1 else 'articles'}",
        ("published", "lang", "title", "link"),
        [(article.published_at, article.language, article.title, article.url) for article in found],
        empty="readable, but nothing in it",
    )


@app.command("test")
def parse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A feed that was saved to disk.")],
    url: Annotated[str, typer.Option(metavar="URL", help="Where it came from, for its relative links.")] = "",
    json: Json = False,
) -> None:
    """Read a feed from a file and print, field by field, what would be stored. Nothing is asked of any server."""
    run(_parse(file.absolute(), url, json=json))


async def _parse(file: Path, url: str, *, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.articles.clean import clean
    from dispatcher.cli import show
    from dispatcher.errors import SourceError
    from dispatcher.model.content import Source
    from dispatcher.model.values import Origin
    from dispatcher.sources import feed, sandbox
    from dispatcher.sources.read import file_bytes

    now, place = clock.now(), url or file.as_uri()
    source = Source(name=file.name, url=place, origin=Origin.CLI, next_poll_at=now, created_at=now)
    try:
        parsed = await sandbox.run(feed.parse, file_bytes(file), url=place)
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror or error}") from None
    found = [clean(raw, source, now) for raw in parsed.items]
    if json:
        show.as_json([show.fields(article, "id", "source_id", "cluster_id") for article in found])
        return
    show.say(f"{file}: {len(found)} {'article' if len(found) == 1 else 'articles'}")
    for raw, article in zip(parsed.items, found, strict=True):
        show.facts(
            article.title,
            {
                "guid": raw.guid,
                **show.fields(article, "id", "source_id", "cluster_id", "title", "body_html", "version"),
            },
        )
