"""`newsletters`: the publications of this installation, and who reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from dispatcher.cli.options import Json
from dispatcher.cli.session import context, run

if TYPE_CHECKING:
    from dispatcher.pipeline.context import Context


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("newsletters")(listing)


def listing(json: Json = False) -> None:
    """List the newsletters with their topics and readers; config declares them."""
    run(_listing(json=json))


async def _listing(*, json: bool) -> None:
    from dispatcher.cli import show

    async with context() as ctx:
        found = await _described(ctx)
    if json:
        show.as_json(found)
        return
    show.table(
        "newsletters",
        ("slug", "name", "sender", "readers", "topics", "paused"),
        [(n["slug"], n["name"], n["sender"], n["readers"], ", ".join(n["topics"]), n["is_paused"]) for n in found],
    )


async def _described(ctx: Context) -> list[dict[str, Any]]:
    """All newsletters: those that are published in config's order, then those that were."""
    from dispatcher.cli import show
    from dispatcher.store import newsletters, topics

    async with ctx.store.read() as tx:
        readers, offered = await newsletters.count_readers(tx), await topics.every(tx)
    published = ctx.published
    slugs = {one.slug for one in published}
    default = ctx.newsletter.id
    return [
        {
            **show.fields(one),
            "topics": [topic.slug for topic in offered if (topic.newsletter_id or default) == one.id],
            "readers": readers.get(one.id or 0, 0),
        }
        for one in [*published, *(row for row in ctx.newsletters.values() if row.slug not in slugs)]
    ]
