"""`preview`: the digest a reader would get, without sending it."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.session import context, moment, run

if TYPE_CHECKING:
    from datetime import datetime


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(preview)


def preview(
    email: Annotated[str, typer.Argument(help="The reader.")],
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="As if it were this time.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the page to this file.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Show the digest that a reader would get at their next slot, or at a given time. Nothing is sent or changed."""
    run(_preview(email, moment(at), out, open_=open_))


async def _preview(email: str, at: datetime | None, out: Path | None, *, open_: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline.preview import preview

    async with context() as ctx:
        found = await preview(ctx, email, at)
    if found is None:
        show.say(f"nothing would be sent to {email}: there is nothing new for them at that time")
        return
    target = out or (Path("preview.html") if open_ else None)
    if target is None:
        print(f"Subject: {found.subject}\n\n{found.text}")
        return
    target.write_text(found.html, encoding="utf-8")
    show.say(f"wrote {target}: {found.subject}")
    if open_:
        webbrowser.open(target.resolve().as_uri())
