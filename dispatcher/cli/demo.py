"""`demo`: the whole chain on one screen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.options import count


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="One full cycle, then exit.")] = False,
    port: Annotated[int, typer.Option(metavar="N", parser=count, help="Where the inbox page listens.")] = 8025,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where --once writes the mails.")] = Path("demo-output"),
) -> None:
    """Watch it work on invented news. Feeds, readers, a daemon, an SMTP server and an inbox, all on this machine."""
    from dispatcher.cli import show
    from dispatcher.cli.session import run
    from dispatcher.cli.trouble import UsageError

    if port > 65535:
        raise UsageError(f"--port {port} is no port; they end at 65535")
    from dispatcher.demo.run import run as run_demo

    run(run_demo(once=once or not sys.stdout.isatty(), port=port, out=out, say=show.say))
