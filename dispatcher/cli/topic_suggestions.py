"""`topics suggest`: what would make a good topic, from an article or a word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.options import Json
from dispatcher.cli.session import load, run, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dispatcher.pipeline.suggestions import ForArticle, ForWord
    from dispatcher.store import Store
    from dispatcher.topics.suggest import Suggestion


def suggest(
    what: Annotated[
        str,
        typer.Argument(metavar="ARTICLE_ID|FILE|URL|WORD", help="An article, or a word that topics could be about."),
    ],
    language: Annotated[
        str, typer.Option("--language", metavar="TAG", help="The word's language; the site's by default.")
    ] = "",
    json: Json = False,
) -> None:
    """Say what would make a good topic, from an article or a word and the stored articles."""
    run(_suggest(what, language, json=json))


async def _suggest(what: str, language: str, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline.entries import topic_entry
    from dispatcher.pipeline.shelf import Shelf
    from dispatcher.pipeline.suggestions import for_word

    async with store() as opened:
        found: ForArticle | ForWord
        if _is_article(what):
            found = await _for_article(opened, what)
        else:
            given = topic_entry(slug="word", query="*", language=language).language
            found = await for_word(Shelf(opened), what, given or load().site.language)
    if json:
        show.as_json(found)
    else:
        _print(found)


def _is_article(what: str) -> bool:
    from dispatcher.sources import document

    is_file = "/" in what or Path(what).suffix.lower() in document.KINDS
    return what.isdigit() or is_file


async def _for_article(opened: Store, what: str) -> ForArticle:
    from dispatcher.cli.article_file import read_article
    from dispatcher.errors import StoreError
    from dispatcher.pipeline.shelf import Shelf
    from dispatcher.pipeline.suggestions import for_article
    from dispatcher.store import articles

    if not what.isdigit():
        return await for_article(opened, Shelf(opened), await read_article(what, load().user_agent))
    async with opened.read() as tx:
        article = await articles.get(tx, int(what))
        names = await articles.source_names(tx, [int(what)])
    if article is None:
        raise StoreError(f"no article has the id {what}; `dispatcher articles list` shows them")
    return await for_article(opened, Shelf(opened), article, names[int(what)])


def _print(found: ForArticle | ForWord) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline.suggestions import ForWord

    nothing = f"nothing, in {found.among} stored articles"
    if isinstance(found, ForWord):
        _table("forms", "word", found.inflections, nothing)
        _table("phrases it stands in", "query", found.phrases, nothing)
        return
    _table("phrases that tell it apart", "query", found.phrases, nothing)
    show.table(
        "topics that it nearly matched",
        ("slug", "name", "lacks", "must not have"),
        [(topic.slug, topic.name, ", ".join(topic.missing), ", ".join(topic.forbidden)) for topic in found.topics],
        empty="none",
    )


def _table(title: str, column: str, rows: Sequence[Suggestion], empty: str) -> None:
    from dispatcher.cli import show

    show.table(title, (column, "stored articles"), [(row.query, row.articles) for row in rows], empty=empty)
