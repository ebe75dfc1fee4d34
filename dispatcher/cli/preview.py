"""`preview`: the digest a reader would get, without sending it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.options import At, Json
from dispatcher.cli.session import context, run

if TYPE_CHECKING:
    from datetime import datetime

    from dispatcher.pipeline.preview import Preview


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(preview)


def preview(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The reader.")],
    at: At = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here: .html, .txt or .eml.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Say why each story is in it, or is not.")] = False,
    json: Json = False,
) -> None:
    """Show what a reader would get next, or at a given time. Nothing is sent or changed."""
    if why or json:
        run(_reasons(email, at, json=json))
        return
    run(_preview(email, at, out, open_=open_))


async def _preview(email: str, at: datetime | None, out: Path | None, *, open_: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline.preview import Preview, preview

    async with context() as ctx:
        found = await preview(ctx, email, at)
    if not isinstance(found, Preview):
        show.say(f"nothing would be sent to {email} at {found.at:%Y-%m-%d %H:%M}Z: {found.why}")
        return
    target = out or (Path("preview.html") if open_ else None)
    if target is None:
        show.say(f"Subject: {found.subject}\n\n{found.text.rstrip()}")
        return
    target.write_bytes(_kind(found, target.suffix))
    show.say(f"wrote {target}: {found.subject}")
    if open_:
        import webbrowser

        webbrowser.open(target.resolve().as_uri())


async def _reasons(email: str, at: datetime | None, *, json: bool) -> None:
    from dispatcher.cli import reasons
    from dispatcher.pipeline.reasons import account

    async with context() as ctx:
        found = await account(ctx, email, at)
    reasons.tell(found, json=json)


def _kind(found: Preview, suffix: str) -> bytes:
    match suffix.lower():
        case ".eml":
            return found.raw
        case ".txt":
            return found.text.encode()
        case _:
            return found.html.encode()
