"""`preview`: the digest a reader would get, without sending it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.options import At, Json
from dispatcher.cli.session import Session, context, run
from dispatcher.model.values import Layout

if TYPE_CHECKING:
    from datetime import datetime

    from dispatcher.pipeline.context import Context
    from dispatcher.pipeline.preview import Preview
    from dispatcher.pipeline.studio import Asked


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(preview)


def preview(
    email: Annotated[str, typer.Argument(metavar="[EMAIL]", help="The reader.", show_default=False)] = "",
    at: At = None,
    mail: Annotated[
        str, typer.Option("--mail", metavar="NAME", help="Not their next mail, but one of this kind: digest, welcome …")
    ] = "",
    locale: Annotated[str, typer.Option(metavar="CODE", help="In this language.")] = "",
    layout: Annotated[Layout | None, typer.Option(help="In this layout.", show_choices=True)] = None,
    newsletter: Annotated[str, typer.Option(metavar="SLUG", help="In the look of this newsletter.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here: .html, .txt or .eml.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve a page that follows every change of a template.")
    ] = False,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Where --serve listens; 0 is any.")] = 8026,
    why: Annotated[bool, typer.Option("--why", help="Say why each story is in it, or is not.")] = False,
    json: Json = False,
) -> None:
    """Show what a reader would get next, or at a given time. Nothing is sent or changed."""
    from dispatcher.cli.trouble import UsageError
    from dispatcher.pipeline.preview import Wish
    from dispatcher.pipeline.studio import Asked

    asked = Asked(email, mail, at, Wish(locale, layout or "", newsletter))
    if serve:
        run(_serve(asked, port, open_=open_))
        return
    if not email and not mail:
        raise UsageError("say whose mail (EMAIL), which (--mail digest), or --serve")
    if why or json:
        run(_reasons(email, at, json=json))
        return
    run(_preview(asked, out, open_=open_))


async def _preview(asked: Asked, out: Path | None, *, open_: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline.preview import Preview, preview

    async with context() as ctx:
        found = await (_specimen(ctx, asked) if asked.mail else preview(ctx, asked.reader, asked.at, asked.wish))
    if not isinstance(found, Preview):
        show.say(f"nothing would be sent to {asked.reader} at {found.at:%Y-%m-%d %H:%M}Z: {found.why}")
        return
    target = out or (Path("preview.html") if open_ else None)
    if target is None:
        show.say(f"Subject: {found.subject}\n\n{found.text.rstrip()}")
        return
    target.write_bytes(_kind(found, target.suffix))
    show.say(f"wrote {target}: {found.subject}")
    if open_:
        _browse(target.resolve().as_uri())


async def _specimen(ctx: Context, asked: Asked) -> Preview:
    from dispatcher import clock
    from dispatcher.cli.trouble import UsageError
    from dispatcher.pipeline.admission import person
    from dispatcher.pipeline.specimens import NAMES, specimen

    if asked.mail not in NAMES:
        raise UsageError(f"--mail {asked.mail} is none of {', '.join(NAMES)}")
    reader = None
    if asked.reader:
        async with ctx.store.read() as tx:
            reader = await person(tx, asked.reader)
    return (await specimen(ctx, asked.mail, asked.at or clock.now(), asked.wish, reader)).preview


async def _serve(asked: Asked, port: int, *, open_: bool) -> None:
    """Until Ctrl-C."""
    import asyncio
    import signal
    from contextlib import suppress

    from dispatcher.cli import show
    from dispatcher.pipeline.context import load_settings
    from dispatcher.pipeline.studio import Studio
    from dispatcher.web.preview.app import Pages
    from dispatcher.web.preview.query import Query
    from dispatcher.web.server import listening

    async with context() as ctx:
        studio = Studio(ctx, lambda: load_settings(Session.config))
        pages = Pages(studio, ctx.settings.alerts.to, Query.of_asked(asked))
        async with listening(pages.app(), f"127.0.0.1:{port}", "preview --port") as url:
            show.say(f"Open {url}: it shows every change of a template, the theme or the config. Ctrl-C ends it.")
            watching = asyncio.create_task(studio.watch(), name="watch")
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
            if open_:
                _browse(url)
            with suppress(asyncio.CancelledError):
                await watching
            studio.close()


def _browse(url: str) -> None:
    """Open it; a machine without a browser is told where it is."""
    import webbrowser

    from dispatcher.cli import show

    try:
        is_open = webbrowser.open(url)
    except (OSError, webbrowser.Error):
        is_open = False
    if not is_open:
        show.note(f"no browser could be opened; it is at {url}")


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
